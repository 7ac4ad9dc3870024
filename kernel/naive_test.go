package kernel

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// naive is what the state machine is held against: one map, walked with
// strings functions, no indices of its own, nothing shared, nothing clever.
// It shares the vocabulary of the package (Event, Error, Node), not its code.
type naive struct {
	nodes   map[string]Node
	index   StoreIndex
	now     Time
	base    Time
	session Session
	wall    int64
	held    []*Event
	ring    int
	members map[uint64]Member
	removed map[uint64]bool
	uids    uint64
}

func newNaive() *naive {
	return &naive{nodes: map[string]Node{}, ring: 1000, members: map[uint64]Member{}, removed: map[uint64]bool{}}
}

func (m *naive) open(s Session, wall int64) { m.session, m.base, m.wall = s, m.now, wall }

func (m *naive) pass(s Session, elapsed Time) {
	if s == m.session && m.base+elapsed > m.now {
		m.now = m.base + elapsed
	}
}

func (m *naive) apply(c Command) (Result, []*Event) {
	if c.Op == OpExpire {
		return Result{}, m.expire()
	}
	if c.Op == OpSetting {
		n := 0
		if _, err := fmt.Sscanf(c.Value, "%d", &n); err != nil {
			panic(err)
		}
		m.ring = n
		m.trim()
		return Result{}, nil
	}
	var e *Event
	code, cause := m.applyMember(c, &e)
	if c.Op <= OpCompareAndDelete {
		code, cause = m.applyKey(c, &e)
	}
	if code != 0 {
		return Result{Err: &Error{Code: code, Cause: cause, Index: m.index}}, nil
	}
	return Result{Event: m.happened(e)}, []*Event{e}
}

// happened completes an event and puts it into the ring.
func (m *naive) happened(e *Event) *Event {
	m.index++
	e.Index = m.index
	e.Clock = Clock{Now: m.now, WallOffset: m.wall - int64(m.base)}
	m.held = append(m.held, e)
	m.trim()
	return e
}

func (m *naive) trim() {
	for len(m.held) > m.ring {
		m.held = m.held[1:]
	}
}

func (m *naive) applyMember(c Command, e **Event) (Code, string) {
	id := fmt.Sprintf("%x", c.Member.ID)
	old, known := m.members[c.Member.ID]
	switch {
	case c.Op == OpMemberAdd && (known || m.removed[c.Member.ID]):
		return 109, id
	case c.Op == OpMemberAdd:
		m.uids++
		old = c.Member
		old.UID = m.uids
	case !known:
		return 100, "member " + id
	case c.Op == OpMemberAttributes:
		old.Name, old.ClientURLs = c.Member.Name, c.Member.ClientURLs
	case c.Op == OpMemberUpdate:
		old.PeerURLs = c.Member.PeerURLs
	}
	m.members[c.Member.ID] = old
	if c.Op == OpMemberRemove {
		delete(m.members, c.Member.ID)
		m.removed[c.Member.ID] = true
	}
	*e = &Event{Action: ActionInternal}
	return 0, ""
}

// walk goes down from the root, name by name.
func (m *naive) walk(path string) (Node, Code, string) {
	at := ""
	n := Node{Dir: true}
	for _, name := range strings.Split(strings.Trim(path, "/"), "/") {
		if !n.Dir {
			return n, 104, at
		}
		at += "/" + name
		found, ok := m.nodes[at]
		if !ok {
			return n, 100, at
		}
		n = found
	}
	return n, 0, ""
}

func (m *naive) deadline(c Command) Time {
	switch {
	case !c.HasTTL:
		return 0
	case m.now == 0 && c.TTLSeconds == 0:
		return 1
	}
	return m.now + Time(c.TTLSeconds)*1_000_000_000
}

func (m *naive) applyKey(c Command, e **Event) (Code, string) {
	if c.Path == "/" && c.Op != OpCreateInOrder {
		if c.Op == OpCompareAndDelete {
			return 102, "/"
		}
		return 107, "/"
	}
	if c.Op == OpCreateInOrder {
		c.Path = strings.TrimRight(c.Path, "/") + fmt.Sprintf("/%020d", m.index+1)
	}
	old, code, cause := m.walk(c.Path)
	exists := code == 0
	switch c.Op {
	case OpSet, OpCreate, OpCreateInOrder:
		switch {
		case code == 104 || !exists && c.Refresh && c.Op == OpSet:
			return code, cause
		case exists && c.Op != OpSet:
			return 105, c.Path
		case exists && old.Dir:
			return 102, c.Path
		}
		n := Node{Path: c.Path, Value: c.Value, Dir: c.Dir, Deadline: m.deadline(c), Created: m.index + 1, Modified: m.index + 1}
		if c.Refresh && c.Op == OpSet {
			n.Value = old.Value
		}
		if c.Dir {
			n.Value = ""
		}
		m.makeParents(c.Path)
		m.nodes[c.Path] = n
		*e = &Event{Action: ActionCreate, Node: &n}
		if c.Op == OpSet {
			**e = Event{Action: ActionSet, Node: &n, Refresh: c.Refresh}
		}
		if exists {
			(*e).Prev = &old
		}
		return 0, ""
	}
	if !exists {
		return code, cause
	}
	return m.applyToExisting(c, old, e)
}

func (m *naive) applyToExisting(c Command, old Node, e **Event) (Code, string) {
	n := old
	n.Modified = m.index + 1
	switch c.Op {
	case OpUpdate, OpCompareAndSwap:
		if old.Dir && (c.Value != "" || c.Op == OpCompareAndSwap) {
			return 102, c.Path
		}
	case OpCompareAndDelete:
		if old.Dir {
			return 102, c.Path
		}
	case OpDelete:
		if old.Dir && !c.Dir && !c.Recursive {
			return 102, c.Path
		}
		if old.Dir && !c.Recursive && len(m.children(c.Path)) > 0 {
			return 108, c.Path
		}
	}
	if c.Op == OpCompareAndSwap || c.Op == OpCompareAndDelete {
		cause := ""
		if c.PrevValue != "" && c.PrevValue != old.Value {
			cause += fmt.Sprintf(" [%s != %s]", c.PrevValue, old.Value)
		}
		if c.PrevIndex != 0 && c.PrevIndex != old.Modified {
			cause += fmt.Sprintf(" [%d != %d]", c.PrevIndex, old.Modified)
		}
		if cause != "" {
			return 101, strings.TrimSpace(cause)
		}
	}
	action := map[Op]Action{OpUpdate: ActionUpdate, OpCompareAndSwap: ActionCompareAndSwap, OpDelete: ActionDelete, OpCompareAndDelete: ActionCompareAndDelete}[c.Op]
	if c.Op == OpDelete || c.Op == OpCompareAndDelete {
		*e = m.takeAway(action, old)
		return 0, ""
	}
	n.Deadline = m.deadline(c)
	if !c.Refresh {
		n.Value = c.Value
	}
	stored := n
	if old.Dir {
		stored.Modified = old.Modified
	}
	m.nodes[c.Path] = stored
	*e = &Event{Action: action, Node: &n, Prev: &old, Refresh: c.Refresh}
	return 0, ""
}

func (m *naive) takeAway(a Action, old Node) *Event {
	for p := range m.nodes {
		if p == old.Path || strings.HasPrefix(p, old.Path+"/") {
			delete(m.nodes, p)
		}
	}
	return &Event{Action: a, Prev: &old, Node: &Node{Path: old.Path, Dir: old.Dir, Created: old.Created, Modified: m.index + 1}}
}

func (m *naive) makeParents(path string) {
	names := strings.Split(path, "/")
	for i := 2; i < len(names); i++ {
		p := strings.Join(names[:i], "/")
		if _, ok := m.nodes[p]; !ok {
			m.nodes[p] = Node{Path: p, Dir: true, Created: m.index + 1, Modified: m.index + 1}
		}
	}
}

func (m *naive) expire() []*Event {
	var events []*Event
	for len(events) < 1000 {
		var first *Node
		for _, n := range m.nodes {
			if n.Deadline == 0 || n.Deadline > m.now {
				continue
			}
			if first == nil || n.Deadline < first.Deadline || n.Deadline == first.Deadline && n.Path < first.Path {
				first = &n
			}
		}
		if first == nil {
			break
		}
		events = append(events, m.happened(m.takeAway(ActionExpire, *first)))
	}
	return events
}

// children gives the names in a directory, sorted.
func (m *naive) children(dir string) []string {
	names := map[string]bool{}
	for p := range m.nodes {
		if rest, ok := strings.CutPrefix(p, strings.TrimRight(dir, "/")+"/"); ok {
			names[strings.Split(rest, "/")[0]] = true
		}
	}
	list := []string{}
	for name := range names {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

// replay gives the indices of the events that a watcher would see.
func (m *naive) replay(since StoreIndex, path string, recursive bool) string {
	oldest := m.index + 1
	if len(m.held) > 0 {
		oldest = m.held[0].Index
	}
	if since < oldest {
		return fmt.Sprintf("401 [%d/%d]", oldest, since)
	}
	seen := []StoreIndex{}
	for _, e := range m.held {
		if e.Index >= since && watched(e, path, recursive) {
			seen = append(seen, e.Index)
		}
	}
	return fmt.Sprint(seen)
}

// watched is the rule of Matches, in terms of lists of names.
func watched(e *Event, path string, recursive bool) bool {
	if e.Action == ActionInternal || e.Refresh {
		return false
	}
	names := func(p string) []string { return strings.FieldsFunc(p, func(r rune) bool { return r == '/' }) }
	at, w := names(e.Node.Path), names(path)
	within := func(a, b []string) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }
	switch {
	case slices.Equal(at, w):
		return true
	case within(w, at):
		return recursive && !slices.ContainsFunc(at[len(w):], func(n string) bool { return strings.HasPrefix(n, "_") })
	case within(at, w):
		gone := e.Action == ActionDelete || e.Action == ActionCompareAndDelete || e.Action == ActionExpire
		return gone && e.Node.Dir
	}
	return false
}
