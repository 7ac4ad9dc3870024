package replica

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/wal"
)

type witness struct{ said []string }

func (w *witness) Applied(Applied)                {}
func (w *witness) Role(state string, term uint64) { w.said = append(w.said, state) }

// Reached implements replica.Observer.
func (w *witness) Reached(p Probe) { w.said = append(w.said, "reached: "+string(p)) }

func (w *witness) Voted(term uint64, candidate string, readBack bool) {
	if readBack {
		candidate += " read back"
	}
	w.said = append(w.said, candidate)
}

// A vote is told of once it is whole, and when a start finds it.
func TestVotesAreObserved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stable")
	stable, err := wal.OpenStable(dir)
	require.NoError(t, err)
	seen := &witness{}
	s := stableStore{stable, func(err error) { t.Error(err) }, seen, false, func() *raft.Raft { return nil }}
	require.NoError(t, s.readBack())
	require.NoError(t, s.SetUint64(keyTerm, 2))
	require.NoError(t, s.SetUint64(keyVoteTerm, 2))
	assert.Empty(t, seen.said, "half a vote")
	require.NoError(t, s.Set(keyVoteCand, []byte("a:2380")))
	require.NoError(t, s.readBack())
	assert.Equal(t, []string{"a:2380", "a:2380 read back"}, seen.said)
	// Given by a member that found torn remains of a record, it is a rare vote.
	seen.said, s.torn = nil, true
	require.NoError(t, s.SetUint64(keyVoteTerm, 3))
	require.NoError(t, s.Set(keyVoteCand, []byte("b:2380")))
	assert.Equal(t, []string{"b:2380", "reached: " + string(ProbeVoteAfterTorn)}, seen.said)
}

// A member that cannot write its term and vote must not go on.
func TestFailedVoteIsFatal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stable")
	stable, err := wal.OpenStable(dir)
	require.NoError(t, err)
	var fatal error
	seen := &witness{}
	s := stableStore{stable, func(err error) { fatal = err }, seen, false, func() *raft.Raft { return nil }}
	require.NoError(t, os.RemoveAll(dir))
	require.ErrorIs(t, s.SetUint64(keyTerm, 2), wal.ErrPoisoned)
	require.ErrorIs(t, fatal, wal.ErrPoisoned)
	require.Error(t, s.Set(keyVoteCand, []byte("a:2380")))
	assert.Empty(t, seen.said)
}
