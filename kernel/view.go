package kernel

import (
	"slices"
	"strings"
)

// View is a state at one moment. It never changes and may be read by any
// number of goroutines.
type View struct {
	tree tree
	// Index, Applied and Session are the state's at that moment.
	Index   StoreIndex
	Applied LogIndex
	Session Session
	// Clock shows deadlines.
	Clock Clock
	// Members is by id; shared, not to be changed.
	Members []Member
	// ClusterVersion is what all members can speak.
	ClusterVersion string

	removed []uint64
}

// View copies the state in O(1): pages are shared until the state writes to
// them.
func (s *State) View() *View {
	return &View{
		tree: s.tree.copy(), Index: s.index, Applied: s.applied, Session: s.clock.session,
		Clock: s.clock.shown(), Members: s.members, ClusterVersion: s.version,
		removed: s.removed,
	}
}

// Get finds the node at a canonical path. The root is a directory with no
// indices. A refusal has code 100 or 104 and names the first missing name, or
// the file in the way.
func (v *View) Get(path string) (*Node, *Error) {
	if path == "/" {
		return &Node{Path: "/", Dir: true}, nil
	}
	return v.tree.resolve(path, v.Index)
}

// MemberRemoved is State.MemberRemoved at that moment.
func (v *View) MemberRemoved(id uint64) bool { return slices.Contains(v.removed, id) }

// Len counts the nodes, the root excluded.
func (v *View) Len() int { return v.tree.nodes.Len() }

// Children calls f for each node directly in the directory dir, in the order
// of names, until f says no. Hidden nodes are included. It costs one step in
// the tree per child and per child that is a directory with something in it.
func (v *View) Children(dir string, f func(*Node) bool) {
	prefix := dir + "/"
	if dir == "/" {
		prefix = "/"
	}
	it := v.tree.nodes.Iter()
	for ok := it.Seek(prefix); ok; {
		key := it.Key()
		if !strings.HasPrefix(key, prefix) {
			return
		}
		if i := strings.IndexByte(key[len(prefix):], '/'); i >= 0 {
			// A descendant of a child: go on behind that child's range.
			ok = it.Seek(key[:len(prefix)+i] + "0")
			continue
		}
		if key != prefix && !f(it.Value()) {
			return
		}
		ok = it.Next()
	}
}
