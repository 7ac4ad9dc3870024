package replica

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

// A new leader goes on expiring what the old one's clients set.
func TestKeysExpireAfterFailover(t *testing.T) {
	c := newCluster(t, 3, nil)
	command, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpSet, Path: "/t", Value: "v", HasTTL: true, TTLSeconds: 2})
	require.NoError(t, err)
	lead := c.leader()
	_, err = c.live[lead].Propose(context.Background(), command)
	require.NoError(t, err)
	next := c.live[(lead+1)%3]
	// Followers have seen ticks by then, which must not count as asked.
	c.eventually("followers know of it", func() bool { return next.expires.Load() })
	other := c.live[(lead+2)%3]
	next.batcher.expire()
	other.batcher.expire()
	c.stop(lead)
	c.put(next, "/x", "1")
	c.eventually("expired", func() bool {
		v, err := next.Local()
		require.NoError(t, err)
		_, refused := v.Get("/t")
		return refused != nil
	})
}

// A follower that restarts while its leader stays serves nothing older than
// what it had served, although the first entries it replays are of the
// leader's own term.
func TestLocalReadsDoNotGoBackOverARestart(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	f := (lead + 1) % 3
	var last Answer
	for range 300 {
		last = c.put(c.live[lead], "/k", "x")
	}
	for range 3 {
		c.eventually("caught up", func() bool {
			v, err := c.live[f].Local()
			return err == nil && v.Index >= last.Event.Index
		})
		c.stop(f)
		c.start(f)
		var first kernel.StoreIndex
		c.eventually("serves", func() bool {
			v, err := c.live[f].Local()
			if err == nil {
				first = v.Index
			}
			return err == nil
		})
		require.GreaterOrEqual(t, first, last.Event.Index)
	}
}

// Close ends although raft forgets the future of an entry that is committed
// and not yet applied when it stops.
func TestCloseWithEntriesBetweenCommitAndApply(t *testing.T) {
	for range 6 {
		c := newCluster(t, 1, nil)
		r := c.live[0]
		r.state.mu.Lock() // the apply goroutine stands still
		asked := make(chan error, 2)
		for range 2 {
			before := r.node().CommitIndex()
			go func() {
				_, err := r.ProposeSetup(context.Background(), set("/k", "v"))
				asked <- err
			}()
			c.eventually("committed", func() bool { return r.node().CommitIndex() > before })
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			c.stop(0)
		}()
		c.eventually("stopping", func() bool { return r.node().halted() })
		r.state.mu.Unlock()
		select {
		case <-done:
		case <-time.After(limit):
			t.Fatal("Close hangs")
		}
		for range 2 {
			if err := <-asked; err != nil {
				require.ErrorIs(t, err, ErrUnknown, "what was committed may be applied")
			}
		}
	}
}

// A leader whose opening was refused opens another session by itself.
func TestLeaderWithoutASessionOpensOne(t *testing.T) {
	c := newCluster(t, 3, nil)
	l := c.live[c.leader()]
	l.batcher.mu.Lock()
	g := l.batcher.reign
	l.batcher.mu.Unlock()
	l.batcher.leadEnds(g)
	c.eventually("leads again", l.batcher.leads)
	c.put(l, "/k", "v")
}

// A first start that was cut off between raft's term and its first entry is
// taken up again.
func TestBootstrapCutOff(t *testing.T) {
	r := &Replica{cfg: Config{Dir: t.TempDir(), Log: testWriter{t}}, meters: newMeters()}
	require.NoError(t, r.openStores())
	require.NoError(t, r.stable.SetUint64([]byte("CurrentTerm"), 1))
	require.True(t, r.bootstrapCutOff())
	require.NoError(t, r.stable.SetUint64([]byte("CurrentTerm"), 2))
	require.False(t, r.bootstrapCutOff(), "a member that has seen an election is not new")
	r.closeStores()
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(string(b))
	return len(b), nil
}
