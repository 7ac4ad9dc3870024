package replica

import (
	"bytes"
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

// restored is what somebody makes of a copy.
func restored(t *testing.T, c *Copy) *kernel.State {
	var b bytes.Buffer
	_, err := c.WriteTo(&b)
	require.NoError(t, err)
	s, err := kernel.Restore(&b)
	require.NoError(t, err)
	return s
}

// After a linearizable read any member gives a copy with all that was answered
// anywhere before, and says how long ago it heard from its leader.
func TestCopiesOfAnyMember(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	for i, r := range c.live {
		index := c.put(c.live[(i+1)%3], "/k", string(rune('a'+i))).Event.Index
		view, err := r.Linearizable(context.Background())
		require.NoError(t, err)
		copied, err := r.Copy(view.Applied)
		require.NoError(t, err)
		_, err = r.Copy(copied.Applied() + 1000)
		require.ErrorIs(t, err, ErrNotReady)
		_, err = r.since(copied.Applied() + 1000)
		require.ErrorIs(t, err, ErrNotReady, "as if its state were built again from an older snapshot")
		require.GreaterOrEqual(t, copied.Index(), index)
		require.True(t, copied.KnownLeader)
		require.Equal(t, i == lead, copied.LastContact == 0)
		require.Equal(t, r.Status().Term, copied.Term)
		s := restored(t, copied)
		require.Equal(t, copied.Applied(), s.Applied())
		require.Equal(t, copied.Index(), s.Index())
		hashes, ok := r.HashesAt(s.Applied())
		require.True(t, !ok || hashes.History == s.HistoryHash(), "the state of that log index and no other")
		node, refused := s.View().Get("/k")
		require.Nil(t, refused)
		require.Equal(t, string(rune('a'+i)), node.Value)
	}
}

// A copy can be had without a leader; a member that has started alone, without a
// snapshot, has nothing to copy and says so.
func TestCopiesWithoutALeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	c.put(c.live[0], "/k", "v")
	last := c.live[0]
	c.eventually("applied", func() bool {
		copied, err := last.Copy(0)
		require.NoError(t, err)
		_, refused := restored(t, copied).View().Get("/k")
		return refused == nil
	})
	c.stop(1)
	c.stop(2)
	c.eventually("no leader", func() bool {
		copied, err := last.Copy(0)
		require.NoError(t, err)
		if copied.KnownLeader {
			return false
		}
		require.Positive(t, copied.LastContact)
		_, refused := restored(t, copied).View().Get("/k")
		require.Nil(t, refused)
		return true
	})

	c.stop(0)
	_, err := last.Copy(0)
	require.ErrorIs(t, err, ErrStopped)
	c.start(0)
	_, err = c.live[0].Copy(0)
	require.ErrorIs(t, err, ErrEmpty)
}
