package disk

import "slices"

// Mode tells what kind of power cut it was.
type Mode string

// The modes. Each cut draws one.
const (
	KeptNothing Mode = "kept nothing" // of what was not synced
	KeptAll     Mode = "kept all"
	KeptZeros   Mode = "kept zeros" // names and lengths persist, bytes do not
	KeptSome    Mode = "kept some"  // of names, lengths and bytes, each drawn for itself
	KeptStart   Mode = "kept start" // of each file, for a disk that writes in order; names as above
)

// Loss counts what a power cut took of the volatile half.
type Loss struct {
	Mode    Mode
	Sectors int   // that went back to what they were, or away with their file or its length
	Zeroed  int   // that are there, full of zeros
	Names   int   // changes of names undone: a file made, a file removed count one, a rename two
	Bytes   int64 // that are gone or other than they were written
	Torn    bool  // a write in progress reached the disk in part
}

// PowerCut takes the power away: of what was not synced, a part that chance decides persists (the package says which parts
// can), and all that is left is durable. Whatever was open is dead. Called from within Hooks.Before of a write, it
// strikes in the middle: some of that write's sectors, in any subset, count as written.
//
// The process that used the disk must make no further step; if it is to die on the way, kill it after this.
func (d *Disk) PowerCut(chance Chance) Loss {
	by := &dice{chance: chance}
	loss := Loss{Mode: []Mode{
		KeptNothing, KeptAll, KeptZeros, KeptSome, KeptSome, KeptStart, KeptStart, KeptStart,
	}[by.below(8)]}
	names, sectors := by.below(5), by.below(5) // quarters that persist, if some
	_, loss.Torn = d.tear(d.writing, by, true)
	d.writing = entered{}

	var had []survivor
	d.root.files("", volatile, func(_ string, n *inode) {
		had = append(had, survivor{n: n, was: n.file.data, clean: n.file.clean()})
		n.nlink = 0 // until it is found again
	})
	d.keep(func(*nameOp) bool {
		switch loss.Mode {
		case KeptNothing:
			return false
		case KeptSome, KeptStart:
			return by.quarters(names)
		}
		return true
	})
	d.settle()
	loss.Names = d.unsyncedNames()
	d.unsynced = nil

	d.used = 0
	d.root.restart(func(n *inode) {
		n.nlink = 1
		if !n.file.clean() {
			n.file.restart(n.file.surviving(loss.Mode, sectors, by))
		}
		d.used += int64(len(n.file.data))
	})
	for _, s := range had {
		switch {
		case s.n.nlink == 0:
			loss.add(s.was, nil)
		case !s.clean:
			loss.add(s.was, s.n.file.data)
		}
	}
	d.life++
	return loss
}

// survivor is a file that had a name when the power went, with what it held.
type survivor struct {
	n     *inode
	was   []byte
	clean bool
}

// restart makes the durable half of a directory tree the volatile one as well.
func (n *inode) restart(each func(*inode)) {
	if !n.isDir() {
		each(n)
		return
	}
	n.nlink = 1
	n.dir.entries = slices.Clone(n.dir.synced)
	for _, e := range n.dir.entries {
		e.node.restart(each)
	}
}

func (f *file) restart(b []byte) {
	*f = file{data: b, durableSize: len(b), lowest: len(b)}
}

// surviving returns what a power cut leaves of a file; quarters says how many in four of the changed sectors persist, if
// some do.
func (f *file) surviving(mode Mode, quarters int, by *dice) []byte {
	base := f.durable()
	switch {
	case mode == KeptNothing:
		return base
	case mode == KeptAll:
		return slices.Clone(f.data)
	case f.lowest < len(base) && (mode == KeptZeros || by.coin()):
		base = base[:f.lowest] // that the file was cut short persists
	}
	if mode == KeptStart {
		return f.firstSectors(base, by)
	}
	out := make([]byte, f.survivingSize(len(base), by))
	copy(out, base)
	if mode == KeptZeros {
		return out
	}
	for s := 0; s*SectorBytes < len(out); s++ {
		_, changed := f.before[s]
		if (changed || (s+1)*SectorBytes > len(base)) && by.quarters(quarters) {
			copy(sector(out, s), sector(f.data, s))
		}
	}
	return out
}

// firstSectors is what is left where the changed sectors become durable in the order of the file, up to one of them: the
// torn end of an append. What comes after it is as it was; a file that has grown ends there or has its newest length.
func (f *file) firstSectors(base []byte, by *dice) []byte {
	out := make([]byte, max(len(base), len(f.data)))
	copy(out, base)
	var changed []int
	for s := 0; s*SectorBytes < len(out); s++ {
		if _, c := f.before[s]; c || (s+1)*SectorBytes > len(base) {
			changed = append(changed, s)
		}
	}
	kept := by.below(len(changed) + 1)
	for _, s := range changed[:kept] {
		copy(sector(out, s), sector(f.data, s))
	}
	if kept < len(changed) && by.coin() {
		out = out[:max(len(base), changed[kept]*SectorBytes)]
	}
	return out
}

// survivingSize draws a length: as it was, as it is, or a sector boundary between.
func (f *file) survivingSize(was int, by *dice) int {
	is := len(f.data)
	if is <= was {
		return was
	}
	first, last := was/SectorBytes+1, (is-1)/SectorBytes
	switch by.below(3) {
	case 0:
		return was
	case 1:
		if first <= last {
			return SectorBytes * (first + by.below(last-first+1))
		}
	}
	return is
}

// add counts what a file has lost.
func (l *Loss) add(was, is []byte) {
	for s := 0; s*SectorBytes < len(was); s++ {
		before, now := sector(was, s), sector(is, s)
		other, zeros := int64(len(before)-min(len(now), len(before))), len(now) > 0
		for i := range min(len(now), len(before)) {
			if now[i] != before[i] {
				other++
			}
			zeros = zeros && now[i] == 0
		}
		switch {
		case other == 0:
		case zeros:
			l.Zeroed++
		default:
			l.Sectors++
		}
		l.Bytes += other
	}
}
