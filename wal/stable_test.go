package wal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	voteTerm = []byte(keyLastVoteTerm)
	voteCand = []byte(keyLastVoteCand)
	curTerm  = []byte("CurrentTerm")
)

func openStable(t testing.TB, dir string) *Stable {
	t.Helper()
	s, err := OpenStable(dir)
	require.NoError(t, err)
	return s
}

func requireStable(t testing.TB, s *Stable, term, vote uint64, cand string) {
	t.Helper()
	got, err := s.GetUint64(curTerm)
	require.NoError(t, err)
	require.Equal(t, term, got, "current term")
	got, err = s.GetUint64(voteTerm)
	require.NoError(t, err)
	require.Equal(t, vote, got, "term of the vote")
	c, err := s.Get(voteCand)
	require.NoError(t, err)
	require.Equal(t, cand, string(c), "candidate")
}

// vote does what raft's persistVote does.
func vote(t testing.TB, s *Stable, term uint64, cand string) {
	t.Helper()
	require.NoError(t, s.SetUint64(voteTerm, term))
	require.NoError(t, s.Set(voteCand, []byte(cand)))
}

// raft compares the text of the error for a missing key.
func TestStableMissingKey(t *testing.T) {
	s := openStable(t, t.TempDir())
	v, err := s.Get(voteCand)
	require.Nil(t, v)
	require.EqualError(t, err, "not found")
	n, err := s.GetUint64(curTerm)
	require.Zero(t, n)
	require.EqualError(t, err, "not found")
}

func TestStableSurvivesReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "raft", "stable")
	s := openStable(t, dir)
	require.NoError(t, s.SetUint64(curTerm, 3))
	vote(t, s, 3, "a")
	require.NoError(t, s.Set([]byte("empty"), nil))
	for range 3 {
		s = openStable(t, dir)
		requireStable(t, s, 3, 3, "a")
		v, err := s.Get([]byte("empty"))
		require.NoError(t, err)
		require.Empty(t, v)
	}
	require.NoError(t, s.Set([]byte("text"), []byte("abc")))
	_, err := s.GetUint64([]byte("text"))
	require.ErrorContains(t, err, "is no number")
}

// The state that hashicorp/raft#661 is about, a vote of term 5 with the candidate
// of term 4, is never on disk nor in memory, wherever the process stops between
// raft's two writes. The current term is durable at once, meanwhile too.
func TestVoteIsOneRecord(t *testing.T) {
	dir := t.TempDir()
	s := openStable(t, dir)
	require.NoError(t, s.SetUint64(curTerm, 4))
	vote(t, s, 4, "b")

	require.NoError(t, s.SetUint64(voteTerm, 5))
	requireStable(t, s, 4, 4, "b")
	requireStable(t, openStable(t, copyDir(t, dir)), 4, 4, "b")
	require.NoError(t, s.SetUint64(curTerm, 5))
	requireStable(t, openStable(t, copyDir(t, dir)), 5, 4, "b")
	require.NoError(t, s.Set(voteCand, []byte("c")))
	requireStable(t, s, 5, 5, "c")
	requireStable(t, openStable(t, copyDir(t, dir)), 5, 5, "c")
	// The same candidate in a later term is a vote of its own.
	vote(t, s, 6, "c")
	requireStable(t, openStable(t, copyDir(t, dir)), 5, 6, "c")
}

// Stopped at each step of a write, the record is the old one or the new one; the
// store is unusable afterwards, its outcome being unknown.
func TestStableStoppedAtEachStep(t *testing.T) {
	for stop := 0; ; stop++ {
		dir := t.TempDir()
		s := openStable(t, dir)
		require.NoError(t, s.SetUint64(curTerm, 4))
		vote(t, s, 4, "b")
		left := stop
		setDiskOp(t, func(string, string) error {
			if left--; left < 0 {
				return errIO
			}
			return nil
		})
		require.NoError(t, s.SetUint64(voteTerm, 5))
		err := s.Set(voteCand, []byte("c"))
		left = 1 << 30
		r := openStable(t, copyDir(t, dir))
		got, gerr := r.GetUint64(voteTerm)
		require.NoError(t, gerr)
		requireStable(t, r, 4, got, map[uint64]string{4: "b", 5: "c"}[got])
		if err == nil {
			require.EqualValues(t, 5, stop)
			return
		}
		require.ErrorIs(t, err, ErrPoisoned)
		require.ErrorIs(t, s.SetUint64(curTerm, 9), ErrPoisoned)
		_, gerr = s.Get(voteCand)
		require.ErrorIs(t, gerr, ErrPoisoned)
	}
}

// A write is: temporary file, its sync, rename, the directory's sync. A value
// that is durable already is not written again. A start writes what it read.
func TestStableWriteOrder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stable")
	s := openStable(t, dir)
	ops := record(t)
	write := []string{"create stable.tmp", "write stable.tmp", "sync stable.tmp", "rename stable", "syncdir stable"}
	require.NoError(t, s.SetUint64(curTerm, 4))
	require.Equal(t, write, *ops)
	require.NoError(t, s.SetUint64(curTerm, 4))
	require.Equal(t, write, *ops)
	*ops = nil
	openStable(t, dir)
	requireOrder(t, *ops, write...)
}

// A record that cannot be read is refused at any damaged byte, not replaced by
// an older one: that would be an older vote.
func TestDamagedStableIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := openStable(t, dir)
	require.NoError(t, s.SetUint64(curTerm, 4))
	vote(t, s, 4, "b")
	whole, err := os.ReadFile(s.path)
	require.NoError(t, err)
	for i := range whole {
		for _, b := range [][]byte{flip(i)(append([]byte{}, whole...)), whole[:i], append(append([]byte{}, whole...), make([]byte, i+1)...)} {
			require.NoError(t, os.WriteFile(s.path, b, 0o600))
			_, err := OpenStable(dir)
			requireFault(t, err, s.path, 0)
		}
	}
}

func TestStableLimits(t *testing.T) {
	dir := fastDir(t)
	s := openStable(t, dir)
	require.ErrorIs(t, s.Set(make([]byte, MaxStableKeyBytes+1), nil), ErrTooLarge)
	require.ErrorIs(t, s.Set([]byte("k"), make([]byte, MaxStableValueBytes+1)), ErrTooLarge)
	for i := range MaxStableKeys {
		key := fmt.Appendf(nil, "%0*d", MaxStableKeyBytes, i)
		require.NoError(t, s.Set(key, make([]byte, MaxStableValueBytes)))
	}
	require.ErrorIs(t, s.Set([]byte("one more"), nil), ErrTooLarge)
	require.Len(t, openStable(t, dir).values, MaxStableKeys)
}
