package replica

import (
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/transport/raftrpc"
)

// A deposed leader whose log begins right behind its snapshot, with entries that
// nobody committed, goes on with a leader that has no later snapshot to send it.
// The simulator found, by seed 0x79100000, that it refused everything for ever:
// raft looks for the snapshot's last entry in the log.
func TestTailBehindASnapshotIsReplaced(t *testing.T) {
	c := newCluster(t, 3, nil) // nobody takes a snapshot unasked
	old := c.leader()
	c.put(c.live[old], "/k", "before")
	last, err := c.live[old].log.LastIndex()
	require.NoError(t, err)
	for _, r := range c.live {
		c.eventually("applied", func() bool { return r.state.applied.Load() == last })
		rc := r.node().ReloadableConfig()
		rc.TrailingLogs = 0
		require.NoError(t, r.node().ReloadConfig(rc))
		require.NoError(t, r.node().Snapshot().Error())
		end, err := r.log.LastIndex()
		require.NoError(t, err)
		require.Zero(t, end, "all of the log is in the snapshot")
	}
	term, end := c.live[old].node().CurrentTerm(), c.live[old].lastSnapshot()
	c.stop(old)
	lead := c.leader()
	require.Greater(t, c.live[lead].node().CurrentTerm(), term)
	c.extend(old, term, end, end+2)
	c.start(old)
	c.eventually("it follows", func() bool {
		return c.live[old].state.applied.Load() > end
	})
	require.Equal(t, end, c.live[lead].lastSnapshot(), "a later snapshot would have helped it on")
	c.put(c.live[lead], "/k", "after")
	c.eventually("goes on", func() bool {
		v, err := c.live[old].Local()
		return err == nil && value(v, "/k") == "after"
	})
}

// Of the entry with which the newest snapshot ends the log store knows the term;
// of no other that it does not have, and not of the first.
func TestLogStoreKnowsTheSnapshotsEnd(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	last, err := r.log.LastIndex()
	require.NoError(t, err)
	for end, want := range map[uint64]error{0: raft.ErrLogNotFound, 1: raft.ErrLogNotFound, last + 7: nil, last + 8: raft.ErrLogNotFound} {
		s := r.logStore()
		s.covered = func() (uint64, uint64) { return end, 4 }
		e := raft.Log{}
		require.ErrorIs(t, s.GetLog(last+7, &e), want, end)
		if want == nil {
			assert.Equal(t, raft.Log{Index: end, Term: 4, Type: raftrpc.TermOnly}, e)
		}
		require.NoError(t, s.GetLog(1, &e))
		assert.Equal(t, raft.LogConfiguration, e.Type, "what the log has comes from there")
	}
	s := r.logStore()
	s.covered = func() (uint64, uint64) { return 1, 1 }
	require.NoError(t, r.log.DeleteRange(1, last))
	require.ErrorIs(t, s.GetLog(1, new(raft.Log)), raft.ErrLogNotFound)
}
