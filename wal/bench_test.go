package wal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// BenchmarkStoreLogs stores batches of entries of 300 bytes, each synced once,
// in a temporary directory: set TMPDIR to the disk in question.
func BenchmarkStoreLogs(b *testing.B) {
	for _, n := range []int{1, 64, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l, err := Open(b.TempDir(), Options{})
			require.NoError(b, err)
			defer l.Close()
			data := bytes.Repeat([]byte("x"), 300)
			batch := make([]*raft.Log, n)
			next := uint64(1)
			b.ReportAllocs()
			b.SetBytes(int64(n * len(data)))
			for b.Loop() {
				for i := range batch {
					batch[i] = &raft.Log{Index: next, Term: 1, Data: data}
					next++
				}
				if err := l.StoreLogs(batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkGetLog reads entries of 300 bytes in order, as a lagging follower's
// leader does, from the disk (the cache is too small) and from the cache.
func BenchmarkGetLog(b *testing.B) {
	for name, cacheBytes := range map[string]int{"disk": 100 << 10, "cache": 64 << 20} {
		b.Run(name, func(b *testing.B) {
			l, err := Open(b.TempDir(), Options{CacheBytes: cacheBytes})
			require.NoError(b, err)
			defer l.Close()
			es := entries(1, 100000, 1)
			for _, e := range es {
				e.Data = bytes.Repeat([]byte("x"), 300)
			}
			require.NoError(b, l.StoreLogs(es))
			b.ReportAllocs()
			var e raft.Log
			for i := uint64(0); b.Loop(); i++ {
				if err := l.GetLog(1+i%uint64(len(es)), &e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkOpen verifies a log of 64 MiB.
func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	l, err := Open(dir, Options{})
	require.NoError(b, err)
	es := entries(1, 64<<20/400, 1)
	for _, e := range es {
		e.Data = bytes.Repeat([]byte("x"), 300)
	}
	require.NoError(b, l.StoreLogs(es))
	require.NoError(b, l.Close())
	b.SetBytes(64 << 20)
	for b.Loop() {
		l, err := Open(dir, Options{})
		require.NoError(b, err)
		require.NoError(b, l.Close())
	}
}
