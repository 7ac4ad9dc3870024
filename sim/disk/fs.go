package disk

import (
	"encoding/binary"
	"io/fs"
	"strings"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// mount is a Disk as seen by one process.
type mount struct {
	sys.UnimplementedFS
	d     *Disk
	hooks Hooks
	life  uint64
}

// enter begins an operation. If its errno is not 0, that is all that comes of it.
func (m *mount) enter(op Op, path string) Fault {
	dead := Fault{Errno: sys.EIO}
	if m.life != m.d.life {
		return dead
	}
	fault := m.hooks.Before(op, path)
	if m.life != m.d.life { // cut off while it was about to begin
		return dead
	}
	return fault
}

func (m *mount) done(op Op, path string, a, b int64, errno sys.Errno) sys.Errno {
	m.hooks.After(op, path, a, b, nil, errno)
	return errno
}

// stat answers a stat and announces all that it answers.
func (m *mount) stat(path string, n *inode) (wsys.Stat_t, sys.Errno) {
	st := n.stat()
	data := append([]byte(path), 0)
	for _, v := range []uint64{st.Ino, uint64(st.Mode), st.Nlink, uint64(st.Atim)} {
		data = binary.LittleEndian.AppendUint64(data, v)
	}
	m.hooks.After(OpStat, path, st.Size, st.Mtim, data, 0)
	return st, 0
}

// OpenFile implements sys.FS.
func (m *mount) OpenFile(path string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	errno := m.enter(OpOpen, path).Errno
	var h *handle
	if errno == 0 {
		h, errno = m.open(path, flag, perm)
	}
	if m.done(OpOpen, path, int64(flag), int64(perm), errno) != 0 {
		return nil, errno
	}
	return h, 0
}

func (m *mount) open(path string, flag sys.Oflag, perm fs.FileMode) (*handle, sys.Errno) {
	access := flag & (sys.O_RDWR | sys.O_WRONLY)
	n, errno := m.d.walk(path)
	switch {
	case errno == sys.ENOENT && flag&sys.O_CREAT != 0:
		dir, name, errno := m.d.parent(path)
		if errno != 0 {
			return nil, errno
		}
		n = m.d.newInode(perm.Perm())
		m.d.link(dir, name, n)
	case errno != 0:
		return nil, errno
	case flag&sys.O_CREAT != 0 && flag&sys.O_EXCL != 0:
		return nil, sys.EEXIST
	case n.isDir() && access != 0:
		return nil, sys.EISDIR
	case !n.isDir() && (flag&sys.O_DIRECTORY != 0 || strings.HasSuffix(path, "/")):
		return nil, sys.ENOTDIR
	}
	if flag&sys.O_TRUNC != 0 && !n.isDir() {
		before := len(n.file.data)
		n.file.truncate(0)
		m.d.resized(n, before)
		n.mtime = m.hooks.Now()
	}
	return &handle{
		m: m, node: n, path: path, append: flag&sys.O_APPEND != 0,
		canRead: access != sys.O_WRONLY, canWrite: access != 0,
	}, 0
}

// Stat implements sys.FS.
func (m *mount) Stat(path string) (wsys.Stat_t, sys.Errno) {
	errno := m.enter(OpStat, path).Errno
	var n *inode
	if errno == 0 {
		n, errno = m.d.walk(path)
	}
	if errno != 0 {
		return wsys.Stat_t{}, m.done(OpStat, path, 0, 0, errno)
	}
	return m.stat(path, n)
}

// Lstat implements sys.FS; there are no links.
func (m *mount) Lstat(path string) (wsys.Stat_t, sys.Errno) { return m.Stat(path) }

// Readlink implements sys.FS; nothing is a link.
func (m *mount) Readlink(path string) (string, sys.Errno) {
	errno := m.enter(OpReadlink, path).Errno
	if errno == 0 {
		if _, errno = m.d.walk(path); errno == 0 {
			errno = sys.EINVAL
		}
	}
	return "", m.done(OpReadlink, path, 0, 0, errno)
}

// Mkdir implements sys.FS.
func (m *mount) Mkdir(path string, perm fs.FileMode) sys.Errno {
	errno := m.enter(OpMkdir, path).Errno
	if errno == 0 {
		errno = m.mkdir(path, perm)
	}
	return m.done(OpMkdir, path, int64(perm), 0, errno)
}

func (m *mount) mkdir(path string, perm fs.FileMode) sys.Errno {
	if len(split(path)) == 0 {
		return sys.EEXIST
	}
	dir, name, errno := m.d.parent(path)
	if errno != 0 {
		return errno
	}
	if dir.dir.get(name) != nil {
		return sys.EEXIST
	}
	m.d.link(dir, name, m.d.newInode(fs.ModeDir|perm.Perm()))
	return 0
}

// Chmod implements sys.FS. The bits are kept, not enforced.
func (m *mount) Chmod(path string, perm fs.FileMode) sys.Errno {
	errno := m.enter(OpChmod, path).Errno
	if errno == 0 {
		var n *inode
		if n, errno = m.d.walk(path); errno == 0 {
			n.mode = n.mode&^fs.ModePerm | perm.Perm()
		}
	}
	return m.done(OpChmod, path, int64(perm), 0, errno)
}

// Rename implements sys.FS, replacing the target as POSIX does.
func (m *mount) Rename(from, to string) sys.Errno {
	both := from + "\x00" + to
	errno := m.enter(OpRename, both).Errno
	if errno == 0 {
		errno = m.rename(from, to)
	}
	return m.done(OpRename, both, 0, 0, errno)
}

func (m *mount) rename(from, to string) sys.Errno {
	fromDir, fromName, errno := m.d.parent(from)
	if errno != 0 {
		return errno
	}
	toDir, toName, errno := m.d.parent(to)
	if errno != 0 {
		return errno
	}
	n := fromDir.dir.get(fromName)
	if n == nil {
		return sys.ENOENT
	}
	if n.isDir() && strings.HasPrefix(strings.Trim(to, "/")+"/", strings.Trim(from, "/")+"/") && from != to {
		return sys.EINVAL // into itself
	}
	o := &nameOp{changes: []change{{fromDir, fromName, nil}, {toDir, toName, n}}}
	if old := toDir.dir.get(toName); old == n {
		return 0
	} else if old != nil {
		switch {
		case n.isDir() && !old.isDir():
			return sys.ENOTDIR
		case !n.isDir() && old.isDir():
			return sys.EISDIR
		case len(old.dir.entries) > 0:
			return sys.ENOTEMPTY
		}
		m.d.free(o, old)
	}
	if fromDir != toDir {
		o.within = m.d.above(to)
	}
	m.d.do(o)
	return 0
}

// Rmdir implements sys.FS.
func (m *mount) Rmdir(path string) sys.Errno { return m.removing(path, true) }

// Unlink implements sys.FS.
func (m *mount) Unlink(path string) sys.Errno { return m.removing(path, false) }

func (m *mount) removing(path string, wantDir bool) sys.Errno {
	errno := m.enter(OpRemove, path).Errno
	if errno == 0 {
		errno = m.remove(path, wantDir)
	}
	kind := int64(0)
	if wantDir {
		kind = 1
	}
	return m.done(OpRemove, path, kind, 0, errno)
}

func (m *mount) remove(path string, wantDir bool) sys.Errno {
	dir, name, errno := m.d.parent(path)
	if errno != 0 {
		return errno
	}
	n := dir.dir.get(name)
	switch {
	case n == nil:
		return sys.ENOENT
	case wantDir && !n.isDir():
		return sys.ENOTDIR
	case !wantDir && n.isDir():
		return sys.EISDIR
	case len(n.dir.entries) > 0:
		return sys.ENOTEMPTY
	}
	m.d.unlink(dir, name)
	return 0
}

// Utimens implements sys.FS.
func (m *mount) Utimens(path string, atim, mtim int64) sys.Errno {
	errno := m.enter(OpUtimens, path).Errno
	if errno == 0 {
		var n *inode
		if n, errno = m.d.walk(path); errno == 0 {
			n.setTimes(atim, mtim)
		}
	}
	return m.done(OpUtimens, path, atim, mtim, errno)
}

func (n *inode) setTimes(atim, mtim int64) {
	if atim != sys.UTIME_OMIT {
		n.atime = atim
	}
	if mtim != sys.UTIME_OMIT {
		n.mtime = mtim
	}
}
