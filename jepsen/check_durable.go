package jepsen

import (
	"math"
	"sort"
)

// checkDurable looks for confirmed changes that are gone. It is simple and
// knows no order of the store but the indices: every confirmed change is in
// the committed log, and who looks at its key last, after all answers, finds
// it or something later.
func checkDurable(r *Run, _ Limits) Result {
	c := &collector{checker: "durable"}
	type change struct {
		index      uint64
		key, value string
	}
	committed := map[change]bool{}
	removed := map[string]uint64{} // the last removal of a key or directory
	for i := range r.Commits {
		for j := range r.Commits[i].Events {
			e := &r.Commits[i].Events[j]
			committed[change{e.Index, e.Key, e.Value}] = true
			if removes(e.Action) {
				removed[e.Key] = max(removed[e.Key], e.Index)
			}
		}
	}
	latest := lastLooks(r.History)
	for i := range r.History {
		o := &r.History[i]
		if o.Op.Reads() || o.Outcome != OK || o.ModifiedIndex == 0 {
			continue
		}
		c.operations++
		key := o.Key
		if o.Node != "" {
			key = o.Node
		}
		if len(r.Commits) > 0 && o.Op != Refresh && !committed[change{o.ModifiedIndex, key, o.Arg}] {
			c.add(key, o.Return, "%s was confirmed with index %d; no member ever applied that", r.tell(o), o.ModifiedIndex)
			continue
		}
		if actionOf[o.Op] == actionDelete || o.Op == CAD || o.Op == MakeDir {
			continue
		}
		latest.check(r, o, key, removed, c)
	}
	return c.result()
}

// looks are the last quorum reads, by the key that was asked.
type looks map[string]*Operation

func lastLooks(h History) looks {
	l := looks{}
	for i := range h {
		o := &h[i]
		if (o.Op == Read || o.Op == List) && o.Outcome == OK && (l[o.Key] == nil || o.Call > l[o.Key].Call) {
			l[o.Key] = o
		}
	}
	return l
}

// check looks whether the last read of the key, or of a directory above it,
// contradicts a confirmed write.
func (l looks) check(r *Run, o *Operation, key string, removed map[string]uint64, c *collector) {
	gone := func() bool { // something took it away later
		for path := key; ; path = parent(path) {
			if removed[path] > o.ModifiedIndex {
				return true
			}
			if path == "/" {
				return len(r.Commits) == 0
			}
		}
	}
	for path := key; ; path = parent(path) {
		look := l[path]
		if look != nil && look.Call > o.Return && (path == key || look.Op == List && !hiddenBelow(key, path)) {
			index, there := shownIndex(look, key)
			switch {
			case there && index < o.ModifiedIndex:
				c.add(key, look.Return, "%s was confirmed with index %d; later, %s still shows index %d", r.tell(o), o.ModifiedIndex, r.tell(look), index)
			case !there && !gone():
				c.add(key, look.Return, "%s was confirmed with index %d; later, %s does not find it, and nothing took it away", r.tell(o), o.ModifiedIndex, r.tell(look))
			}
			return
		}
		if path == "/" {
			return
		}
	}
}

// shownIndex is the modifiedIndex that a read shows of a key; of a directory it
// says nothing of changes, and is taken for the greatest.
func shownIndex(look *Operation, key string) (uint64, bool) {
	if look.Missing {
		return 0, false
	}
	if look.Key == key {
		if look.Dir {
			return math.MaxUint64, true
		}
		return look.ModifiedIndex, true
	}
	i := sort.Search(len(look.Nodes), func(i int) bool { return look.Nodes[i].Key >= key })
	if i < len(look.Nodes) && look.Nodes[i].Key == key {
		if look.Nodes[i].Dir {
			return math.MaxUint64, true
		}
		return look.Nodes[i].ModifiedIndex, true
	}
	return 0, false
}
