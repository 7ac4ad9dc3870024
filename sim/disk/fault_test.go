package disk

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental/sys"
)

// faulty fails one kind of operation, and notes what it is told of.
type faulty struct {
	quiet
	op    Op
	fault Fault
	asked []Op
	told  []Op
	errno sys.Errno // of the last one
}

func (f *faulty) Before(op Op, _ string) Fault {
	f.asked = append(f.asked, op)
	if op == f.op {
		return f.fault
	}
	return Fault{}
}

func (f *faulty) After(op Op, _ string, _, _ int64, _ []byte, errno sys.Errno) {
	f.told, f.errno = append(f.told, op), errno
}

// Each operation can be made to fail; then it has done nothing, and has told so.
func TestErrorInjection(t *testing.T) {
	for name, c := range map[string]struct {
		op Op
		do func(m sys.FS, h sys.File) sys.Errno
	}{
		"open": {OpOpen, func(m sys.FS, _ sys.File) sys.Errno {
			_, errno := m.OpenFile("new", sys.O_CREAT|sys.O_RDWR, 0o600)
			return errno
		}},
		"open to empty": {OpOpen, func(m sys.FS, _ sys.File) sys.Errno {
			_, errno := m.OpenFile("f", sys.O_TRUNC|sys.O_RDWR, 0o600)
			return errno
		}},
		"stat":      {OpStat, func(m sys.FS, _ sys.File) sys.Errno { _, errno := m.Stat("f"); return errno }},
		"stat open": {OpStat, func(_ sys.FS, h sys.File) sys.Errno { _, errno := h.Stat(); return errno }},
		"readlink":  {OpReadlink, func(m sys.FS, _ sys.File) sys.Errno { _, errno := m.Readlink("f"); return errno }},
		"mkdir":     {OpMkdir, func(m sys.FS, _ sys.File) sys.Errno { return m.Mkdir("new", 0o700) }},
		"rename":    {OpRename, func(m sys.FS, _ sys.File) sys.Errno { return m.Rename("f", "new") }},
		"unlink":    {OpRemove, func(m sys.FS, _ sys.File) sys.Errno { return m.Unlink("f") }},
		"rmdir":     {OpRemove, func(m sys.FS, _ sys.File) sys.Errno { return m.Rmdir("d") }},
		"chmod":     {OpChmod, func(m sys.FS, _ sys.File) sys.Errno { return m.Chmod("f", 0o777) }},
		"utimens":   {OpUtimens, func(m sys.FS, _ sys.File) sys.Errno { return m.Utimens("f", 5, 5) }},
		"futimens":  {OpUtimens, func(_ sys.FS, h sys.File) sys.Errno { return h.Utimens(5, 5) }},
		"read":      {OpRead, func(_ sys.FS, h sys.File) sys.Errno { _, errno := h.Pread(make([]byte, 3), 0); return errno }},
		"write":     {OpWrite, func(_ sys.FS, h sys.File) sys.Errno { _, errno := h.Pwrite([]byte("xyz"), 0); return errno }},
		"seek":      {OpSeek, func(_ sys.FS, h sys.File) sys.Errno { _, errno := h.Seek(1, io.SeekStart); return errno }},
		"readdir":   {OpReaddir, func(_ sys.FS, h sys.File) sys.Errno { _, errno := h.Readdir(-1); return errno }},
		"truncate":  {OpTruncate, func(_ sys.FS, h sys.File) sys.Errno { return h.Truncate(0) }},
		"sync":      {OpSync, func(_ sys.FS, h sys.File) sys.Errno { return h.Sync() }},
	} {
		t.Run(name, func(t *testing.T) {
			d := New()
			hooks := &faulty{}
			m := d.Mount(hooks)
			require.Zero(t, m.Mkdir("d", 0o700))
			h := write(t, m, "f", "abc")
			before := d.root.dir.get("f").stat()
			sectors, names := d.Unsynced()
			hooks.op, hooks.fault, hooks.asked, hooks.told = c.op, Fault{Errno: sys.EIO}, nil, nil
			assert.Equal(t, sys.EIO, c.do(m, h))
			assert.Equal(t, []Op{c.op}, hooks.asked)
			assert.Equal(t, []Op{c.op}, hooks.told)
			assert.Equal(t, sys.EIO, hooks.errno)
			assert.Equal(t, map[string]string{"f": "abc"}, image(d))
			assert.Equal(t, before, d.root.dir.get("f").stat())
			s, n := d.Unsynced()
			assert.Equal(t, []int{sectors, names}, []int{s, n})
			assert.Len(t, d.root.dir.entries, 2)
		})
	}
}

// A write that fails may have written some of its first sectors.
func TestFailedWriteLeavesAPrefix(t *testing.T) {
	lengths := map[int]bool{}
	for seed := range uint64(200) {
		d := New()
		m := d.Mount(&faulty{op: OpWrite, fault: Fault{Errno: sys.EIO, Chance: chance(seed)}})
		h := open(t, m, "f", sys.O_CREAT|sys.O_RDWR)
		p := bytes.Repeat([]byte("p"), 2*SectorBytes+7)
		n, errno := h.Write(p)
		require.Equal(t, sys.EIO, errno)
		require.Zero(t, n)
		b, _ := d.ReadFile("f")
		require.True(t, bytes.HasPrefix(p, b))
		require.Equal(t, int64(len(b)), d.Used())
		lengths[len(b)] = true
	}
	assert.Equal(t, map[int]bool{0: true, SectorBytes: true, 2 * SectorBytes: true, 2*SectorBytes + 7: true}, lengths)
}

// After a sync that failed some sectors may be durable and some not. A sync that succeeds later may or may not save the
// others; it does save what was written again.
func TestFailedSync(t *testing.T) {
	content := bytes.Repeat([]byte("c"), 3*SectorBytes)
	part, saved, lost := 0, 0, 0
	for seed := range uint64(300) {
		d := New()
		hooks := &faulty{op: OpSync}
		m := d.Mount(hooks)
		h := write(t, m, "f", "")
		syncPath(t, m, ".")
		_, errno := h.Pwrite(content, 0)
		require.Zero(t, errno)
		hooks.fault = Fault{Errno: sys.EIO, Chance: chance(seed)}
		require.Equal(t, sys.EIO, h.Sync())
		f := &d.root.dir.get("f").file
		require.Equal(t, content, f.data, "the process sees what it wrote")
		durable := f.durable()
		for at, b := range durable {
			require.True(t, b == 'c' || b == 0, "at %d", at)
		}
		if n := bytes.Count(durable, []byte("c")); n > 0 && n < len(content) {
			part++
		}
		hooks.fault = Fault{}
		require.Zero(t, h.Sync())
		if bytes.Equal(content, f.durable()) {
			saved++
		} else {
			lost++
		}
		_, errno = h.Pwrite(content, 0)
		require.Zero(t, errno)
		require.Zero(t, h.Sync())
		require.Equal(t, content, f.durable(), "seed %d", seed)
		require.True(t, f.clean())
	}
	assert.Positive(t, part)
	assert.Positive(t, saved)
	assert.Positive(t, lost)
}

// After a sync of a directory that failed, some of the names may be durable; the next one saves the rest.
func TestFailedSyncOfADirectory(t *testing.T) {
	counts := map[int]bool{}
	for seed := range uint64(200) {
		d := New()
		hooks := &faulty{op: OpSync, fault: Fault{Errno: sys.EIO, Chance: chance(seed)}}
		m := d.Mount(hooks)
		write(t, m, "a", "")
		write(t, m, "b", "")
		require.Equal(t, sys.EIO, open(t, m, ".", sys.O_RDONLY).Sync())
		counts[len(d.root.dir.synced)] = true
		hooks.fault = Fault{}
		syncPath(t, m, ".")
		require.Len(t, d.root.dir.synced, 2)
	}
	assert.Equal(t, map[int]bool{0: true, 1: true, 2: true}, counts)
}

// A full disk takes what fits, and nothing more that would grow it; what is there can be overwritten, cut short, removed.
func TestFullDisk(t *testing.T) {
	d, m := mounted()
	h := write(t, m, "f", "12345")
	d.SetCapacity(8)
	n, errno := h.Write([]byte("6789"))
	assert.Zero(t, errno)
	assert.Equal(t, 3, n)
	_, errno = h.Write([]byte("9"))
	assert.Equal(t, sys.EIO, errno)
	assert.Equal(t, sys.EIO, h.Truncate(9))
	_, errno = h.Pwrite([]byte("x"), 7)
	assert.Zero(t, errno)
	assert.Equal(t, map[string]string{"f": "1234567x"}, image(d))
	n, errno = h.Pwrite(nil, 100)
	assert.Zero(t, errno)
	assert.Zero(t, n)
	assert.Zero(t, h.Truncate(7))
	write(t, m, "g", "y")
	assert.Zero(t, m.Unlink("f"))
	write(t, m, "g", "1234567")
	d.SetCapacity(1)
	_, errno = open(t, m, "g", sys.O_RDWR).Pwrite([]byte("z"), 0)
	assert.Zero(t, errno)
	assert.Equal(t, int64(7), d.Used())
	d.SetCapacity(MaxBytes)
	f := write(t, m, "f", "again")
	assert.Zero(t, m.Unlink("f"))
	_, errno = f.Write([]byte("without a name"))
	assert.Zero(t, errno)
	assert.Equal(t, int64(7), d.Used(), "what has no name is not on the books")
}

// Everything that a stat and an open tell or are told is announced: a change of any of it is another step.
func TestStatIsAnnounced(t *testing.T) {
	log := &dataLog{of: map[Op][]byte{}}
	m := New().Mount(log)
	h := write(t, m, "f", "abc")
	seen := map[string]bool{}
	stat := func() {
		_, errno := m.Stat("f")
		require.Zero(t, errno)
		seen[string(log.of[OpStat])] = true
		byPath := log.of[OpStat]
		_, errno = h.Stat()
		require.Zero(t, errno)
		require.Equal(t, byPath, log.of[OpStat])
	}
	stat()
	require.Zero(t, m.Chmod("f", 0o777))
	stat()
	require.Zero(t, m.Utimens("f", 77, sys.UTIME_OMIT))
	stat()
	require.Zero(t, m.Rename("f", "g"))
	write(t, m, "f", "abc")
	_, errno := m.Stat("f")
	require.Zero(t, errno)
	seen[string(log.of[OpStat])] = true
	assert.Len(t, seen, 4, "mode, access time, inode")
	require.Zero(t, m.Unlink("g"))
	_, errno = h.Stat()
	require.Zero(t, errno)
	assert.False(t, seen[string(log.of[OpStat])], "number of names")

	perms := &permLog{}
	_, errno = New().Mount(perms).OpenFile("f", sys.O_CREAT|sys.O_RDWR, 0o640)
	require.Zero(t, errno)
	assert.Equal(t, int64(0o640), perms.last)
}

type permLog struct {
	quiet
	last int64
}

func (l *permLog) After(_ Op, _ string, _, b int64, _ []byte, _ sys.Errno) { l.last = b }
