package wal

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The figures are those of the files: what was written since the open, and what
// lies there, over a cut, a reset and a new open.
func TestStats(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	require.Equal(t, Stats{Segments: 1, CacheLimitBytes: DefaultCacheBytes}, l.Stats())
	store(t, l, entries(1, 40, 1)...)
	store(t, l, entries(41, 41, 1)...)

	onDisk := func() (n uint64) {
		for _, path := range segmentFiles(t, dir) {
			n += uint64(recordBytes(t, path))
		}
		return n
	}
	s := l.Stats()
	require.Greater(t, s.Segments, 3)
	require.Len(t, segmentFiles(t, dir), s.Segments)
	require.Equal(t, onDisk(), s.Bytes)
	require.Equal(t, s.Bytes, s.BytesWritten, "nothing was cut yet")
	require.Equal(t, []uint64{1, 41, 41}, []uint64{s.FirstIndex, s.LastIndex, s.EntriesWritten})
	require.Positive(t, s.CacheBytes)
	require.LessOrEqual(t, s.CacheBytes, s.CacheLimitBytes)

	require.NoError(t, l.DeleteRange(1, 30))
	cut := l.Stats()
	require.Less(t, cut.Segments, s.Segments)
	require.Equal(t, onDisk(), cut.Bytes)
	require.Equal(t, s.BytesWritten, cut.BytesWritten)
	require.NoError(t, l.Reset(100))
	require.Equal(t, Stats{Segments: 1, CacheLimitBytes: DefaultCacheBytes, EntriesWritten: 41, BytesWritten: s.BytesWritten}, l.Stats())
	store(t, l, entries(100, 101, 2)...)
	require.EqualValues(t, 43, l.Stats().EntriesWritten)
	require.Equal(t, s.BytesWritten+onDisk(), l.Stats().BytesWritten)
	require.NoError(t, l.Close())

	l = open(t, dir)
	s = l.Stats()
	require.Equal(t, onDisk(), s.Bytes)
	require.Zero(t, s.EntriesWritten)
	require.Zero(t, s.BytesWritten)
}

// Each sync of the last segment is told of once, with the time it took; one that
// failed is not.
func TestSyncedIsTold(t *testing.T) {
	var took []time.Duration
	l, a := openFaulty(t, t.TempDir(), bigSegments, func(o *Options) { o.Synced = func(d time.Duration) { took = append(took, d) } })
	store(t, l, entries(1, 200, 1)...)
	require.Len(t, took, 1, "one batch, one sync")
	require.Positive(t, took[0])
	a.failSync.Store(&errIO)
	require.Error(t, l.StoreLogs(entries(201, 201, 1)))
	require.Len(t, took, 1)
	a.failSync.Store(nil)

	took = nil
	dir := t.TempDir()
	small := open(t, dir, func(o *Options) { o.Synced = func(d time.Duration) { took = append(took, d) } })
	store(t, small, entries(1, 30, 1)...)
	require.Len(t, took, len(segmentFiles(t, dir)), "one for each segment filled, one for the rest")
}
