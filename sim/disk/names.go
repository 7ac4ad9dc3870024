package disk

import (
	"slices"
	"strings"
)

// MaxUnsyncedOps bounds the operations on names that wait for a sync of their directory. Beyond it the oldest becomes
// durable by itself, as with a real disk it would after some seconds.
const MaxUnsyncedOps = 512

// entry is a name in a directory.
type entry struct {
	name string
	node *inode
}

// dir is a directory's names in both halves, each sorted by name.
type dir struct {
	entries []entry // the volatile half
	synced  []entry // the durable half
}

func find(entries []entry, name string) (int, bool) {
	return slices.BinarySearchFunc(entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
}

func lookup(entries []entry, name string) *inode {
	if i, ok := find(entries, name); ok {
		return entries[i].node
	}
	return nil
}

func (d *dir) get(name string) *inode { return lookup(d.entries, name) }

// set makes name mean node; nil removes it.
func set(entries []entry, name string, node *inode) []entry {
	i, ok := find(entries, name)
	switch {
	case node == nil && ok:
		return slices.Delete(entries, i, i+1)
	case node != nil && ok:
		entries[i].node = node
	case node != nil:
		return slices.Insert(entries, i, entry{name, node})
	}
	return entries
}

// change is what an operation makes of one name; node nil: nothing.
type change struct {
	dir  *inode
	name string
	node *inode
}

// nameOp is an operation on names that has not been synced.
type nameOp struct {
	changes []change
	// within are directories that must be where they are for the operation to make sense: those above the target of a
	// rename into another directory, whose loss would lose the file that had been safe.
	within []*inode
	// removed is a directory that it takes away: what was moved out of it must not be lost with it.
	removed *inode
	// needs are the earlier operations without which this one cannot persist.
	needs []*nameOp
	kept  bool
}

func (o *nameOp) touches(dir *inode) bool {
	return slices.ContainsFunc(o.changes, func(c change) bool { return c.dir == dir })
}

// follows tells whether o cannot persist without the earlier one: they share a name (so they do if they share a file, which
// o finds under the name that the earlier one gave it), or it builds on a directory that the earlier one put there or
// emptied.
func (o *nameOp) follows(earlier *nameOp) bool {
	for _, e := range earlier.changes {
		if e.dir == o.removed || slices.Contains(o.within, e.node) {
			return true
		}
		if slices.ContainsFunc(o.changes, func(c change) bool { return c.dir == e.dir && c.name == e.name }) {
			return true
		}
	}
	return false
}

// do carries an operation out in the volatile half.
func (d *Disk) do(o *nameOp) {
	for _, earlier := range d.unsynced {
		if o.follows(earlier) {
			o.needs = append(o.needs, earlier)
		}
	}
	for _, c := range o.changes {
		c.dir.dir.entries = set(c.dir.dir.entries, c.name, c.node)
		c.dir.mtime = d.hooks.Now()
	}
	d.unsynced = append(d.unsynced, o)
	if len(d.unsynced) > MaxUnsyncedOps {
		d.unsynced[0].kept = true
		d.settle()
	}
}

// keep marks the operations that are to become durable, and those that they need.
func (d *Disk) keep(which func(*nameOp) bool) {
	for _, o := range slices.Backward(d.unsynced) {
		if o.kept = which(o) || o.kept; !o.kept {
			continue
		}
		for _, n := range o.needs {
			n.kept = true
		}
	}
}

// settle makes the marked operations durable, oldest first.
func (d *Disk) settle() {
	rest := d.unsynced[:0]
	for _, o := range d.unsynced {
		if !o.kept {
			rest = append(rest, o)
			continue
		}
		for _, c := range o.changes {
			c.dir.dir.synced = set(c.dir.dir.synced, c.name, c.node)
		}
		o.needs = nil // so that a chain of needs does not keep all the past in memory
	}
	clear(d.unsynced[len(rest):])
	d.unsynced = rest
}

// syncDir makes a directory's names durable: all, or of a sync that fails those that the dice keep.
func (d *Disk) syncDir(n *inode, failing *dice) {
	d.keep(func(o *nameOp) bool { return o.touches(n) && (failing == nil || failing.coin()) })
	d.settle()
}

// unsyncedNames counts the names that differ, or may differ, between the halves.
func (d *Disk) unsyncedNames() int {
	type place struct {
		dir  *inode
		name string
	}
	seen := map[place]struct{}{} // only counted
	for _, o := range d.unsynced {
		for _, c := range o.changes {
			seen[place{c.dir, c.name}] = struct{}{}
		}
	}
	return len(seen)
}
