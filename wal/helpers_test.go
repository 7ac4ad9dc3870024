package wal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// raft forgets futures of entries that are committed and not yet applied
		// when it stops; what waits for them stays.
		goleak.IgnoreAnyFunction("holdfast/kernel/replica.(*incarnation).await.func1"),
		// fasthttp's clock for the Date header runs for ever, once started.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Its worker pool sleeps up to ten seconds before it sees its end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// entries makes entries from to to, of the given term, each with its own data.
func entries(from, to, term uint64) []*raft.Log {
	var es []*raft.Log
	for i := from; i <= to; i++ {
		es = append(es, &raft.Log{
			Index: i, Term: term, Type: raft.LogCommand,
			Data:       fmt.Appendf(nil, "data of entry %d of term %d", i, term),
			AppendedAt: time.Unix(int64(i), 7),
		})
	}
	return es
}

// open opens a log with tiny segments and closes it with the test.
func open(t testing.TB, dir string, change ...func(*Options)) *Log {
	t.Helper()
	l, err := tryOpen(t, dir, change...)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func tryOpen(t testing.TB, dir string, change ...func(*Options)) (*Log, error) {
	o := Options{SegmentBytes: 1000, Logf: t.Logf}
	for _, c := range change {
		c(&o)
	}
	return Open(dir, o)
}

func store(t testing.TB, l *Log, es ...*raft.Log) {
	t.Helper()
	require.NoError(t, l.StoreLogs(es))
}

// requireHolds checks that the log holds exactly the entries from to to, as
// entries makes them.
func requireHolds(t testing.TB, l *Log, from, to, term uint64) {
	t.Helper()
	first, err := l.FirstIndex()
	require.NoError(t, err)
	last, err := l.LastIndex()
	require.NoError(t, err)
	if from > to {
		from, to = 0, 0
	}
	require.Equal(t, []uint64{from, to}, []uint64{first, last}, "first and last index")
	if to == 0 {
		return
	}
	for _, want := range entries(from, to, term) {
		requireEntry(t, l, want)
	}
}

func requireEntry(t testing.TB, l *Log, want *raft.Log) {
	t.Helper()
	var got raft.Log
	require.NoError(t, l.GetLog(want.Index, &got), "entry %d", want.Index)
	require.Equal(t, normal(want), got)
}

// segmentFiles returns the paths of the segment files, oldest first.
func segmentFiles(t testing.TB, dir string) []string {
	t.Helper()
	firsts, err := listSegments(dir)
	require.NoError(t, err)
	var paths []string
	for _, f := range firsts {
		paths = append(paths, segmentPath(dir, f))
	}
	return paths
}

// recordBytes is the length of a segment file without the zeros written ahead.
func recordBytes(t testing.TB, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return len(bytes.TrimRight(b, "\x00"))
}

func lastOf[T any](s []T) T { return s[len(s)-1] }

// edit changes the content of a file.
func edit(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, change(b), 0o600))
}

func flip(at int) func([]byte) []byte {
	return func(b []byte) []byte { b[at] ^= 0x40; return b }
}

func appendTo(tail []byte) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, tail...) }
}

// copyDir copies a directory tree.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := filepath.Join(fastDir(t), filepath.Base(from))
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	return to
}

// setDiskOp installs a hook that is asked before each operation, for the length
// of a test. Such tests are not run in parallel.
func setDiskOp(t testing.TB, f func(op, path string) error) {
	old := diskOp
	var mu sync.Mutex
	diskOp = func(op, path string, do func() error) error {
		mu.Lock()
		defer mu.Unlock()
		if err := f(op, path); err != nil {
			return err
		}
		return do()
	}
	t.Cleanup(func() { diskOp = old })
}

// record notes the operations of a test as "op name".
func record(t testing.TB) *[]string {
	var ops []string
	setDiskOp(t, func(op, path string) error {
		ops = append(ops, op+" "+filepath.Base(path))
		return nil
	})
	return &ops
}

// requireFault checks an error names a file and offset.
func requireFault(t testing.TB, err error, file string, offset int64) {
	t.Helper()
	require.ErrorIs(t, err, ErrCorrupt)
	var f *Fault
	require.ErrorAs(t, err, &f)
	require.Equal(t, filepath.Base(file), filepath.Base(f.File), "%v", err)
	require.Equal(t, offset, f.Offset, "%v", err)
}

// fastDir returns a directory for tests that sync thousands of times: one in
// memory where the system has such.
func fastDir(t testing.TB) string {
	const shm = "/dev/shm"
	if fi, err := os.Stat(shm); err != nil || !fi.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "holdfast-wal-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
