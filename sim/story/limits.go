package story

import (
	"cmp"
	"slices"

	"holdfast/sim"
)

// Limits of a page. What is beyond is left out, farthest from what the page is about first, heartbeats before other messages;
// the page says how much.
const (
	MaxPageMessages   = 24_000
	MaxPageOperations = 4_000
	MaxPageFaults     = 1_000
	MaxPageSteps      = 12_000 // of applied and of commit indices, of all members together
	MaxPageLines      = 600    // of the story
	maxText           = 240    // bytes of a text about one operation, or of a fault's detail
	maxOrder          = 400    // operations of an explanation
)

// distance is how far a time span lies from what the page is about; 0: in it.
func (f *focus) distance(from, to int64) int64 {
	switch {
	case f == nil:
		return from
	case to < f.from:
		return f.from - to
	}
	return max(from-f.to, 0)
}

// nearest gives the indices of up to limit of n things, in their order: of those with the lowest rank first.
func nearest(n, limit int, rank func(i int) (class int, distance int64)) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	if n <= limit {
		return all
	}
	type place struct {
		class    int
		distance int64
	}
	places := make([]place, n)
	for i := range places {
		places[i].class, places[i].distance = rank(i)
	}
	slices.SortStableFunc(all, func(a, b int) int {
		return cmp.Or(cmp.Compare(places[a].class, places[b].class), cmp.Compare(places[a].distance, places[b].distance))
	})
	kept := all[:limit]
	slices.Sort(kept)
	return kept
}

// Around what a page is about all messages are wanted before anything else.
const (
	wholeBefore = 3_000_000_000
	wholeAfter  = 1_000_000_000
)

// messages chooses those that a page shows.
func (f *focus) messages(list []sim.Message) []int {
	return nearest(len(list), MaxPageMessages, func(i int) (int, int64) {
		m := &list[i]
		d := f.distance(m.Sent, max(m.Sent, m.Arrived))
		switch {
		case f != nil && m.Sent >= f.from-wholeBefore && m.Sent <= f.to+wholeAfter:
			return 0, d
		case !idle(&m.Says):
			return 1, d
		}
		return 2, d
	})
}

// idle tells whether a message brings nothing new: a heartbeat, its answer, or what goes on with another message.
func idle(s *sim.Frame) bool {
	return s.Kind == "" || s.Kind == sim.FrameHello || s.Kind == sim.FrameAppended || s.Kind == sim.FrameAppend && s.Entries == 0
}
