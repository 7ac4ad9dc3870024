package jepsen

import (
	"path"
	"sort"
)

// checkInOrder holds the keys that POST makes: in each directory names are the
// store's index in 20 digits, so that their order is the order of creation;
// none is given twice, no value is there twice, and who posts after an answer
// gets a later name.
func checkInOrder(r *Run, _ Limits) Result {
	c := &collector{checker: "in-order"}
	byDir := map[string][]*Operation{}
	var dirs []string
	for i := range r.History {
		o := &r.History[i]
		if o.Op == List && o.Outcome == OK {
			checkTwice(r, o, c)
		}
		if o.Op != InOrder || o.Outcome != OK {
			continue
		}
		c.operations++
		if byDir[o.Key] == nil {
			dirs = append(dirs, o.Key)
		}
		byDir[o.Key] = append(byDir[o.Key], o)
	}
	sort.Strings(dirs)
	for _, dir := range dirs {
		checkNames(r, byDir[dir], c)
	}
	return c.result()
}

func checkNames(r *Run, posts []*Operation, c *collector) {
	sort.SliceStable(posts, func(a, b int) bool { return posts[a].ModifiedIndex < posts[b].ModifiedIndex })
	for i, o := range posts {
		if path.Base(o.Node) != inOrderName(o.ModifiedIndex) || parent(o.Node) != o.Key {
			c.add(o.Node, o.Return, "%s made %q at index %d; its name must be %s", r.tell(o), o.Node, o.ModifiedIndex, inOrderName(o.ModifiedIndex))
		}
		if i > 0 && posts[i-1].Node == o.Node {
			c.add(o.Node, o.Return, "%s was given to two: %s and %s", o.Node, r.tell(posts[i-1]), r.tell(o))
		}
	}
	byCall := append([]*Operation(nil), posts...)
	sort.SliceStable(byCall, func(a, b int) bool { return byCall[a].Call < byCall[b].Call })
	sort.SliceStable(posts, func(a, b int) bool { return posts[a].Return < posts[b].Return })
	var last *Operation // by name, of those that had returned
	for _, o := range byCall {
		for ; len(posts) > 0 && posts[0].Return < o.Call; posts = posts[1:] {
			if last == nil || posts[0].Node > last.Node {
				last = posts[0]
			}
		}
		if last != nil && o.Node <= last.Node {
			c.add(o.Node, o.Return, "%s made %s, which does not come after %s, made by %s before", r.tell(o), o.Node, last.Node, r.tell(last))
		}
	}
}

// checkTwice looks for one value in two in-order keys of a listing: a POST
// that was applied twice.
func checkTwice(r *Run, o *Operation, c *collector) {
	first := map[string]string{}
	for i := range o.Nodes {
		n := &o.Nodes[i]
		if n.Dir || n.Value == "" || path.Base(n.Key) != inOrderName(n.CreatedIndex) {
			continue
		}
		if before, ok := first[n.Value]; ok {
			c.add(n.Key, o.Return, "%s shows value %q twice: in %s and in %s", r.tell(o), n.Value, before, n.Key)
		}
		first[n.Value] = n.Key
	}
}
