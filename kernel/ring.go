package kernel

import "strconv"

// ring holds the most recent events. Every store index has exactly one event,
// so the ring is a window of consecutive indices and looking one up is O(1).
type ring struct {
	events []*Event   // circular; len is the capacity once full
	size   int        // the capacity
	head   int        // where the oldest is
	next   StoreIndex // the index after the newest
}

func newRing(size int, next StoreIndex) *ring { return &ring{size: size, next: next} }

// first is the oldest index held; with an empty ring, the next to come.
func (r *ring) first() StoreIndex { return r.next - StoreIndex(len(r.events)) }

func (r *ring) at(i int) *Event { return r.events[(r.head+i)%len(r.events)] }

func (r *ring) add(e *Event) {
	r.next = e.Index + 1
	if len(r.events) < r.size {
		r.events = append(r.events, e)
		return
	}
	r.events[r.head] = e
	r.head = (r.head + 1) % r.size
}

// list copies the events, oldest first.
func (r *ring) list() []*Event {
	out := make([]*Event, 0, len(r.events))
	out = append(out, r.events[r.head:]...)
	return append(out, r.events[:r.head]...)
}

// resize keeps the newest events that fit.
func (r *ring) resize(size int) {
	kept := r.list()
	if len(kept) > size {
		kept = kept[len(kept)-size:]
	}
	r.events, r.head, r.size = append(make([]*Event, 0, len(kept)), kept...), 0, size
}

// Replay calls f for the events from index since on, oldest first, until f
// says no. It refuses with code 401 when some of them are no longer held; the
// cause gives the oldest index held and the one asked for, as etcd does.
func (s *State) Replay(since StoreIndex, f func(*Event) bool) *Error {
	first := s.ring.first()
	if since < first {
		return &Error{CodeEventCleared, "the requested history has been cleared [" +
			strconv.FormatUint(uint64(first), 10) + "/" + strconv.FormatUint(uint64(since), 10) + "]", s.index}
	}
	for i := int(min(since-first, StoreIndex(len(s.ring.events)))); i < len(s.ring.events); i++ {
		if !f(s.ring.at(i)) {
			break
		}
	}
	return nil
}
