package disk

import (
	"bytes"
	"io/fs"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// Limits of one disk.
const (
	// MaxBytes is the size of a disk, unless SetCapacity makes it smaller. What does not fit fails with EIO.
	MaxBytes = 1 << 30
	// MaxNameBytes bounds one name in a path.
	MaxNameBytes = 255
)

// Disk is one member's file system. The zero value is not usable; see New. It must not be used by two goroutines at once.
type Disk struct {
	root     *inode
	lastIno  uint64
	used     int64 // bytes of all files that have a name
	capacity int64 // bytes
	hooks    Hooks
	unsynced []*nameOp // operations on names that a power cut may take away, oldest first
	writing  entered   // the write that the process has entered and not yet done
	// life counts mounts, power cuts and wipes: what was opened in an earlier life is dead.
	life uint64
}

// New returns an empty disk.
func New() *Disk {
	d := &Disk{hooks: quiet{}, capacity: MaxBytes}
	d.root = d.newInode(fs.ModeDir | 0o755)
	d.root.nlink = 1
	return d
}

// Mount returns the disk as a file system for one process, which announces what it does to hooks. What an earlier
// process has left open is dead: EIO is all it gets.
func (d *Disk) Mount(hooks Hooks) sys.FS {
	d.hooks = hooks
	d.life++
	return &mount{d: d, hooks: hooks, life: d.life}
}

// SetCapacity makes the disk bytes large, at most MaxBytes. A write that would grow its files beyond that writes what fits and
// then fails with EIO; what is there stays, even if it is more.
func (d *Disk) SetCapacity(bytes int64) { d.capacity = min(bytes, MaxBytes) }

// Used returns the bytes in all files that have a name.
func (d *Disk) Used() int64 { return d.used }

// Unsynced counts what a power cut could take away: sectors of named files, and names.
func (d *Disk) Unsynced() (sectors, names int) {
	d.root.files("", volatile, func(_ string, n *inode) { sectors += n.file.unsynced() })
	return sectors, d.unsyncedNames()
}

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

// above returns the directories on the way to path's last name, without the root.
func (d *Disk) above(path string) []*inode {
	names := split(path)
	var out []*inode
	for n := d.root; len(names) > 1; names = names[1:] {
		n = n.dir.get(names[0])
		out = append(out, n)
	}
	return out
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" || path == "." {
		return nil
	}
	return strings.Split(path, "/")
}

// link gives a new node its name.
func (d *Disk) link(dir *inode, name string, n *inode) {
	n.nlink = 1
	d.do(&nameOp{changes: []change{{dir, name, n}}})
}

// unlink takes a node's name away.
func (d *Disk) unlink(dir *inode, name string) {
	n := dir.dir.get(name)
	o := &nameOp{changes: []change{{dir, name, nil}}}
	d.free(o, n)
	d.do(o)
}

// free takes a node that loses its name off the books.
func (d *Disk) free(o *nameOp, n *inode) {
	n.nlink = 0
	d.used -= int64(len(n.file.data))
	if n.isDir() {
		o.removed = n
	}
}

// resized keeps the books of a file that was size bytes long.
func (d *Disk) resized(n *inode, size int) {
	if n.nlink > 0 { // what has no name any more is not on them
		d.used += int64(len(n.file.data) - size)
	}
}

// entered is a write that has not happened yet; node nil: none.
type entered struct {
	node *inode
	p    []byte
	off  int
}

// Tears tells, called from within Hooks.Before, whether the operation is a write that a power cut can tear so that it shows:
// one that goes over the end of a sector, and is not of zeros alone.
func (d *Disk) Tears() bool {
	w := d.writing
	return len(w.p) > 0 && w.off/SectorBytes != (w.off+len(w.p)-1)/SectorBytes && len(bytes.TrimRight(w.p, "\x00")) > 0
}

// tear lets some of the sectors of a write reach the volatile half: the first few or, if scattered, perhaps any. It
// returns how many bytes it wrote, and whether they were some but not all.
func (d *Disk) tear(w entered, by *dice, scattered bool) (n int, torn bool) {
	if w.node == nil || len(w.p) == 0 {
		return 0, false
	}
	first, last := w.off/SectorBytes, (w.off+len(w.p)-1)/SectorBytes
	prefix := by.below(last - first + 2) // sectors
	scattered = scattered && by.coin()
	before := len(w.node.file.data)
	for s := first; s <= last; s++ {
		if scattered && !by.coin() || !scattered && s-first >= prefix {
			continue
		}
		from, to := max(s*SectorBytes, w.off), min((s+1)*SectorBytes, w.off+len(w.p))
		w.node.file.writeAt(w.p[from-w.off:to-w.off], from)
		n += to - from
	}
	d.resized(w.node, before)
	return n, n > 0 && n < len(w.p)
}

// half chooses one of the two halves of a directory.
type half func(*dir) []entry

func volatile(d *dir) []entry { return d.entries }

// files calls each with every file in one half below n, in the order of names in each directory.
func (n *inode) files(path string, in half, each func(path string, n *inode)) {
	if !n.isDir() {
		each(path, n)
		return
	}
	for _, e := range in(&n.dir) {
		e.node.files(strings.TrimPrefix(path+"/"+e.name, "/"), in, each)
	}
}

// Files returns the paths of all files below a path (of a file: itself), as the process sees them, sorted. It is empty if there is
// no such path.
func (d *Disk) Files(under string) []string {
	var out []string
	if n, errno := d.walk(under); errno == 0 {
		n.files(strings.Join(split(under), "/"), volatile, func(path string, _ *inode) { out = append(out, path) })
	}
	slices.Sort(out)
	return out
}

// ReadFile returns a copy of a file as the process sees it; false if there is no file of that path.
func (d *Disk) ReadFile(path string) ([]byte, bool) {
	n, errno := d.walk(path)
	if errno != 0 || n.isDir() {
		return nil, false
	}
	return append([]byte{}, n.file.data...), true
}
