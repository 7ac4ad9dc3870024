package wal

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// Steps of a truncation, in the order that its crash safety rests on.
func TestTruncationOrder(t *testing.T) {
	fill := func(t *testing.T) (*Log, []string) {
		l := open(t, filepath.Join(t.TempDir(), "log"))
		store(t, l, entries(1, 40, 1)...)
		var names []string
		for _, p := range segmentFiles(t, l.dir) {
			names = append(names, filepath.Base(p))
		}
		require.Greater(t, len(names), 4)
		return l, names
	}
	t.Run("suffix", func(t *testing.T) {
		l, names := fill(t)
		ops := record(t)
		require.NoError(t, l.DeleteRange(l.segs[1].first+1, 40))
		want := []string{"sync hint.tmp", "rename hint", "syncdir log"}
		for i := len(names) - 1; i > 1; i-- {
			want = append(want, "remove "+names[i], "syncdir log")
		}
		want = append(want, "truncate "+names[1], "sync "+names[1])
		requireOrder(t, *ops, want...)
	})
	t.Run("prefix", func(t *testing.T) {
		l, names := fill(t)
		ops := record(t)
		require.NoError(t, l.DeleteRange(1, l.segs[3].first))
		require.Equal(t, []string{"remove " + names[0], "syncdir log", "remove " + names[1], "syncdir log", "remove " + names[2], "syncdir log"}, *ops)
		require.EqualValues(t, l.segs[0].first, mustFirst(t, l))
	})
	t.Run("reset", func(t *testing.T) {
		l, names := fill(t)
		ops := record(t)
		require.NoError(t, l.Reset(100))
		requireOrder(t, *ops, "rename header", "syncdir log", "remove "+names[0], "remove hint",
			"create "+segmentName(100), "syncdir log", "rename header", "syncdir log")
	})
}

func mustFirst(t *testing.T, l *Log) uint64 {
	first, err := l.FirstIndex()
	require.NoError(t, err)
	return first
}

// Stopped at each of its steps in turn, a truncation leaves a log that opens and
// holds what it must. (TestPowerCuts also loses what was not synced.)
func TestTruncationStoppedAtEachStep(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(*Log) error
		holds func(first, next uint64) bool
	}{
		"suffix": {func(l *Log) error { return l.DeleteRange(7, 40) }, func(f, n uint64) bool { return f == 1 && n >= 7 && n <= 41 }},
		"all":    {func(l *Log) error { return l.DeleteRange(1, 40) }, func(f, n uint64) bool { return f == 1 && n <= 41 }},
		"prefix": {func(l *Log) error { return l.DeleteRange(1, 30) }, func(f, n uint64) bool { return f <= 31 && n == 41 }},
		"reset":  {func(l *Log) error { return l.Reset(9) }, func(f, n uint64) bool { return f == 1 && n == 41 || f == 9 && n == 9 }},
	} {
		t.Run(name, func(t *testing.T) {
			for stop := 0; ; stop++ {
				l := open(t, fastDir(t))
				store(t, l, entries(1, 40, 1)...)
				left := stop
				setDiskOp(t, func(string, string) error {
					if left--; left < 0 {
						return errIO
					}
					return nil
				})
				err := c.do(l)
				left = 1 << 30
				r := open(t, copyDir(t, l.dir))
				first, next := r.bounds()
				require.True(t, c.holds(first, next), "stopped at step %d: [%d, %d)", stop, first, next)
				for i := first; i < next; i++ {
					requireEntry(t, r, entries(i, i, 1)[0])
				}
				store(t, r, entries(next, next+20, 1)...)
				if err == nil {
					require.Greater(t, stop, 3)
					return
				}
				require.ErrorIs(t, err, ErrPoisoned)
			}
		})
	}
}

// What a reader found before a truncation does not enter the cache after it.
func TestStaleReadIsNotCached(t *testing.T) {
	l := open(t, t.TempDir())
	store(t, l, entries(1, 5, 1)...)
	l.cache.clear()
	_, _, p, _ := l.locate(4)
	run, err := readRun(l.dir, l.key, 4, p)
	require.NoError(t, err)
	require.NoError(t, l.DeleteRange(4, 5))
	require.False(t, l.keep(run, p.gen))
	store(t, l, entries(4, 5, 2)...)
	requireEntry(t, l, entries(4, 4, 2)[0])
	l.cache.clear()
	requireEntry(t, l, entries(4, 4, 2)[0])
}

// Readers, the bytes' accounting, prefix deletion and writes go on at once
// (under -race), and readers see only entries that were stored.
func TestReadersBesideEverything(t *testing.T) {
	l := open(t, fastDir(t), func(o *Options) { o.CacheBytes = 2000 })
	store(t, l, entries(1, 10, 1)...)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for r := range 4 {
		wg.Go(func() {
			for i := uint64(r); ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				first, _ := l.FirstIndex()
				last, _ := l.LastIndex()
				if last == 0 {
					continue
				}
				index := first + i%(last-first+1)
				var e raft.Log
				if err := l.GetLog(index, &e); err != nil {
					if err != raft.ErrLogNotFound {
						t.Errorf("entry %d: %v", index, err)
					}
					continue
				}
				if e.Index != index || string(e.Data) != string(entries(index, index, e.Term)[0].Data) {
					t.Errorf("entry %d is %+v", index, e)
				}
				l.BytesSince(index)
				l.OldestWithin(1000)
			}
		})
	}
	for i := uint64(11); i < 400; i += 3 {
		store(t, l, entries(i, i+2, 1+i/7)...)
		first, _ := l.FirstIndex()
		switch {
		case i%5 == 0:
			require.NoError(t, l.DeleteRange(first, i-10))
		case i%7 == 0:
			require.NoError(t, l.DeleteRange(i, i+2))
			store(t, l, entries(i, i+2, 2+i/7)...)
		}
	}
	close(stop)
	wg.Wait()
}
