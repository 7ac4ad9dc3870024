package disk

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/experimental/sys"
	"pgregory.net/rapid"
)

func mounted() (*Disk, sys.FS) {
	d := New()
	return d, d.Mount(quiet{})
}

func write(t require.TestingT, f sys.FS, path, content string) sys.File {
	h, errno := f.OpenFile(path, sys.O_CREAT|sys.O_TRUNC|sys.O_RDWR, 0o600)
	require.Zero(t, errno)
	n, errno := h.Write([]byte(content))
	require.Zero(t, errno)
	require.Equal(t, len(content), n)
	return h
}

// A file is, in both halves, what a naive model says: the volatile half a byte slice, the durable half a copy of it made
// at the last sync.
func TestFileAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, m := mounted()
		h, errno := m.OpenFile("f", sys.O_CREAT|sys.O_RDWR, 0o600)
		require.Zero(t, errno)
		var volatile, durable []byte
		const most = 5 * SectorBytes
		t.Repeat(map[string]func(*rapid.T){
			"write": func(t *rapid.T) {
				off := rapid.IntRange(0, most).Draw(t, "off")
				p := rapid.SliceOfN(rapid.Byte(), 0, 2*SectorBytes).Draw(t, "bytes")
				_, errno := h.Pwrite(p, int64(off))
				require.Zero(t, errno)
				if len(p) == 0 {
					return
				}
				if off > len(volatile) {
					volatile = append(volatile, make([]byte, off-len(volatile))...)
				}
				volatile = append(volatile[:off], append(slices.Clone(p), volatile[min(off+len(p), len(volatile)):]...)...)
			},
			"truncate": func(t *rapid.T) {
				size := rapid.IntRange(0, most).Draw(t, "size")
				require.Zero(t, h.Truncate(int64(size)))
				if size <= len(volatile) {
					volatile = volatile[:size]
				} else {
					volatile = append(volatile, make([]byte, size-len(volatile))...)
				}
			},
			"sync": func(t *rapid.T) {
				require.Zero(t, h.Sync())
				durable = slices.Clone(volatile)
			},
			"": func(t *rapid.T) {
				got := make([]byte, most*2)
				n, errno := h.Pread(got, 0)
				require.Zero(t, errno)
				require.True(t, bytes.Equal(volatile, got[:n]), "volatile half")
				require.True(t, bytes.Equal(durable, d.root.dir.get("f").file.durable()), "durable half")
				require.Equal(t, int64(len(volatile)), d.used)
			},
		})
	})
}

// A directory's names are, in both halves, what a naive model says, and always sorted.
func TestDirectoryAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, m := mounted()
		root, errno := m.OpenFile(".", sys.O_RDONLY, 0)
		require.Zero(t, errno)
		volatile, durable := map[string]uint64{}, map[string]uint64{}
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		t.Repeat(map[string]func(*rapid.T){
			"create": func(t *rapid.T) {
				n := name.Draw(t, "name")
				h, errno := m.OpenFile(n, sys.O_CREAT|sys.O_RDWR, 0o600)
				require.Zero(t, errno)
				volatile[n], _ = h.Ino()
			},
			"remove": func(t *rapid.T) {
				n := name.Draw(t, "name")
				_, there := volatile[n]
				require.Equal(t, there, m.Unlink(n) == 0)
				delete(volatile, n)
			},
			"rename": func(t *rapid.T) {
				from, to := name.Draw(t, "from"), name.Draw(t, "to")
				ino, there := volatile[from]
				require.Equal(t, there, m.Rename(from, to) == 0)
				if there {
					delete(volatile, from)
					volatile[to] = ino
				}
			},
			"sync": func(t *rapid.T) {
				require.Zero(t, root.Sync())
				durable = map[string]uint64{}
				for n, ino := range volatile {
					durable[n] = ino
				}
			},
			"": func(t *rapid.T) {
				sameNames(t, volatile, d.root.dir.entries)
				sameNames(t, durable, d.root.dir.synced)
			},
		})
	})
}

func sameNames(t *rapid.T, want map[string]uint64, got []entry) {
	require.Len(t, got, len(want))
	for i, e := range got {
		require.Equal(t, want[e.name], e.node.ino, e.name)
		require.True(t, i == 0 || got[i-1].name < e.name, "not sorted")
	}
}

// What a power cut may take away is counted until it is synced, file and name apart.
func TestUnsynced(t *testing.T) {
	d, m := mounted()
	check := func(sectors, names int) {
		t.Helper()
		s, n := d.Unsynced()
		assert.Equal(t, []int{sectors, names}, []int{s, n})
	}
	h := write(t, m, "f", string(make([]byte, 3*SectorBytes)))
	check(3, 1)
	require.Zero(t, h.Sync())
	check(0, 1)
	root, errno := m.OpenFile(".", sys.O_RDONLY, 0)
	require.Zero(t, errno)
	require.Zero(t, root.Sync())
	check(0, 0)
	_, errno = h.Pwrite([]byte("x"), SectorBytes+1)
	require.Zero(t, errno)
	check(1, 0)
	require.Zero(t, m.Rename("f", "g"))
	check(1, 2)
}

// The answers to what is not allowed are those of a real file system.
func TestErrors(t *testing.T) {
	_, m := mounted()
	require.Zero(t, m.Mkdir("d", 0o755))
	h := write(t, m, "d/f", "x")
	open := func(path string, flag sys.Oflag) sys.Errno {
		_, errno := m.OpenFile(path, flag, 0o600)
		return errno
	}
	for what, c := range map[string]struct{ want, got sys.Errno }{
		"open nothing":            {sys.ENOENT, open("n", sys.O_RDONLY)},
		"open below a file":       {sys.ENOTDIR, open("d/f/g", sys.O_RDONLY)},
		"open a file as a dir":    {sys.ENOTDIR, open("d/f", sys.O_DIRECTORY)},
		"write a dir":             {sys.EISDIR, open("d", sys.O_RDWR)},
		"create what is there":    {sys.EEXIST, open("d/f", sys.O_CREAT|sys.O_EXCL|sys.O_RDWR)},
		"create below nothing":    {sys.ENOENT, open("n/f", sys.O_CREAT|sys.O_RDWR)},
		"a long name":             {sys.ENAMETOOLONG, open(string(bytes.Repeat([]byte("n"), MaxNameBytes+1)), sys.O_CREAT|sys.O_RDWR)},
		"mkdir what is there":     {sys.EEXIST, m.Mkdir("d", 0o755)},
		"rmdir what is not empty": {sys.ENOTEMPTY, m.Rmdir("d")},
		"rmdir a file":            {sys.ENOTDIR, m.Rmdir("d/f")},
		"unlink a dir":            {sys.EISDIR, m.Unlink("d")},
		"rename into itself":      {sys.EINVAL, m.Rename("d", "d/e")},
		"rename file over dir":    {sys.EISDIR, m.Rename("d/f", "d")},
		"write beyond the disk":   {sys.EIO, func() sys.Errno { _, e := h.Pwrite([]byte("x"), MaxBytes); return e }()},
		"truncate below zero":     {sys.EINVAL, h.Truncate(-1)},
	} {
		assert.Equal(t, c.want, c.got, what)
	}
	_, errno := h.Seek(-2, io.SeekCurrent)
	assert.Equal(t, sys.EINVAL, errno)
	st, errno := m.Stat("d")
	assert.Zero(t, errno)
	assert.True(t, st.Mode&fs.ModeDir != 0)
}

// hookLog notes the operations it is told of, and can die before one.
type hookLog struct {
	quiet
	after []Op
	dieAt Op
}

func (h *hookLog) Before(op Op, _ string) Fault {
	if op == h.dieAt {
		panic("killed")
	}
	return Fault{}
}
func (h *hookLog) After(op Op, _ string, _, _ int64, _ []byte, _ sys.Errno) {
	h.after = append(h.after, op)
}

// A process that dies on entering an operation has not done it, and the next process finds everything else.
func TestDeathBeforeAnOperation(t *testing.T) {
	d := New()
	log := &hookLog{}
	m := d.Mount(log)
	h := write(t, m, "f", "abc")
	log.dieAt = OpTruncate
	assert.Panics(t, func() { h.Truncate(0) })
	assert.Equal(t, []Op{OpOpen, OpWrite}, log.after)
	next, errno := d.Mount(quiet{}).OpenFile("f", sys.O_RDONLY, 0)
	require.Zero(t, errno)
	b := make([]byte, 8)
	n, errno := next.Read(b)
	require.Zero(t, errno)
	assert.Equal(t, "abc", string(b[:n]))
}

// dataLog notes the bytes that an operation is announced with.
type dataLog struct {
	quiet
	of map[Op][]byte
}

func (l *dataLog) After(op Op, _ string, _, _ int64, data []byte, _ sys.Errno) {
	l.of[op] = bytes.Clone(data)
}

// What a directory lists is announced: a listing in another order, or of other names, is another step.
func TestListingIsAnnounced(t *testing.T) {
	log := &dataLog{of: map[Op][]byte{}}
	m := New().Mount(log)
	for _, name := range []string{"b", "a", "c"} {
		write(t, m, name, "")
	}
	root, errno := m.OpenFile(".", sys.O_RDONLY, 0)
	require.Zero(t, errno)
	listed, errno := root.Readdir(-1)
	require.Zero(t, errno)
	var want []byte
	for i, name := range []string{"a", "b", "c"} {
		want = binary.LittleEndian.AppendUint64(append(append(want, name...), 0), listed[i].Ino)
	}
	assert.Equal(t, want, log.of[OpReaddir])
}
