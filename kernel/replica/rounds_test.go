package replica

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

func round(after uint64, voters ...raft.ServerID) *readRound {
	return &readRound{
		term: 5, after: after, voters: voters, quorum: 1,
		answers: map[raft.ServerID]bool{}, settled: make(chan struct{}),
	}
}

func settled(r *readRound) bool {
	select {
	case <-r.settled:
		return true
	default:
		return false
	}
}

// Only answers to requests that were started after the readers arrived, of the
// same term, from voters, confirm a round. Each row is a way to serve a stale
// read.
func TestWhatConfirmsARound(t *testing.T) {
	for _, row := range []struct {
		name         string
		peer         raft.ServerID
		term, number uint64
		want         bool
	}{
		{"started before the read arrived", "b", 5, 7, false},
		{"an older term", "b", 4, 8, false},
		{"a newer term", "b", 6, 8, false},
		{"not a voter", "x", 5, 8, false},
		{"started after the read arrived", "b", 5, 8, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := round(7, "b", "c")
			rr := &readRounds{running: r}
			rr.confirmed(row.peer, row.term, row.number)
			require.Equal(t, row.want, settled(r))
		})
	}
}

// One voter counts once, however often it answers.
func TestAVoterCountsOnce(t *testing.T) {
	r := round(7, "b", "c", "d", "e")
	r.quorum = 2
	rr := &readRounds{running: r}
	rr.confirmed("b", 5, 8)
	rr.confirmed("b", 5, 9)
	require.False(t, settled(r))
	rr.confirmed("d", 5, 9)
	require.True(t, settled(r))
	rr.confirmed("e", 5, 9)
}

func TestQuorum(t *testing.T) {
	server := func(id raft.ServerID, s raft.ServerSuffrage) raft.Server { return raft.Server{ID: id, Suffrage: s} }
	for _, row := range []struct {
		servers []raft.Server
		want    int
	}{
		{[]raft.Server{server("a", raft.Voter)}, 0},
		{[]raft.Server{server("a", raft.Voter), server("b", raft.Voter)}, 1},
		{[]raft.Server{server("a", raft.Voter), server("b", raft.Voter), server("c", raft.Voter)}, 1},
		{[]raft.Server{server("a", raft.Voter), server("b", raft.Voter), server("c", raft.Nonvoter)}, 1},
		{[]raft.Server{server("b", raft.Voter), server("c", raft.Voter)}, 2},
		{[]raft.Server{server("a", raft.Voter), server("b", raft.Voter), server("c", raft.Voter), server("d", raft.Voter), server("e", raft.Voter)}, 2},
	} {
		r := &readRound{}
		r.count(raft.Configuration{Servers: row.servers}, "a")
		require.Equal(t, row.want, r.quorum, "%v", row.servers)
	}
}

// A leader that is the only voter reads without a round.
func TestSoleVoterReadsAlone(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	c.put(r, "/k", "1")
	r.reads.mu.Lock() // nobody can join a round
	defer r.reads.mu.Unlock()
	v, err := r.Linearizable(t.Context())
	require.NoError(t, err)
	require.Equal(t, "1", value(v, "/k"))
}

// What is committed when a read begins is in its answer, applied or not.
func TestReadWaitsForWhatIsCommitted(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	c.put(r, "/k", "1")
	_, err := r.Local() // a view is at hand
	require.NoError(t, err)
	r.state.mu.Lock() // the apply goroutine stands still
	before := r.node().CommitIndex()
	go func() { _, _ = r.Propose(context.Background(), set("/k", "2")) }()
	c.eventually("committed", func() bool { return r.node().CommitIndex() > before })
	got := make(chan string, 1)
	go func() {
		v, err := r.Linearizable(context.Background())
		if err != nil {
			got <- err.Error()
			return
		}
		got <- value(v, "/k")
	}()
	select { // it is given a chance to answer too soon
	case early := <-got:
		got <- early
	case <-time.After(50 * time.Millisecond):
	}
	r.state.mu.Unlock()
	require.Equal(t, "2", <-got)
}

// A deposed leader whose main loop hangs, so that it does not notice, answers no
// quorum read from its own state.
func TestHungDeposedLeaderServesNoStaleRead(t *testing.T) {
	c := newCluster(t, 3, nil)
	old := c.leader()
	r := c.live[old]
	c.put(r, "/k", "1")
	hang, hangs := make(chan struct{}), make(chan struct{})
	r.node().RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		if _, ok := o.Data.(raft.PeerObservation); ok {
			close(hangs)
			<-hang
		}
		return false
	}))
	go r.node().AddNonvoter("77", "n9:2380", 0, 0)
	<-hangs
	for _, i := range c.heirs(old) {
		c.memory.Cut(fmt.Sprintf("n%d", old), fmt.Sprintf("n%d", i))
	}
	c.put(c.live[(old+1)%3], "/k", "2")
	require.Equal(t, raft.Leader, r.node().State())
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := r.Linearizable(ctx)
	close(hang)
	require.ErrorIs(t, err, ErrTimeout)
}
