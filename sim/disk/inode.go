package disk

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/sys"
)

// SectorBytes is the unit in which unsynced bytes persist or vanish.
const SectorBytes = 512

// inode is a file or a directory. It lives as long as a name or an open file refers to it.
type inode struct {
	ino   uint64
	mode  fs.FileMode
	nlink uint64
	mtime int64 // nanoseconds since 1970
	atime int64

	file file
	dir  dir
}

func (n *inode) isDir() bool { return n.mode.IsDir() }

func (n *inode) stat() sys.Stat_t {
	return sys.Stat_t{
		Dev: 1, Ino: n.ino, Mode: n.mode, Nlink: n.nlink, Size: int64(len(n.file.data)),
		Atim: n.atime, Mtim: n.mtime, Ctim: n.mtime,
	}
}

// file is a file's bytes in both halves.
type file struct {
	data []byte // the volatile half
	// durableSize is the length at the last sync.
	durableSize int
	// before holds, for every sector below durableSize that changed since the last sync, what it was. A map: it is only
	// ever read by key, or in sorted order.
	before map[int][]byte
}

// remember saves the sectors that a change of data[from:to] is about to touch.
func (f *file) remember(from, to int) {
	to = min(to, f.durableSize)
	for s := from / SectorBytes; s*SectorBytes < to; s++ {
		if _, ok := f.before[s]; ok {
			continue
		}
		if f.before == nil {
			f.before = map[int][]byte{}
		}
		// Never beyond data: what lay between data's end and durableSize was saved when the file was cut.
		start := min(s*SectorBytes, len(f.data))
		end := min((s+1)*SectorBytes, f.durableSize, len(f.data))
		f.before[s] = slices.Clone(f.data[start:max(start, end)])
	}
}

func (f *file) writeAt(p []byte, off int) {
	end := off + len(p)
	f.remember(min(off, len(f.data)), end)
	if end > len(f.data) {
		f.grow(end)
	}
	copy(f.data[off:], p)
}

func (f *file) grow(size int) {
	if size > cap(f.data) {
		f.data = slices.Grow(f.data, max(size-len(f.data), len(f.data)/4))
	}
	old := len(f.data)
	f.data = f.data[:size]
	clear(f.data[old:])
}

func (f *file) truncate(size int) {
	if size < len(f.data) {
		f.remember(size, len(f.data))
		f.data = f.data[:size]
		return
	}
	f.remember(len(f.data), size)
	f.grow(size)
}

func (f *file) sync() {
	f.durableSize = len(f.data)
	clear(f.before)
}

// unsynced counts the sectors that a power cut may lose or garble, and tells whether the length is among it.
func (f *file) unsynced() (sectors int, size bool) {
	grown := (len(f.data)+SectorBytes-1)/SectorBytes - (f.durableSize+SectorBytes-1)/SectorBytes
	return len(f.before) + max(grown, 0), len(f.data) != f.durableSize
}

// durable returns the bytes as of the last sync.
func (f *file) durable() []byte {
	out := make([]byte, f.durableSize)
	copy(out, f.data)
	for s, old := range f.before { // order does not matter: sectors do not overlap
		at := s * SectorBytes
		end := min(at+SectorBytes, len(out))
		clear(out[at:end])
		copy(out[at:end], old)
	}
	return out
}

// entry is a name in a directory.
type entry struct {
	name string
	node *inode
}

// dir is a directory's names in both halves.
type dir struct {
	entries []entry // the volatile half, sorted by name
	// before holds, for every name that changed since the last sync, what it was (nil: absent), sorted by name.
	before []entry
}

func find(entries []entry, name string) (int, bool) {
	return slices.BinarySearchFunc(entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
}

func (d *dir) get(name string) *inode {
	if i, ok := find(d.entries, name); ok {
		return d.entries[i].node
	}
	return nil
}

// set makes name mean node; nil removes it.
func (d *dir) set(name string, node *inode) {
	i, ok := find(d.entries, name)
	if b, known := find(d.before, name); !known {
		old := entry{name: name}
		if ok {
			old.node = d.entries[i].node
		}
		d.before = slices.Insert(d.before, b, old)
	}
	switch {
	case node == nil && ok:
		d.entries = slices.Delete(d.entries, i, i+1)
	case node != nil && ok:
		d.entries[i].node = node
	case node != nil:
		d.entries = slices.Insert(d.entries, i, entry{name, node})
	}
}

func (d *dir) sync() { d.before = nil }

// durable returns the names as of the last sync, sorted.
func (d *dir) durable() []entry {
	out := slices.Clone(d.entries)
	for _, old := range d.before {
		i, ok := find(out, old.name)
		switch {
		case ok && old.node == nil:
			out = slices.Delete(out, i, i+1)
		case ok:
			out[i].node = old.node
		case old.node != nil:
			out = slices.Insert(out, i, old)
		}
	}
	return out
}
