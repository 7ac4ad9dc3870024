package kernel

import (
	"fmt"
	"strings"
)

// Applied is what one entry did.
type Applied struct {
	// Results has one answer per command, in their order.
	Results []Result
	// Events are the mutations in the order of their store indices, internal
	// ones and refreshes included.
	Events []*Event
}

// Apply applies the entry at a log index. Indices must rise; some are not
// ours (configuration changes, leaders' no-ops): see Skip.
//
// An error means that this build cannot know what the entry asks for
// (ErrNewerVersion, or ErrLimit where a limit was raised since) or that it is
// no entry at all (ErrMalformed): the state is unchanged, and the member must
// stop rather than go on without it.
//
// Nothing that Apply keeps or returns shares memory with entry.
func (s *State) Apply(index LogIndex, entry []byte) (Applied, error) {
	if index <= s.applied {
		return Applied{}, fmt.Errorf("apply: log index %d after %d: %w", index, s.applied, ErrMalformed)
	}
	e, err := decodeEntry(entry, s.commands)
	// The commands share the entry's memory, which is not ours.
	defer s.keepCommands(e.commands)
	if err != nil {
		return Applied{}, fmt.Errorf("apply: log index %d: %w", index, err)
	}
	out := Applied{}
	if e.kind == kindSession {
		s.clock.open(e.session, e.wall)
	} else {
		s.clock.advance(e.session, e.elapsed)
		out.Results = make([]Result, len(e.commands))
		out.Events = make([]*Event, 0, len(e.commands))
		for i := range e.commands {
			out.Results[i] = s.applyCommand(&e.commands[i], &out.Events)
		}
	}
	s.applied = index
	s.roll(index, entry, &out)
	return out, nil
}

// keepCommands keeps the memory of an entry's commands for the next one's,
// without what they hold.
func (s *State) keepCommands(list []Command) {
	clear(list)
	if n := cap(list); n > 0 && n <= maxKeptCommands {
		s.commands = list[:0]
	}
}

// Skip notes that the log went on to index with entries that are not ours, so
// that who waits for an index does not wait for ever.
func (s *State) Skip(index LogIndex) {
	if index > s.applied {
		s.applied = index
	}
}

// applyCommand runs one command and appends its events.
func (s *State) applyCommand(c *Command, events *[]*Event) Result {
	if c.Op == OpExpire {
		s.expire(events)
		return Result{}
	}
	var ev *Event
	var refused *Error
	if c.Op.onKey() {
		ev, refused = s.applyKey(c)
		s.stats.count(c, refused == nil)
	} else {
		ev, refused = s.applyCluster(c)
	}
	if refused != nil {
		// The cause often is a part of the entry.
		refused.Cause = strings.Clone(refused.Cause)
		return Result{Err: refused}
	}
	if ev != nil {
		s.ring.add(ev)
		*events = append(*events, ev)
	}
	return Result{Event: ev}
}

func (s *State) applyKey(c *Command) (*Event, *Error) {
	switch c.Op {
	case OpSet:
		return s.set(c)
	case OpCreate:
		return s.create(c, c.Path)
	case OpCreateInOrder:
		return s.createInOrder(c)
	case OpUpdate:
		return s.update(c)
	case OpCompareAndSwap:
		return s.compareAndSwap(c)
	case OpDelete:
		return s.delete(c)
	default:
		return s.compareAndDelete(c)
	}
}

// take gives the next store index.
func (s *State) take() StoreIndex {
	s.index++
	return s.index
}

// refuse is the refusal of a command; it takes no index.
func (s *State) refuse(code Code, cause string) *Error {
	return &Error{Code: code, Cause: cause, Index: s.index}
}

func (s *State) event(a Action, index StoreIndex, node, prev *Node) *Event {
	return &Event{Action: a, Index: index, Node: node, Prev: prev, Clock: s.clock.shown()}
}
