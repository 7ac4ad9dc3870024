package kernel

// LogIndex is an index of the raft log. It counts entries.
type LogIndex uint64

// StoreIndex is etcd's X-Etcd-Index. It counts successful mutations of the
// store, and nothing else.
type StoreIndex uint64

// Node is a key or a directory. A node that has been handed out is never
// changed: a mutation puts another in its place.
type Node struct {
	// Path is canonical: "/a/b", no empty, "." or ".." names.
	Path string
	// Value is a key's value; a directory has none.
	Value string
	// Created and Modified are the store indices of the node's creation and
	// of its last change.
	Created, Modified StoreIndex
	// Deadline is the cluster time at which the node expires; 0 is never.
	Deadline Time
	// Dir tells a directory from a key.
	Dir bool
}

// Name is the last name of the path.
func (n *Node) Name() string { return n.Path[lastSlash(n.Path)+1:] }

// Hidden tells whether listings leave the node out: its name begins with "_".
func (n *Node) Hidden() bool {
	i := lastSlash(n.Path) + 1
	return i < len(n.Path) && n.Path[i] == '_'
}

func lastSlash(path string) int {
	for i := len(path) - 1; i >= 0; i-- {
		if path[i] == '/' {
			return i
		}
	}
	return -1
}

// parentOf is the path of the directory that holds path; "/" for a name
// directly below the root.
func parentOf(path string) string {
	if i := lastSlash(path); i > 0 {
		return path[:i]
	}
	return "/"
}

// ValidPath tells whether path is canonical and within the limits.
func ValidPath(path string) bool {
	depth, canonical := namesIn(path)
	return canonical && depth <= MaxDepth && len(path) <= MaxPathBytes
}

// namesIn counts the names in a path, and tells whether it is canonical: it
// begins with "/", and no name is empty, "." or "..".
func namesIn(path string) (depth int, canonical bool) {
	if path == "/" {
		return 0, true
	}
	if path == "" || path[0] != '/' {
		return 0, false
	}
	for i := 0; i < len(path); {
		j := i + 1
		for j < len(path) && path[j] != '/' {
			j++
		}
		switch path[i+1 : j] {
		case "", ".", "..":
			return 0, false
		}
		depth++
		i = j
	}
	return depth, true
}
