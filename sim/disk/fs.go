package disk

import (
	"io/fs"
	"strings"

	"github.com/tetratelabs/wazero/experimental/sys"
	wsys "github.com/tetratelabs/wazero/sys"
)

// Limits of one disk.
const (
	// MaxBytes is the size of a disk; a write beyond it fails with EIO (WASI as wazero speaks it has no ENOSPC).
	MaxBytes = 1 << 30
	// MaxNameBytes bounds one name in a path.
	MaxNameBytes = 255
)

// Op names an operation in Hooks.
type Op uint8

// The operations of a disk, as the hooks see them.
const (
	OpOpen Op = iota + 1
	OpStat
	OpMkdir
	OpRename
	OpRemove
	OpChmod
	OpUtimens
	OpRead
	OpWrite
	OpSeek
	OpReaddir
	OpTruncate
	OpSync
	OpClose
)

// Hooks is what a disk wants of the world around it.
type Hooks interface {
	// Before is called when the process enters an operation. It may stay away for a while of virtual time (a slow disk),
	// or not return at all (a killed process): until it has returned the disk is untouched.
	Before(op Op)
	// After is called with what was asked and what came of it: path and the numbers of the call, the bytes read or
	// written (of a listing, the names), and the error.
	After(op Op, path string, a, b int64, data []byte, errno sys.Errno)
	// Now is the wall time that a change is stamped with, in nanoseconds since 1970.
	Now() int64
}

// Disk is one member's file system. The zero value is not usable; see New. It must not be used by two goroutines at once.
type Disk struct {
	root    *inode
	lastIno uint64
	used    int64 // bytes of all files that have a name or are open
	hooks   Hooks
}

// New returns an empty disk.
func New() *Disk {
	d := &Disk{hooks: quiet{}}
	d.root = d.newInode(fs.ModeDir | 0o755)
	d.root.nlink = 1
	return d
}

// Mount returns the disk as a file system for one process, which announces what it does to hooks. What an earlier
// process has left open is forgotten.
func (d *Disk) Mount(hooks Hooks) sys.FS {
	d.hooks = hooks
	return &mount{d: d}
}

// Unsynced counts what a power cut could take away: sectors of named files, and names.
func (d *Disk) Unsynced() (sectors, names int) {
	var walk func(n *inode)
	walk = func(n *inode) {
		if !n.isDir() {
			s, _ := n.file.unsynced()
			sectors += s
			return
		}
		names += len(n.dir.before)
		for _, e := range n.dir.entries {
			walk(e.node)
		}
	}
	walk(d.root)
	return sectors, names
}

type quiet struct{}

func (quiet) Before(Op)                                         {}
func (quiet) After(Op, string, int64, int64, []byte, sys.Errno) {}
func (quiet) Now() int64                                        { return 0 }

func (d *Disk) newInode(mode fs.FileMode) *inode {
	d.lastIno++
	now := d.hooks.Now()
	return &inode{ino: d.lastIno, mode: mode, mtime: now, atime: now}
}

// walk finds the node of a cleaned, relative path; "." and "" are the root.
func (d *Disk) walk(path string) (*inode, sys.Errno) {
	n := d.root
	for _, name := range split(path) {
		if !n.isDir() {
			return nil, sys.ENOTDIR
		}
		if n = n.dir.get(name); n == nil {
			return nil, sys.ENOENT
		}
	}
	return n, 0
}

// parent finds the directory that holds path's last name.
func (d *Disk) parent(path string) (*inode, string, sys.Errno) {
	names := split(path)
	if len(names) == 0 {
		return nil, "", sys.EINVAL
	}
	name := names[len(names)-1]
	if len(name) > MaxNameBytes {
		return nil, "", sys.ENAMETOOLONG
	}
	n, errno := d.walk(strings.Join(names[:len(names)-1], "/"))
	if errno != 0 {
		return nil, "", errno
	}
	if !n.isDir() {
		return nil, "", sys.ENOTDIR
	}
	return n, name, 0
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" || path == "." {
		return nil
	}
	return strings.Split(path, "/")
}

// link and unlink change a name and keep the books of what it named.
func (d *Disk) link(dir *inode, name string, n *inode) {
	n.nlink++
	dir.dir.set(name, n)
	dir.mtime = d.hooks.Now()
}

func (d *Disk) unlink(dir *inode, name string) {
	n := dir.dir.get(name)
	n.nlink--
	if n.nlink == 0 {
		d.used -= int64(len(n.file.data))
	}
	dir.dir.set(name, nil)
	dir.mtime = d.hooks.Now()
}

// mount is a Disk as seen by one process.
type mount struct {
	sys.UnimplementedFS
	d *Disk
}

func (m *mount) done(op Op, path string, a, b int64, errno sys.Errno) sys.Errno {
	m.d.hooks.After(op, path, a, b, nil, errno)
	return errno
}

// OpenFile implements sys.FS.
func (m *mount) OpenFile(path string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	m.d.hooks.Before(OpOpen)
	h, errno := m.open(path, flag, perm)
	m.d.hooks.After(OpOpen, path, int64(flag), 0, nil, errno)
	if errno != 0 {
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
		m.d.used -= int64(len(n.file.data))
		n.file.truncate(0)
		n.mtime = m.d.hooks.Now()
	}
	return &handle{
		d: m.d, node: n, path: path, append: flag&sys.O_APPEND != 0,
		canRead: access != sys.O_WRONLY, canWrite: access != 0,
	}, 0
}

// Stat implements sys.FS.
func (m *mount) Stat(path string) (wsys.Stat_t, sys.Errno) {
	m.d.hooks.Before(OpStat)
	n, errno := m.d.walk(path)
	if errno != 0 {
		return wsys.Stat_t{}, m.done(OpStat, path, 0, 0, errno)
	}
	st := n.stat()
	return st, m.done(OpStat, path, st.Size, st.Mtim, 0)
}

// Lstat implements sys.FS; there are no links.
func (m *mount) Lstat(path string) (wsys.Stat_t, sys.Errno) { return m.Stat(path) }

// Readlink implements sys.FS; nothing is a link.
func (m *mount) Readlink(path string) (string, sys.Errno) {
	if _, errno := m.d.walk(path); errno != 0 {
		return "", errno
	}
	return "", sys.EINVAL
}

// Mkdir implements sys.FS.
func (m *mount) Mkdir(path string, perm fs.FileMode) sys.Errno {
	m.d.hooks.Before(OpMkdir)
	return m.done(OpMkdir, path, int64(perm), 0, m.mkdir(path, perm))
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
	m.d.hooks.Before(OpChmod)
	n, errno := m.d.walk(path)
	if errno == 0 {
		n.mode = n.mode&^fs.ModePerm | perm.Perm()
	}
	return m.done(OpChmod, path, int64(perm), 0, errno)
}

// Rename implements sys.FS, replacing the target as POSIX does.
func (m *mount) Rename(from, to string) sys.Errno {
	m.d.hooks.Before(OpRename)
	return m.done(OpRename, from+"\x00"+to, 0, 0, m.rename(from, to))
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
	if old := toDir.dir.get(toName); old == n {
		return 0
	} else if old != nil {
		switch {
		case n.isDir() && !old.isDir():
			return sys.ENOTDIR
		case !n.isDir() && old.isDir():
			return sys.EISDIR
		case old.isDir() && len(old.dir.entries) > 0:
			return sys.ENOTEMPTY
		}
		m.d.unlink(toDir, toName)
	}
	n.nlink++ // so that taking the old name away does not free it
	m.d.unlink(fromDir, fromName)
	n.nlink--
	m.d.link(toDir, toName, n)
	return 0
}

// Rmdir implements sys.FS.
func (m *mount) Rmdir(path string) sys.Errno {
	m.d.hooks.Before(OpRemove)
	return m.done(OpRemove, path, 1, 0, m.remove(path, true))
}

// Unlink implements sys.FS.
func (m *mount) Unlink(path string) sys.Errno {
	m.d.hooks.Before(OpRemove)
	return m.done(OpRemove, path, 0, 0, m.remove(path, false))
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
	m.d.hooks.Before(OpUtimens)
	n, errno := m.d.walk(path)
	if errno == 0 {
		n.setTimes(atim, mtim)
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
