package kernel

// Action says what a mutation did, in etcd's words.
type Action uint8

// The actions. ActionInternal stands for mutations that no client can see
// (members, cluster version): they take an index and a place in the ring.
const (
	ActionInternal Action = iota
	ActionSet
	ActionCreate
	ActionUpdate
	ActionDelete
	ActionCompareAndSwap
	ActionCompareAndDelete
	ActionExpire
	actionEnd
)

var actionNames = [actionEnd]string{"internal", "set", "create", "update", "delete", "compareAndSwap", "compareAndDelete", "expire"}

// String is the action's name in etcd's answers.
func (a Action) String() string {
	if a < actionEnd {
		return actionNames[a]
	}
	return "unknown"
}

// Removes tells whether the action took its node away.
func (a Action) Removes() bool {
	return a == ActionDelete || a == ActionCompareAndDelete || a == ActionExpire
}

// Event is one mutation. It is never changed once made: ring, watchers and
// the answer to the client share it.
type Event struct {
	Action Action
	// Index is the store index that the mutation took.
	Index StoreIndex
	// Node is the node after it (of a removed node only path, kind and
	// indices); nil in an internal event.
	Node *Node
	// Prev is the node before it; nil if there was none.
	Prev *Node
	// Refresh marks a mere renewal of a time to live: it takes an index and a
	// place in the ring and wakes nobody.
	Refresh bool
	// Clock is cluster time when it was applied, to show deadlines with.
	Clock Clock
}

// Matches is the one rule by which an event belongs to a watcher, for events
// that happen and for events replayed from the ring alike: the path itself;
// anything below it when recursive, unless a name below the watched path is
// hidden; and, when a directory was removed, every watcher below it.
func (e *Event) Matches(path string, recursive bool) bool {
	if e.Node == nil || e.Refresh {
		return false
	}
	at := e.Node.Path
	if at == path {
		return true
	}
	if e.Action.Removes() && e.Node.Dir && Below(path, at) {
		return true
	}
	return recursive && Below(at, path) && !HiddenBelow(at, path)
}

// Below tells whether path lies below the directory dir.
func Below(path, dir string) bool {
	if dir == "/" {
		return len(path) > 1
	}
	return len(path) > len(dir) && path[len(dir)] == '/' && path[:len(dir)] == dir
}

// HiddenBelow tells whether a name of path below dir begins with "_", which
// hides it from who looks at dir. Path must lie below dir.
func HiddenBelow(path, dir string) bool {
	from := len(dir)
	if dir == "/" {
		from = 0
	}
	for i := from; i+1 < len(path); i++ {
		if path[i] == '/' && path[i+1] == '_' {
			return true
		}
	}
	return false
}
