package replica

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/wal"
)

// An entry that is still to be applied and cannot be read ends the member with a word, for raft would panic; one that was
// applied is the business of whoever asks for it.
func TestUnreadableEntryIsFatal(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l, err := wal.Open(dir, wal.Options{})
	require.NoError(t, err)
	for index := range uint64(9) {
		require.NoError(t, l.StoreLog(&raft.Log{Index: index + 1, Term: 1, Data: []byte("entry")}))
	}
	require.NoError(t, l.Close())
	l, err = wal.Open(dir, wal.Options{}) // nothing of it is in memory now
	require.NoError(t, err)
	var told error
	s := logStore{
		Log: l, covered: func() (uint64, uint64) { return 0, 0 }, applied: func() uint64 { return 4 },
		unreadable: func(err error) { told = err },
	}
	require.ErrorIs(t, s.GetLog(10, new(raft.Log)), raft.ErrLogNotFound)
	require.NoError(t, told, "what is not there cannot be unreadable")

	segments, err := filepath.Glob(filepath.Join(dir, "0*"))
	require.NoError(t, err)
	require.Len(t, segments, 1)
	require.NoError(t, os.Rename(segments[0], segments[0]+".away"))
	require.ErrorIs(t, s.GetLog(4, new(raft.Log)), fs.ErrNotExist)
	require.NoError(t, told)
	require.ErrorIs(t, s.GetLog(5, new(raft.Log)), fs.ErrNotExist)
	require.ErrorIs(t, told, fs.ErrNotExist)
	assert.ErrorContains(t, told, "entry to be applied: read entry 5: ")

	told = nil
	require.NoError(t, os.Rename(segments[0]+".away", segments[0]))
	require.NoError(t, l.Close())
	require.ErrorIs(t, s.GetLog(5, new(raft.Log)), wal.ErrClosed)
	require.NoError(t, told)
}
