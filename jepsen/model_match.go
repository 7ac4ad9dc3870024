package jepsen

import (
	"fmt"
	"slices"
	"strconv"
)

// String shows the event in a few words for reports.
func (e *Event) String() string {
	what := fmt.Sprintf("%s %s", e.Action, e.Key)
	switch {
	case e.Action == actionInternal:
		return e.Action
	case e.Dir:
		what += " (a directory)"
	case e.Refresh:
		what += " (a refresh)"
	case !removes(e.Action):
		what += fmt.Sprintf(" = %q", e.Value)
	}
	if e.PrevIndex != 0 {
		what += fmt.Sprintf(" in place of %q of index %d", e.PrevValue, e.PrevIndex)
	}
	return what
}

var actionOf = map[Kind]string{
	Write: actionSet, Create: actionCreate, Update: actionUpdate, CAS: actionCAS, Refresh: actionUpdate, Delete: actionDelete,
	CAD: actionCAD, InOrder: actionCreate, MakeDir: actionCreate, RemoveDir: actionDelete, RemoveAll: actionDelete,
}

// mismatch says why the event is not what the operation asks for; "" if it is.
func mismatch(o *Operation, e *Event) string {
	if want := actionOf[o.Op]; e.Action != want {
		return fmt.Sprintf("its action is %s", e.Action)
	}
	if o.Op == InOrder {
		if parent(e.Key) != o.Key {
			return fmt.Sprintf("its key %s does not lie in %s", e.Key, o.Key)
		}
	} else if e.Key != o.Key {
		return fmt.Sprintf("its key is %s", e.Key)
	}
	if e.Refresh != (o.Op == Refresh) {
		return fmt.Sprintf("it is a mere refresh: %v", e.Refresh)
	}
	switch o.Op {
	case Write, Create, Update, CAS, InOrder:
		if e.Value != o.Arg {
			return fmt.Sprintf("its value is %q", e.Value)
		}
	case MakeDir:
		if !e.Dir {
			return "it is no directory"
		}
	case Delete:
		if e.Dir {
			return "it takes a directory away"
		}
	}
	if o.Op == CAS || o.Op == CAD {
		switch {
		case o.otherIndex(e.PrevIndex):
			return fmt.Sprintf("it replaces index %d", e.PrevIndex)
		case o.otherValue(e.PrevValue):
			return fmt.Sprintf("it replaces %q", e.PrevValue)
		}
	}
	return ""
}

// misquote says where a confirmed operation's answer differs from its event, or
// from the entry that brought it.
// All that an event has its answer shows, but for the value that is taken away.
func misquote(o *Operation, g *logged) string {
	key, e := o.Node, g.Event
	if key == "" {
		key = o.Key
	}
	switch {
	case o.Action != e.Action:
		return fmt.Sprintf("the answer says action %q", o.Action)
	case key != e.Key:
		return fmt.Sprintf("the answer says key %s", key)
	case o.Dir != e.Dir:
		return fmt.Sprintf("the answer says that it is a directory: %v", o.Dir)
	case o.CreatedIndex != e.CreatedIndex:
		return fmt.Sprintf("the answer says created at index %d (0: nothing), the event %d", o.CreatedIndex, e.CreatedIndex)
	case o.PrevModified != e.PrevIndex:
		return fmt.Sprintf("the answer says it replaced index %d (0: nothing)", o.PrevModified)
	case o.Result != e.PrevValue:
		return fmt.Sprintf("the answer says it replaced %q", o.Result)
	case o.Shown != nil:
		return fmt.Sprintf("the answer shows the value %q", *o.Shown)
	case o.EtcdIndex != e.Index:
		return fmt.Sprintf("the answer's X-Etcd-Index is %d", o.EtcdIndex)
	case o.RaftIndex != g.LogIndex:
		return fmt.Sprintf("the answer's X-Raft-Index is %d (0: none), the entry's %d", o.RaftIndex, g.LogIndex)
	case o.RaftTerm != g.Term:
		return fmt.Sprintf("the answer's X-Raft-Term is %d (0: none), the entry's %d", o.RaftTerm, g.Term)
	}
	return ""
}

// causes pairs events with the operations that asked for them.
type causes struct {
	of    []int    // by store index - 1: an index of the history, -1 if none is known
	event []uint64 // by index of the history: a store index, 0 if there is none
}

// cause gives the operation behind an event, nil if none is known.
func (m *causes) cause(r *Run, index uint64) *Operation {
	if at := m.of[index-1]; at >= 0 {
		return &r.History[at]
	}
	return nil
}

func (m *causes) pair(op int, index uint64) { m.of[index-1], m.event[op] = op, index }

// findCauses pairs the events of the log with operations: confirmed ones by
// the index in their answer, unknown ones by their value, or, where there is
// none, by key, kind and time. What does not go together is a finding of c.
func findCauses(r *Run, l *eventLog, c *collector) *causes {
	m := &causes{of: make([]int, l.last()), event: make([]uint64, len(r.History))}
	for i := range m.of {
		m.of[i] = -1
	}
	for i := range r.History {
		if o := &r.History[i]; !o.Op.Reads() && o.Outcome == OK && o.ModifiedIndex != 0 {
			m.claim(r, l, c, i)
		}
	}
	byValue, byKey := candidates(r.History)
	applied := map[string]uint64{} // a value, and the first event that brought it
	for i := range l.events {
		g := l.at(uint64(i) + 1)
		if g == nil || g.Action == actionInternal || g.Action == actionExpire {
			continue
		}
		if g.Refresh || removes(g.Action) || g.Value == "" {
			if m.of[i] < 0 {
				m.matchSilent(r, g, byKey[g.Key], c)
			}
			continue
		}
		if m.of[i] < 0 {
			m.matchValue(r, g, byValue[g.Value], applied[g.Value], c)
		}
		if applied[g.Value] == 0 {
			applied[g.Value] = g.Index
		}
	}
	return m
}

// claim takes a confirmed change at its word.
func (m *causes) claim(r *Run, l *eventLog, c *collector, i int) {
	o := &r.History[i]
	g := l.at(o.ModifiedIndex)
	if g == nil {
		if len(r.Commits) > 0 {
			c.add(o.Key, o.Return, "%s was confirmed with index %d, but no member ever applied such an event: the last one is %d", r.tell(o), o.ModifiedIndex, l.last())
		}
		return
	}
	if other := m.of[o.ModifiedIndex-1]; other >= 0 {
		c.add(o.Key, o.Return, "%s was confirmed with index %d, and so was %s", r.tell(o), o.ModifiedIndex, r.tell(&r.History[other]))
		return
	}
	m.pair(i, o.ModifiedIndex)
	why := mismatch(o, g.Event)
	if why == "" {
		why = misquote(o, g)
	}
	switch {
	case why != "":
		c.add(o.Key, o.Return, "%s was confirmed with index %d, but the event there is: %s; %s", r.tell(o), o.ModifiedIndex, g.Event, why)
	case g.At < o.Call:
		c.add(o.Key, o.Call, "%s was confirmed with index %d, which %s had applied before it was called, at %s", r.tell(o), o.ModifiedIndex, g.Member, sec(g.At))
	case g.At > o.Return:
		c.add(o.Key, o.Return, "%s was confirmed with index %d, which nobody had applied by then: %s was the first, at %s", r.tell(o), o.ModifiedIndex, g.Member, sec(g.At))
	}
}

// candidates sorts changes by what they could be known by: those with a value
// by it, the unknown ones without by key, the earliest call first.
func candidates(h History) (byValue, byKey map[string][]int) {
	byValue, byKey = map[string][]int{}, map[string][]int{}
	for i := range h {
		o := &h[i]
		switch {
		case o.Op.Reads():
		case o.Arg != "":
			byValue[o.Arg] = append(byValue[o.Arg], i)
		case o.Outcome == Unknown || o.Outcome == OK && o.ModifiedIndex == 0:
			byKey[o.Key] = append(byKey[o.Key], i)
		}
	}
	for _, list := range byKey {
		slices.SortStableFunc(list, func(a, b int) int {
			// The choosiest first: what a plain delete explains must not be
			// charged to a recursive one that another event may need.
			if d := choosiness(h[a].Op) - choosiness(h[b].Op); d != 0 {
				return d
			}
			return int(min(max(h[a].Call-h[b].Call, -1), 1))
		})
	}
	return byValue, byKey
}

func choosiness(k Kind) int {
	switch k {
	case RemoveDir:
		return 1
	case RemoveAll:
		return 2
	}
	return 0
}

// matchValue looks for the operation that wrote the event's value. Earlier is
// an event with the same value, 0 if there is none.
func (m *causes) matchValue(r *Run, g *logged, ops []int, earlier uint64, c *collector) {
	why := ""
	for _, i := range ops {
		o := &r.History[i]
		fault := mismatch(o, g.Event)
		switch {
		case m.event[i] != 0:
			earlier = m.event[i]
		case o.Outcome == Fail:
			if why == "" {
				why = r.tell(o) + " was refused for certain, and yet its value is there"
			}
		case fault != "":
			why = r.tell(o) + " asked for something else: " + fault
		case g.At < o.Call:
			m.pair(i, g.Index)
			c.add(g.Key, g.At, "event %d (%s) was applied by %s at %s, before %s was called", g.Index, g.Event, g.Member, sec(g.At), r.tell(o))
			return
		default:
			m.pair(i, g.Index)
			return
		}
	}
	switch {
	case earlier != 0:
		c.add(g.Key, g.At, "value %q was applied twice: by event %d and again by event %d (%s), first applied by %s at %s",
			g.Value, earlier, g.Index, g.Event, g.Member, sec(g.At))
	case why != "":
		c.add(g.Key, g.At, "event %d (%s), first applied by %s at %s: %s", g.Index, g.Event, g.Member, sec(g.At), why)
	case r.Whole:
		c.add(g.Key, g.At, "event %d (%s), first applied by %s at %s, has no cause: no client asked for it", g.Index, g.Event, g.Member, sec(g.At))
	}
}

// matchSilent looks for the cause of an event that brought no value.
func (m *causes) matchSilent(r *Run, g *logged, ops []int, c *collector) {
	late := -1
	for _, i := range ops {
		o := &r.History[i]
		if m.event[i] != 0 || mismatch(o, g.Event) != "" || !removes(g.Action) && g.deadlineFor(o.TTL) != g.Deadline {
			continue
		}
		if o.Call <= g.At {
			m.pair(i, g.Index)
			return
		}
		late = i
	}
	switch {
	case late >= 0 && r.Whole:
		c.add(g.Key, g.At, "event %d (%s) was applied by %s at %s, before %s was called, and nobody else can have caused it",
			g.Index, g.Event, g.Member, sec(g.At), r.tell(&r.History[late]))
	case r.Whole:
		c.add(g.Key, g.At, "event %d (%s), first applied by %s at %s, has no cause: every client that asked for such a thing has another event, or was refused",
			g.Index, g.Event, g.Member, sec(g.At))
	}
}

// inOrderName is the name that a POST gives to the key it makes at an index.
func inOrderName(index uint64) string { return fmt.Sprintf("%020d", index) }

func uintString(n uint64) string { return strconv.FormatUint(n, 10) }
