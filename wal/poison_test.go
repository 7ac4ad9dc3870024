package wal

import (
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	tidwal "github.com/tidwall/wal"
)

// faultyAppender is tidwall/wal and the syncs of the last segment on a disk that
// fails or hangs on demand, and counts.
type faultyAppender struct {
	appender
	failWrite, failSync atomic.Pointer[error]
	hold                chan struct{} // a sync waits for it if not nil
	syncing             chan struct{} // told when a sync begins
	syncs               atomic.Int32
	hints               atomic.Int32 // writes of the hint that have ended
}

func (a *faultyAppender) WriteBatch(b *tidwal.Batch) error {
	if err := a.failWrite.Load(); err != nil {
		return *err
	}
	return a.appender.WriteBatch(b)
}

func (a *faultyAppender) sync(do func() error) error {
	a.syncs.Add(1)
	if err := a.failSync.Load(); err != nil {
		return *err
	}
	if a.hold != nil {
		a.syncing <- struct{}{}
		<-a.hold
	}
	return do()
}

// openFaulty opens a log with a disk that does as the test says.
func openFaulty(t *testing.T, dir string, change ...func(*Options)) (*Log, *faultyAppender) {
	l := open(t, dir, change...)
	a := &faultyAppender{appender: l.tail}
	l.tail = a
	old := diskOp
	diskOp = func(op, path string, do func() error) error {
		if op == "sync" && len(filepath.Base(path)) == segmentNameLen {
			return a.sync(do)
		}
		if filepath.Base(path) == hintFile {
			defer a.hints.Add(1)
		}
		return old(op, path, do)
	}
	t.Cleanup(func() { diskOp = old })
	return l, a
}

var errIO = errors.New("input/output error")

// After any failure to write, each call fails, Fatal has been told once, and
// what had been stored before is still there for the next process.
func TestFailurePoisons(t *testing.T) {
	for name, fail := range map[string]func(*testing.T, *Log, *faultyAppender) error{
		"write": func(t *testing.T, l *Log, a *faultyAppender) error {
			a.failWrite.Store(&errIO)
			return l.StoreLogs(entries(31, 31, 1))
		},
		"sync": func(t *testing.T, l *Log, a *faultyAppender) error {
			a.failSync.Store(&errIO)
			return l.StoreLogs(entries(31, 31, 1))
		},
		"write ahead": func(t *testing.T, l *Log, a *faultyAppender) error {
			setDiskOp(t, func(op, path string) error {
				if op == "write" && len(filepath.Base(path)) == segmentNameLen {
					return errIO
				}
				return nil
			})
			return l.StoreLogs(entries(31, 43, 1)) // beyond the room there is
		},
		"write that fills a segment": func(t *testing.T, l *Log, a *faultyAppender) error {
			a.failWrite.Store(&errIO)
			return l.StoreLogs(entries(31, 60, 1))
		},
		"sync of the directory": func(t *testing.T, l *Log, a *faultyAppender) error {
			failOn(t, "syncdir", "log")
			return l.StoreLogs(entries(31, 60, 1))
		},
		"hint": func(t *testing.T, l *Log, a *faultyAppender) error {
			failOn(t, "write", hintFile)
			return l.StoreLogs(entries(31, 31, 1))
		},
		"deleting a prefix": func(t *testing.T, l *Log, a *faultyAppender) error {
			failOn(t, "remove", segmentName(1))
			return l.DeleteRange(1, 29)
		},
		"deleting a suffix": func(t *testing.T, l *Log, a *faultyAppender) error {
			failOn(t, "truncate", segmentName(1))
			return l.DeleteRange(2, 30)
		},
		"reset": func(t *testing.T, l *Log, a *faultyAppender) error {
			failOn(t, "rename", headerFile)
			return l.Reset(7)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			var fatal []error
			l, a := openFaulty(t, dir, func(o *Options) {
				o.Fatal = func(err error) { fatal = append(fatal, err) }
			})
			synced := uint64(0)
			l.OnSync(func(last uint64) { synced = last })
			store(t, l, entries(1, 30, 1)...)
			err := fail(t, l, a)
			require.ErrorIs(t, err, ErrPoisoned)
			require.ErrorIs(t, err, errIO)
			requirePoisoned(t, l)
			require.Len(t, fatal, 1)
			require.Equal(t, err, fatal[0])
			require.EqualValues(t, 30, synced)
			require.ErrorIs(t, l.Close(), ErrPoisoned)
		})
	}
}

func failOn(t *testing.T, op, name string) {
	setDiskOp(t, func(o, path string) error {
		if o == op && filepath.Base(path) == name {
			return errIO
		}
		return nil
	})
}

func requirePoisoned(t *testing.T, l *Log) {
	_, err1 := l.FirstIndex()
	_, err2 := l.LastIndex()
	for _, err := range []error{err1, err2, l.GetLog(1, new(raft.Log)), l.StoreLogs(entries(31, 31, 1)), l.StoreLogs(nil), l.DeleteRange(1, 2), l.Reset(1)} {
		require.ErrorIs(t, err, ErrPoisoned)
	}
}

// A disk that hangs poisons the log after the deadline, although the call never
// returns; Close does not wait for it either. If it does return in the end,
// nothing changes.
func TestHangPoisons(t *testing.T) {
	var fatal atomic.Int32
	l, a := openFaulty(t, t.TempDir(), func(o *Options) {
		o.SyncDeadline = time.Second // a disk that works is not so slow
		o.Fatal = func(error) { fatal.Add(1) }
	})
	store(t, l, entries(1, 3, 1)...)
	inner, hints := a.appender, a.hints.Load()
	a.hold, a.syncing = make(chan struct{}), make(chan struct{}, 1)
	l.OnSync(func(uint64) { t.Error("told of a sync that has not returned") })
	require.ErrorIs(t, l.StoreLogs(entries(4, 4, 1)), ErrPoisoned)
	requirePoisoned(t, l)
	require.ErrorIs(t, l.Close(), ErrPoisoned)
	close(a.hold)
	requirePoisoned(t, l)
	require.EqualValues(t, 1, fatal.Load())
	require.Eventually(t, func() bool { return a.hints.Load() > hints }, 5*time.Second, time.Millisecond, "the last that the call does")
	require.NoError(t, inner.Close())
}

// A disk that hangs at the start, or over a vote, is an error after the deadline:
// nobody would hear of it otherwise.
func TestHangIsTold(t *testing.T) {
	hold, hanging := make(chan struct{}), new(atomic.Bool)
	var running sync.WaitGroup
	old := diskOp
	diskOp = func(op, path string, do func() error) error {
		if op == "sync" && hanging.Load() {
			defer running.Done()
			<-hold
			return errIO // and nothing more is done
		}
		return do()
	}
	t.Cleanup(func() { diskOp = old })
	t.Cleanup(func() { close(hold); running.Wait() })
	dir := t.TempDir()
	const deadline = time.Second // a disk that works is not so slow
	short := func(o *Options) { o.SyncDeadline = deadline }
	store(t, open(t, filepath.Join(dir, "log")), entries(1, 3, 1)...)
	s, err := loadStable(filepath.Join(dir, "stable"), deadline)
	require.NoError(t, err)

	running.Add(3) // as many calls are going to hang
	hanging.Store(true)
	_, err = tryOpen(t, filepath.Join(dir, "log"), short)
	require.ErrorIs(t, err, ErrHangs)
	require.ErrorIs(t, s.SetUint64(curTerm, 4), ErrHangs)
	require.ErrorIs(t, s.SetUint64(curTerm, 5), ErrPoisoned)
	_, err = s.GetUint64(curTerm)
	require.ErrorIs(t, err, ErrPoisoned)
	_, err = loadStable(filepath.Join(dir, "stable"), deadline)
	require.ErrorIs(t, err, ErrHangs)
}

// One StoreLogs is one sync, however many entries it has, and OnSync is told
// after it.
func TestOneSyncPerBatch(t *testing.T) {
	l, a := openFaulty(t, t.TempDir(), bigSegments)
	told := uint64(0)
	l.OnSync(func(last uint64) {
		require.EqualValues(t, 1, a.syncs.Load())
		told = last
	})
	store(t, l, entries(1, 200, 1)...)
	require.EqualValues(t, 1, a.syncs.Load())
	require.EqualValues(t, 200, told)
}

// A new segment's name is durable before StoreLogs returns, and before there is
// another new segment.
func TestNewSegmentsAreSynced(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	l := open(t, dir)
	counts := []int{}
	setDiskOp(t, func(op, path string) error {
		if op == "syncdir" {
			counts = append(counts, len(segmentFiles(t, dir)))
		}
		return nil
	})
	store(t, l, entries(1, 30, 1)...)
	want := []int{}
	for n := 2; n <= len(segmentFiles(t, dir)); n++ {
		want = append(want, n)
	}
	require.Greater(t, len(want), 2)
	require.Equal(t, want, counts)
}

// Entries that are durable are read while a sync is under way, from the cache
// and from the disk; the entries being synced are not seen yet, nor hinted at.
func TestReadsDoNotWaitForSync(t *testing.T) {
	l, a := openFaulty(t, t.TempDir(), bigSegments)
	store(t, l, entries(1, 100, 1)...)
	a.hold, a.syncing = make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() { done <- l.StoreLogs(entries(101, 102, 1)) }()
	<-a.syncing
	requireHolds(t, l, 1, 100, 1)
	l.cache.clear()
	requireHolds(t, l, 1, 100, 1)
	require.NotZero(t, l.BytesSince(0))
	require.EqualValues(t, 1, l.OldestWithin(1<<30))
	require.ErrorIs(t, l.GetLog(101, new(raft.Log)), raft.ErrLogNotFound)
	hint, _, _, err := readHint(l.dir, l.key)
	require.NoError(t, err)
	require.EqualValues(t, 100, hint.index, "the hint does not speak of what is being synced")
	close(a.hold)
	require.NoError(t, <-done)
}
