package wal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// All six fields of an entry survive, whether they come from the cache or from
// the disk, before and after a reopen.
func TestEntryFieldsSurvive(t *testing.T) {
	es := []*raft.Log{
		{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: []byte("conf"), AppendedAt: time.Unix(1, 2)},
		{Index: 2, Term: 1, Type: raft.LogNoop},
		{Index: 3, Term: 9, Type: raft.LogCommand, Data: []byte{}, Extensions: []byte("ext")},
		{Index: 4, Term: 1 << 63, Type: raft.LogBarrier, Data: []byte{0}, Extensions: []byte{0}, AppendedAt: time.Now().Add(1e6 * time.Hour)},
		{Index: 5, Term: 1 << 63, Type: 255, Data: bytes.Repeat([]byte("x"), 5000), AppendedAt: time.Unix(-5, 999999999)},
	}
	dir := t.TempDir()
	l := open(t, dir)
	store(t, l, es...)
	check := func() {
		for _, e := range es {
			requireEntry(t, l, e)
		}
		var noop raft.Log
		require.NoError(t, l.GetLog(2, &noop))
		require.True(t, noop.AppendedAt.IsZero())
	}
	check()
	l.cache.clear()
	check()
	require.NoError(t, l.Close())
	l = open(t, dir)
	check()
}

func TestEmptyLogReportsZero(t *testing.T) {
	l := open(t, t.TempDir())
	requireHolds(t, l, 1, 0, 0)
	require.NoError(t, l.DeleteRange(0, 0))
	require.NoError(t, l.Reset(500))
	requireHolds(t, l, 1, 0, 0)
	require.ErrorIs(t, l.GetLog(499, new(raft.Log)), raft.ErrLogNotFound)
	require.EqualValues(t, 0, l.OldestWithin(10))
	require.True(t, l.IsMonotonic())
}

// A log can start anywhere, in a directory of its own or after a reset, and
// starts there again after a reopen.
func TestStartsAtAnyIndex(t *testing.T) {
	for _, reset := range []bool{false, true} {
		dir := t.TempDir()
		l := open(t, dir)
		if reset {
			store(t, l, entries(1, 100, 1)...)
			require.NoError(t, l.Reset(5001))
			require.NoError(t, l.Close())
			l = open(t, dir)
			require.ErrorIs(t, l.StoreLogs(entries(5000, 5000, 1)), ErrGap)
		}
		store(t, l, entries(5001, 5050, 2)...)
		requireHolds(t, l, 5001, 5050, 2)
		require.NoError(t, l.Close())
		requireHolds(t, open(t, dir), 5001, 5050, 2)
	}
}

// raft installs a snapshot into an empty log without telling the log, so an
// empty log lets entries begin later than it expected, but never earlier.
func TestEmptyLogMayBeginLater(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	require.NoError(t, l.Reset(100))
	require.ErrorIs(t, l.StoreLogs(entries(99, 100, 1)), ErrGap)
	store(t, l, entries(301, 340, 1)...)
	require.NoError(t, l.Close())
	requireHolds(t, open(t, dir), 301, 340, 1)
}

// What is refused leaves no byte behind.
func TestRefusedEntriesAreNotWritten(t *testing.T) {
	big := entries(4, 4, 1)
	big[0].Data = make([]byte, MaxEntryBytes-1)
	big[0].Extensions = make([]byte, 2)
	for name, c := range map[string]struct {
		es   []*raft.Log
		want error
	}{
		"a gap":              {entries(5, 6, 1), ErrGap},
		"an overlap":         {entries(3, 4, 1), ErrGap},
		"a gap in the batch": {append(entries(4, 5, 1), entries(7, 7, 1)...), ErrGap},
		"index zero":         {entries(0, 1, 1), ErrGap},
		"too large":          {append(big, entries(5, 5, 1)...), ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir)
			store(t, l, entries(1, 3, 1)...)
			before, err := os.ReadFile(segmentFiles(t, dir)[0])
			require.NoError(t, err)
			require.ErrorIs(t, l.StoreLogs(c.es), c.want)
			after, err := os.ReadFile(lastOf(segmentFiles(t, dir)))
			require.NoError(t, err)
			require.Equal(t, before, after)
			store(t, l, entries(4, 4, 1)...)
			requireHolds(t, l, 1, 4, 1)
		})
	}
}

func TestLargestEntry(t *testing.T) {
	dir := t.TempDir()
	e := entries(1, 1, 1)
	e[0].Data = bytes.Repeat([]byte("HFR\x01"), MaxEntryBytes/4)
	l := open(t, dir)
	store(t, l, e...)
	require.NoError(t, l.Close())
	requireEntry(t, open(t, dir), e[0])
}

func TestDeleteRangeRefusesTheMiddle(t *testing.T) {
	l := open(t, t.TempDir())
	store(t, l, entries(1, 30, 1)...)
	require.ErrorIs(t, l.DeleteRange(10, 20), ErrMiddle)
	requireHolds(t, l, 1, 30, 1)
}

// Bytes are counted as they lie in the files.
func TestBytes(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	store(t, l, entries(1, 100, 1)...)
	var total uint64
	for _, p := range segmentFiles(t, dir) {
		total += uint64(recordBytes(t, p))
	}
	require.Equal(t, total, l.BytesSince(0))
	require.Zero(t, l.BytesSince(100))
	require.Zero(t, l.BytesSince(1000))
	require.EqualValues(t, 1, l.OldestWithin(total))
	require.EqualValues(t, 101, l.OldestWithin(1))
	for i := uint64(0); i < 100; i++ {
		n := l.BytesSince(i)
		require.Equal(t, i+1, l.OldestWithin(n))
		require.Equal(t, i+2, l.OldestWithin(n-1))
	}
}

// Each directory made is made durable, from the top; one that is there already
// too, because its maker may have been killed before.
func TestDirectoriesAreDurable(t *testing.T) {
	root := filepath.Join(t.TempDir(), "root")
	dir := filepath.Join(root, "raft", "log")
	ops := record(t)
	open(t, dir)
	requireOrder(t, *ops, "mkdir root", "syncdir "+filepath.Base(filepath.Dir(root)), "mkdir raft", "syncdir root", "mkdir log", "syncdir raft", "create header.tmp")
	*ops = nil
	openStable(t, filepath.Join(root, "raft", "log"))
	requireOrder(t, *ops, "syncdir raft", "create stable.tmp")
}

func TestOptionsOutOfRange(t *testing.T) {
	_, err := Open(t.TempDir(), Options{SegmentBytes: MaxSegmentBytes + 1})
	require.ErrorContains(t, err, "out of range")
}

func TestClosedLog(t *testing.T) {
	l := open(t, t.TempDir())
	require.NoError(t, l.Close())
	for _, err := range []error{l.StoreLogs(nil), l.StoreLogs(entries(1, 1, 1)), l.DeleteRange(1, 1), l.Reset(1), l.GetLog(1, new(raft.Log)), l.Close()} {
		require.ErrorIs(t, err, ErrClosed)
	}
}

// The log behaves like a list of entries, whatever is stored, deleted, reset and
// reopened, with segments and a cache of any size.
func TestLikeAList(t *testing.T) {
	base := fastDir(t)
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		require.NoError(t, err)
		reopen := func() *Log {
			l, err := Open(dir, Options{
				SegmentBytes: rapid.IntRange(1, 3000).Draw(rt, "segment"),
				CacheBytes:   rapid.IntRange(1, 3000).Draw(rt, "cache"),
			})
			require.NoError(rt, err)
			return l
		}
		l := reopen()
		defer func() { require.NoError(rt, l.Close()) }()
		m := &listModel{next: 1}
		rt.Repeat(map[string]func(*rapid.T){
			"store": func(rt *rapid.T) {
				first := m.next
				if m.empty() && rapid.Bool().Draw(rt, "later") {
					first += rapid.Uint64Range(0, 50).Draw(rt, "by")
				}
				m.term += rapid.Uint64Range(0, 1).Draw(rt, "term")
				es := entries(first, first+rapid.Uint64Range(0, 20).Draw(rt, "n"), m.term)
				require.NoError(rt, l.StoreLogs(es))
				m.store(es)
			},
			"delete prefix": func(rt *rapid.T) {
				if m.empty() {
					rt.SkipNow()
				}
				hi := rapid.Uint64Range(m.first(), m.next-1).Draw(rt, "hi")
				require.NoError(rt, l.DeleteRange(m.first(), hi))
				m.deletePrefix(hi, l)
			},
			"delete suffix": func(rt *rapid.T) {
				if m.empty() {
					rt.SkipNow()
				}
				lo := rapid.Uint64Range(m.first(), m.next-1).Draw(rt, "lo")
				require.NoError(rt, l.DeleteRange(lo, m.next+rapid.Uint64Range(0, 1).Draw(rt, "past")-1))
				m.entries = m.entries[:lo-m.first()]
				m.next = lo
			},
			"reset": func(rt *rapid.T) {
				m.next = rapid.Uint64Range(1, 1000).Draw(rt, "to")
				m.entries = nil
				require.NoError(rt, l.Reset(m.next))
			},
			"reopen": func(rt *rapid.T) {
				require.NoError(rt, l.Close())
				l = reopen()
			},
			"": func(rt *rapid.T) { m.check(rt, l) },
		})
	})
}

// listModel is what a Log promises, as a plain list.
type listModel struct {
	entries []*raft.Log
	next    uint64
	term    uint64
}

func (m *listModel) empty() bool   { return len(m.entries) == 0 }
func (m *listModel) first() uint64 { return m.entries[0].Index }

func (m *listModel) store(es []*raft.Log) {
	m.entries = append(m.entries, es...)
	m.next = lastOf(es).Index + 1
}

// deletePrefix takes over how much the log has deleted, at most up to hi unless
// that was everything.
func (m *listModel) deletePrefix(hi uint64, l *Log) {
	if hi == m.next-1 {
		m.next = m.first()
		m.entries = nil
		return
	}
	first, _ := l.FirstIndex()
	if first >= m.first() && first <= hi+1 {
		m.entries = m.entries[first-m.first():]
	}
}

func (m *listModel) check(t *rapid.T, l *Log) {
	first, err := l.FirstIndex()
	require.NoError(t, err)
	last, err := l.LastIndex()
	require.NoError(t, err)
	if m.empty() {
		require.Equal(t, []uint64{0, 0}, []uint64{first, last})
		require.Zero(t, l.BytesSince(0))
		require.True(t, errors.Is(l.GetLog(m.next, new(raft.Log)), raft.ErrLogNotFound))
		return
	}
	require.Equal(t, []uint64{m.first(), m.next - 1}, []uint64{first, last})
	for _, i := range []uint64{m.first() - 1, m.next} {
		require.ErrorIs(t, l.GetLog(i, new(raft.Log)), raft.ErrLogNotFound)
	}
	for _, e := range m.entries {
		var got raft.Log
		require.NoError(t, l.GetLog(e.Index, &got))
		require.Equal(t, normal(e), got)
	}
}
