package disk

import (
	"bytes"
	"io/fs"
	"slices"

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
	// lowest is the smallest length since the last sync.
	lowest int
	// before holds, for every sector below durableSize that changed since the last sync, what it was. A map: it is only
	// ever read by key, or where order does not matter.
	before map[int][]byte
	// skipped holds the sectors that a sync failed to save and that count as clean since.
	skipped map[int]struct{}
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
	if len(p) == 0 {
		return
	}
	end := off + len(p)
	f.remember(min(off, len(f.data)), end)
	if end > len(f.data) {
		f.grow(end)
	}
	copy(f.data[off:], p)
	if len(f.skipped) == 0 {
		return
	}
	for s := off / SectorBytes; s*SectorBytes < end; s++ {
		delete(f.skipped, s)
	}
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
	if size >= len(f.data) {
		f.remember(len(f.data), size)
		f.grow(size)
		return
	}
	f.remember(size, len(f.data))
	f.data = f.data[:size]
	f.lowest = min(f.lowest, size)
	for s := range f.skipped { // each decided for itself
		if s*SectorBytes >= size {
			delete(f.skipped, s)
		}
	}
}

// sync makes the volatile half durable, but for the sectors that an earlier sync has failed to save.
func (f *file) sync() {
	if len(f.skipped) == 0 {
		f.durableSize, f.lowest = len(f.data), len(f.data)
		clear(f.before)
		return
	}
	// Lengths are saved: what was cut off is gone.
	old, saved := f.durable()[:min(f.durableSize, f.lowest)], slices.Clone(f.data)
	for s := range f.skipped { // in any order: sectors do not overlap
		part := saved[s*SectorBytes : min((s+1)*SectorBytes, len(saved))]
		clear(part)
		copy(part, old[min(s*SectorBytes, len(old)):])
	}
	f.setDurable(saved)
}

// syncFailing is a sync that fails: what a power cut might have left becomes durable, and the rest of the work may be
// taken for done.
func (f *file) syncFailing(by *dice) {
	f.setDurable(f.surviving(KeptSome, by.below(5), by))
	if by.coin() {
		return
	}
	f.skipped = map[int]struct{}{}
	for s := 0; s*SectorBytes < len(f.data); s++ {
		if _, changed := f.before[s]; changed || s*SectorBytes+len(sector(f.data, s)) > f.durableSize {
			f.skipped[s] = struct{}{}
		}
	}
}

// setDurable makes other bytes the durable half.
func (f *file) setDurable(b []byte) {
	f.durableSize, f.lowest = len(b), min(len(b), len(f.data))
	f.before = nil
	for s := 0; s*SectorBytes < len(b); s++ {
		old := sector(b, s)
		if now := sector(f.data, s); len(now) < len(old) || !bytes.Equal(now[:len(old)], old) {
			if f.before == nil {
				f.before = map[int][]byte{}
			}
			f.before[s] = slices.Clone(old)
		}
	}
}

// sector returns what b has of a sector.
func sector(b []byte, s int) []byte {
	return b[min(s*SectorBytes, len(b)):min((s+1)*SectorBytes, len(b))]
}

// clean tells whether both halves are the same.
func (f *file) clean() bool {
	return len(f.before) == 0 && len(f.data) == f.durableSize && f.lowest == f.durableSize
}

// unsynced counts the sectors that a power cut may lose or garble.
func (f *file) unsynced() int {
	grown := (len(f.data)+SectorBytes-1)/SectorBytes - (f.durableSize+SectorBytes-1)/SectorBytes
	return len(f.before) + max(grown, 0)
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
