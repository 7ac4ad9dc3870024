package wal

import (
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// A compaction that takes all that the log holds when it is called, while an
// append is under way, must leave what that append makes durable: raft has
// acknowledged it.
func TestCompactionBesideAppend(t *testing.T) {
	l, err := Open(t.TempDir(), Options{SegmentBytes: 4096})
	require.NoError(t, err)
	defer func() { require.NoError(t, l.Close()) }()
	for index := uint64(1); index <= 300; index++ {
		last, err := l.LastIndex()
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Add(1)
		go func() {
			defer wg.Done()
			require.NoError(t, l.DeleteRange(1, last))
		}()
		require.NoError(t, l.StoreLogs([]*raft.Log{{Index: index, Term: 1, Data: []byte("x")}}))
		wg.Wait()
		var got raft.Log
		require.NoError(t, l.GetLog(index, &got), "entry %d was cut by a compaction up to %d", index, last)
	}
	require.NoError(t, l.DeleteRange(1, 300))
	require.NoError(t, l.DeleteRange(0, 5), "an empty log has nothing to delete")
}
