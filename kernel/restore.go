package kernel

import (
	"fmt"
	"io"
	"slices"
)

// Restore reads a snapshot into a new state, block by block. It gives the
// reader's own error (wrapped), ErrNewerVersion for the form of a newer build
// and ErrMalformed, with the place, for anything that is not a whole and
// intact snapshot; never a half-filled state.
func Restore(r io.Reader) (*State, error) {
	l := loader{s: New()}
	if err := l.read(r); err != nil {
		return nil, fmt.Errorf("restore snapshot: %w", err)
	}
	return l.s, nil
}

// loader fills a state record by record, in the order they must have. It
// trusts nothing: what it lets through, the rest of the package relies on.
type loader struct {
	s             *State
	stage         int
	path          string // of the last node
	dir           string // that a node was found to lie in last
	nodes, events uint64
	// survey, if there is one, is filled instead of the tree and the ring.
	survey *Survey
}

func (l *loader) read(r io.Reader) error {
	in := &blockReader{r: r}
	if err := in.header(); err != nil {
		return err
	}
	for l.stage != stageEnd {
		rec, err := in.next()
		if err == nil {
			err = l.load(rec)
		}
		if err != nil {
			return fmt.Errorf("block at byte %d: %w", in.start, err)
		}
	}
	return in.atEnd()
}

// The stages of a snapshot, one for each kind of record.
const (
	stageNone = iota
	stageState
	stageMember
	stageRemoved
	stageNode
	stageEvent
	stageEnd
)

func stageOf(kind byte) int {
	switch kind {
	case recordState:
		return stageState
	case recordMember:
		return stageMember
	case recordRemoved:
		return stageRemoved
	case recordNode:
		return stageNode
	case recordEvent:
		return stageEvent
	case recordEnd:
		return stageEnd
	}
	return stageNone
}

func (l *loader) load(rec []byte) error {
	r := &reader{b: rec}
	kind := r.byte()
	stage := stageOf(kind)
	// A stage never goes back, and the state comes first and once.
	if stage == stageNone || stage < l.stage || (stage == stageState) != (l.stage == stageNone) {
		return fmt.Errorf("record %q out of place: %w", kind, ErrMalformed)
	}
	l.stage = stage
	switch stage {
	case stageState:
		l.state(r)
	case stageMember:
		l.member(r)
	case stageRemoved:
		l.removed(r)
	case stageNode:
		l.node(r)
	case stageEvent:
		l.event(r)
	case stageEnd:
		l.end(r)
	}
	if err := r.end(); err != nil {
		return fmt.Errorf("record %q: %w", kind, err)
	}
	if l.survey != nil {
		l.survey.add(stage, rec)
	}
	return nil
}

func (l *loader) state(r *reader) {
	s := l.s
	s.applied = LogIndex(r.uvarint())
	s.index = StoreIndex(r.uvarint())
	s.history = r.uint64()
	s.clock.session = Session{Term: r.uvarint(), Restore: r.uvarint()}
	s.clock.now = r.time(maxTime)
	s.clock.base = r.time(s.clock.now)
	s.clock.wall = r.varint()
	size := r.uvarint()
	s.lastUID = r.uvarint()
	s.version = r.string(MaxNameBytes, true)
	if size < MinHistoryEvents || size > MaxHistoryEvents {
		r.fail("length of the event ring")
		return
	}
	s.settings.HistoryEvents = int(size)
	s.ring = newRing(int(size), s.index+1)
}

func (l *loader) member(r *reader) {
	m := r.member()
	list := l.s.members
	if m.ID == 0 || m.UID == 0 || m.UID > l.s.lastUID || len(list) >= MaxMembers {
		r.fail("a member")
		return
	}
	if len(list) > 0 && list[len(list)-1].ID >= m.ID {
		r.fail("order of members")
	}
	if slices.ContainsFunc(list, func(other Member) bool { return other.UID == m.UID }) {
		r.fail("a UID given twice")
	}
	l.s.members = append(list, m)
}

func (l *loader) removed(r *reader) {
	id := r.uint64()
	_, known := l.s.memberAt(id)
	if id == 0 || known || l.s.MemberRemoved(id) || len(l.s.removed) >= MaxRemovedMembers {
		r.fail("a removed member")
		return
	}
	l.s.removed = append(l.s.removed, id)
}

func (l *loader) node(r *reader) {
	n := r.node()
	if r.err == nil && n.Path <= l.path {
		r.fail("order of nodes")
	}
	if r.err == nil && (n.Created > n.Modified || n.Modified > l.s.index) {
		r.fail("indices of a node")
	}
	if r.err != nil {
		return
	}
	l.path = n.Path
	l.nodes++
	if l.survey != nil {
		return
	}
	// Parents sort before their children.
	if parent := parentOf(n.Path); parent != "/" && parent != l.dir {
		if p := l.s.tree.get(parent); p == nil || !p.Dir {
			r.fail("a node without its directory")
			return
		}
		l.dir = parent
	}
	l.s.tree.nodes.Load(n.Path, n)
	if n.Deadline != 0 {
		l.s.deadlines.Set(deadline{n.Deadline, n.Path})
	}
}

func (l *loader) event(r *reader) {
	e := r.event()
	ring := l.s.ring
	if r.err == nil && (l.events >= uint64(ring.size) || l.events > 0 && e.Index != ring.next || e.Index > l.s.index) {
		r.fail("order of events")
	}
	if r.err != nil {
		return
	}
	l.events++
	if l.survey == nil {
		ring.add(e)
	} else {
		ring.next = e.Index + 1
	}
}

func (l *loader) end(r *reader) {
	s := l.s
	for _, n := range [...]uint64{uint64(len(s.members)), uint64(len(s.removed)), l.nodes, l.events} {
		if r.uvarint() != n {
			r.fail("counts differ")
		}
	}
	if s.ring.next != s.index+1 {
		r.fail("events missing")
	}
}

// node reads a node of the tree or of an event.
func (r *reader) node() *Node {
	flags := r.byte()
	if flags >= nodeFlagsEnd {
		r.fail("flags of a node")
	}
	n := &Node{Dir: flags&nodeDir != 0, Path: r.string(MaxPathBytes, true), Value: r.string(MaxValueBytes, true)}
	n.Created, n.Modified = StoreIndex(r.uvarint()), StoreIndex(r.uvarint())
	if flags&nodeDeadline != 0 {
		if n.Deadline = r.time(maxDeadline); n.Deadline == 0 {
			r.fail("deadline of a node")
		}
	}
	if n.Path == "/" || !ValidPath(n.Path) || n.Dir && n.Value != "" || n.Created == 0 || n.Modified == 0 {
		r.fail("a node")
	}
	return n
}

func (r *reader) event() *Event {
	e := &Event{Action: Action(r.byte())}
	flags := r.byte()
	if flags >= eventFlagsEnd || e.Action >= actionEnd {
		r.fail("flags of an event")
	}
	e.Refresh = flags&eventRefresh != 0
	e.Index = StoreIndex(r.uvarint())
	e.Clock = Clock{Now: r.time(maxTime), WallOffset: r.varint()}
	if flags&eventNode != 0 {
		e.Node = r.node()
	}
	if flags&eventPrev != 0 {
		e.Prev = r.node()
	}
	if e.Index == 0 || (e.Node == nil) != (e.Action == ActionInternal) || e.Node == nil && e.Prev != nil {
		r.fail("an event")
	}
	return e
}

// DecodeEvent reads what AppendEvent wrote, and fails with ErrMalformed on
// anything else. The event's strings are copies.
func DecodeEvent(b []byte) (*Event, error) {
	r := reader{b: b}
	e := r.event()
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("event: %w", err)
	}
	return e, nil
}
