package replica

import (
	"testing"

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
