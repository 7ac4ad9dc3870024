package kernel

import (
	"strconv"
	"strings"
)

// The operations on keys behave as etcd's v2 store does (server 3.4,
// etcdserver/api/v2store/store.go), found by asking the real server.

// deadline is where a command's time to live ends, counted from now.
func (s *State) deadline(c *Command) Time {
	if !c.HasTTL {
		return 0
	}
	return max(s.clock.now+Time(c.TTLSeconds)*Second, 1)
}

func (s *State) set(c *Command) (*Event, *Error) {
	if c.Path == "/" {
		return nil, s.refuse(CodeRootReadOnly, "/")
	}
	old := s.tree.get(c.Path)
	if old == nil {
		if c.Refresh {
			_, refused := s.tree.resolve(c.Path, s.index)
			return nil, refused
		}
		if f := s.tree.blockedBy(c.Path); f != nil {
			return nil, s.refuse(CodeNotDir, f.Path)
		}
	} else if old.Dir {
		return nil, s.refuse(CodeNotFile, c.Path)
	}
	n := s.newNode(c, c.Path, old)
	if c.Refresh && !c.Dir {
		n.Value = old.Value
	}
	ev := s.event(ActionSet, n.Modified, n, old)
	ev.Refresh = c.Refresh
	s.put(n, old)
	return ev, nil
}

// newNode makes the node that a set or create leaves at path, in place of old.
func (s *State) newNode(c *Command, path string, old *Node) *Node {
	index := s.take()
	n := &Node{Created: index, Modified: index, Deadline: s.deadline(c), Dir: c.Dir}
	if old != nil {
		// The path that the tree holds already spares a copy.
		n.Path = old.Path
	} else {
		n.Path = strings.Clone(path)
	}
	if !c.Dir {
		n.Value = strings.Clone(c.Value)
	}
	return n
}

func (s *State) create(c *Command, path string) (*Event, *Error) {
	if refused := s.creatable(path); refused != nil {
		return nil, refused
	}
	n := s.newNode(c, path, nil)
	s.put(n, nil)
	return s.event(ActionCreate, n.Modified, n, nil), nil
}

// creatable tells why nothing can be made at path.
func (s *State) creatable(path string) *Error {
	if path == "/" {
		return s.refuse(CodeRootReadOnly, "/")
	}
	if s.tree.get(path) != nil {
		return s.refuse(CodeNodeExist, path)
	}
	if f := s.tree.blockedBy(path); f != nil {
		return s.refuse(CodeNotDir, f.Path)
	}
	return nil
}

// createInOrder names the key after the store index that it takes: 20 digits,
// so that the order of names is the order of creation.
func (s *State) createInOrder(c *Command) (*Event, *Error) {
	digits := strconv.FormatUint(uint64(s.index+1), 10)
	path := strings.TrimSuffix(c.Path, "/") + "/" + "00000000000000000000"[len(digits):] + digits
	if !ValidPath(path) {
		return nil, s.refuse(CodeInvalidField, "path too long")
	}
	return s.create(c, path)
}

func (s *State) update(c *Command) (*Event, *Error) {
	if c.Path == "/" {
		return nil, s.refuse(CodeRootReadOnly, "/")
	}
	old, refused := s.tree.resolve(c.Path, s.index)
	if refused != nil {
		return nil, refused
	}
	if old.Dir && c.Value != "" {
		return nil, s.refuse(CodeNotFile, c.Path)
	}
	index := s.take()
	n := *old
	n.Deadline = s.deadline(c)
	shown := &n
	if old.Dir {
		// A directory's own modifiedIndex stays, while the answer shows
		// the new index.
		stored := n
		s.put(&stored, old)
		n.Modified = index
	} else {
		n.Modified = index
		if !c.Refresh {
			n.Value = strings.Clone(c.Value)
		}
		s.put(shown, old)
	}
	ev := s.event(ActionUpdate, index, shown, old)
	ev.Refresh = c.Refresh
	return ev, nil
}

func (s *State) compareAndSwap(c *Command) (*Event, *Error) {
	old, refused := s.swappable(c)
	if refused != nil {
		return nil, refused
	}
	n := *old
	n.Modified = s.take()
	n.Deadline = s.deadline(c)
	if !c.Refresh {
		n.Value = strings.Clone(c.Value)
	}
	s.put(&n, old)
	ev := s.event(ActionCompareAndSwap, n.Modified, &n, old)
	ev.Refresh = c.Refresh
	return ev, nil
}

// swappable finds the key that a compare-and-swap replaces, and compares.
func (s *State) swappable(c *Command) (*Node, *Error) {
	if c.Path == "/" {
		return nil, s.refuse(CodeRootReadOnly, "/")
	}
	return s.compare(c)
}

// compare finds the key that a command compares with, and compares.
func (s *State) compare(c *Command) (*Node, *Error) {
	if c.Path == "/" {
		return nil, s.refuse(CodeNotFile, "/")
	}
	n, refused := s.tree.resolve(c.Path, s.index)
	if refused != nil {
		return nil, refused
	}
	if n.Dir {
		return nil, s.refuse(CodeNotFile, c.Path)
	}
	if c.holds(n) {
		return n, nil
	}
	causes := make([]string, 0, 2)
	if c.PrevValue != "" && c.PrevValue != n.Value {
		causes = append(causes, "["+c.PrevValue+" != "+n.Value+"]")
	}
	if c.PrevIndex != 0 && c.PrevIndex != n.Modified {
		causes = append(causes, "["+strconv.FormatUint(uint64(c.PrevIndex), 10)+" != "+strconv.FormatUint(uint64(n.Modified), 10)+"]")
	}
	return nil, s.refuse(CodeTestFailed, strings.Join(causes, " "))
}

// holds tells whether a key is what a command compares it with.
func (c *Command) holds(n *Node) bool {
	return (c.PrevValue == "" || c.PrevValue == n.Value) && (c.PrevIndex == 0 || c.PrevIndex == n.Modified)
}

func (s *State) delete(c *Command) (*Event, *Error) {
	if c.Path == "/" {
		return nil, s.refuse(CodeRootReadOnly, "/")
	}
	old, refused := s.tree.resolve(c.Path, s.index)
	if refused != nil {
		return nil, refused
	}
	if old.Dir && !c.Dir && !c.Recursive {
		return nil, s.refuse(CodeNotFile, c.Path)
	}
	if old.Dir && !c.Recursive && s.tree.hasBelow(c.Path) {
		return nil, s.refuse(CodeDirNotEmpty, c.Path)
	}
	return s.remove(ActionDelete, old), nil
}

func (s *State) compareAndDelete(c *Command) (*Event, *Error) {
	old, refused := s.compare(c)
	if refused != nil {
		return nil, refused
	}
	return s.remove(ActionCompareAndDelete, old), nil
}

// remove takes a node away, with all that is below it.
func (s *State) remove(a Action, old *Node) *Event {
	index := s.take()
	if old.Dir {
		for _, n := range s.below(old.Path) {
			s.drop(n)
		}
	}
	s.drop(old)
	gone := &Node{Path: old.Path, Created: old.Created, Modified: index, Dir: old.Dir}
	return s.event(a, index, gone, old)
}

func (s *State) below(path string) []*Node {
	var list []*Node
	s.tree.ascendBelow(path, func(n *Node) bool { list = append(list, n); return true })
	return list
}

func (s *State) drop(n *Node) {
	s.tree.nodes.Delete(n.Path)
	if n.Deadline != 0 {
		s.deadlines.Delete(deadline{n.Deadline, n.Path})
	}
}

// put stores a node in place of old, or as a new one, making the directories
// above it that are missing.
func (s *State) put(n, old *Node) {
	if old == nil {
		for p := parentOf(n.Path); p != "/" && s.tree.get(p) == nil; p = parentOf(p) {
			// The directory must not hold on to the key's longer path.
			p := strings.Clone(p)
			s.tree.nodes.Set(p, &Node{Path: p, Created: n.Created, Modified: n.Created, Dir: true})
		}
	} else if old.Deadline != 0 {
		s.deadlines.Delete(deadline{old.Deadline, old.Path})
	}
	s.tree.nodes.Set(n.Path, n)
	if n.Deadline != 0 {
		s.deadlines.Set(deadline{n.Deadline, n.Path})
	}
}

// expire removes what is due, at most MaxExpirePerCommand nodes. A directory
// takes along what is below it, deadlines included.
func (s *State) expire(events *[]*Event) {
	for range MaxExpirePerCommand {
		d, ok := s.deadlines.Min()
		if !ok || d.at > s.clock.now {
			return
		}
		ev := s.remove(ActionExpire, s.tree.get(d.path))
		s.stats.Expired++
		s.ring.add(ev)
		*events = append(*events, ev)
	}
}
