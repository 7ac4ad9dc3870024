package kernel

import "github.com/tidwall/btree"

// tree keeps every node but the root in one ordered map by path. What is below
// a directory d is exactly the range [d+"/", d+"0"), since '0' follows '/'.
// A copy costs O(1) and shares its pages until one side writes.
type tree struct {
	nodes *btree.Map[string, *Node]
}

func newTree() tree { return tree{nodes: btree.NewMap[string, *Node](0)} }

func (t tree) copy() tree { return tree{nodes: t.nodes.Copy()} }

func (t tree) get(path string) *Node {
	n, _ := t.nodes.Get(path)
	return n
}

// hasBelow tells whether the directory at path holds anything.
func (t tree) hasBelow(path string) bool {
	found := false
	t.ascendBelow(path, func(*Node) bool { found = true; return false })
	return found
}

// ascendBelow calls f for every descendant of the directory at path, in the
// order of paths, until f says no.
func (t tree) ascendBelow(path string, f func(*Node) bool) {
	prefix := path + "/"
	if path == "/" {
		prefix = "/"
	}
	t.nodes.Ascend(prefix, func(key string, n *Node) bool {
		return len(key) > len(prefix) && key[:len(prefix)] == prefix && f(n)
	})
}

// resolve finds the node at path as a walk from the root would: the refusal
// names the first missing name, or the first file in the way.
func (t tree) resolve(path string, index StoreIndex) (*Node, *Error) {
	if n := t.get(path); n != nil {
		return n, nil
	}
	for i := 1; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		n := t.get(path[:i])
		if n == nil {
			return nil, &Error{CodeKeyNotFound, path[:i], index}
		}
		if !n.Dir {
			return nil, &Error{CodeNotDir, path[:i], index}
		}
	}
	return nil, &Error{CodeKeyNotFound, path, index}
}

// blockedBy finds the file above path, if there is one: nothing can be made
// below a file. The search goes upwards, because the parent nearly always is
// there, and everything above an existing directory is a directory.
func (t tree) blockedBy(path string) *Node {
	for p := parentOf(path); p != "/"; p = parentOf(p) {
		if n := t.get(p); n != nil {
			if n.Dir {
				return nil
			}
			return n
		}
	}
	return nil
}
