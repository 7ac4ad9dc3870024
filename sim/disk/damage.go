package disk

import (
	"bytes"
	"slices"
	"strings"
)

// Rotted tells what Rot damaged.
type Rotted struct {
	Path   string
	Offset int64 // of the first damaged byte
	Bits   int   // flipped, all within one sector
}

// Rot flips one bit, or up to eight bits of one sector, of a file below a path (or of that path), as a disk at rest may. It
// chooses evenly among the bytes that are durable: in a synced sector of a file whose name is synced all the way. Zeros
// that a file ends with are left alone: they hold nothing that could be missed. The result is false if there are none.
func (d *Disk) Rot(chance Chance, under string) (Rotted, bool) {
	type candidate struct {
		path string
		f    *file
	}
	var all []candidate
	total := 0
	n, durably := d.durably(under)
	if !durably {
		return Rotted{}, false
	}
	n.files(strings.Join(split(under), "/"), inBoth, func(path string, n *inode) {
		if b := n.file.synced(); b > 0 {
			all = append(all, candidate{path, &n.file})
			total += b
		}
	})
	if total == 0 {
		return Rotted{}, false
	}
	by := &dice{chance: chance}
	at := by.below(total)
	for _, c := range all {
		if b := c.f.synced(); at >= b {
			at -= b
			continue
		}
		offset, bits := c.f.flip(at, by)
		return Rotted{Path: c.path, Offset: int64(offset), Bits: bits}, true
	}
	return Rotted{}, false
}

// durably is walk over names that are synced.
func (d *Disk) durably(path string) (*inode, bool) {
	n := d.root
	for _, name := range split(path) {
		if n = lookup(inBoth(&n.dir), name); n == nil {
			return nil, false
		}
	}
	return n, true
}

// inBoth is the half of a directory that both halves agree on.
func inBoth(d *dir) []entry {
	return slices.DeleteFunc(slices.Clone(d.entries), func(e entry) bool { return lookup(d.synced, e.name) != e.node })
}

// synced counts the bytes in which both halves agree because they were synced.
func (f *file) synced() int {
	n := f.syncedEnd()
	for s := range f.before { // only added up
		n -= len(sector(f.data[:f.syncedEnd()], s))
	}
	return n
}

func (f *file) syncedEnd() int {
	return len(bytes.TrimRight(f.data[:min(len(f.data), f.durableSize)], "\x00"))
}

// flip damages the n-th of the synced bytes, and perhaps others in its sector.
func (f *file) flip(n int, by *dice) (first, bits int) {
	s := 0
	for ; ; s++ {
		if _, changed := f.before[s]; changed {
			continue
		}
		b := len(sector(f.data[:f.syncedEnd()], s))
		if n < b {
			break
		}
		n -= b
	}
	b := sector(f.data[:f.syncedEnd()], s)
	flipped := []int{n*8 + by.below(8)}
	if by.coin() {
		for range 1 + by.below(7) {
			if bit := by.below(8 * len(b)); !slices.Contains(flipped, bit) {
				flipped = append(flipped, bit)
			}
		}
	}
	for _, bit := range flipped {
		b[bit/8] ^= 1 << (bit % 8)
	}
	return s*SectorBytes + slices.Min(flipped)/8, len(flipped)
}

// Wipe removes a file or a directory tree, durably, as an operator does who empties a data directory or puts in a new disk
// ("" or ".": everything). All other changes of names become durable as well, and whatever was open is dead. The result is
// false if there was nothing of that path.
func (d *Disk) Wipe(path string) bool {
	n, errno := d.walk(path)
	if errno != 0 {
		return false
	}
	d.keep(func(*nameOp) bool { return true })
	d.settle()
	n.files("", volatile, func(_ string, n *inode) {
		n.nlink = 0
		d.used -= int64(len(n.file.data))
	})
	d.life++
	if n == d.root {
		n.dir = dir{}
		return true
	}
	above, name, _ := d.parent(path) // it exists, so its parent does
	above.dir.entries = set(above.dir.entries, name, nil)
	above.dir.synced = set(above.dir.synced, name, nil)
	return true
}
