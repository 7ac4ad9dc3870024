package jepsen

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// The times of the promise of service.
const (
	// settle is how long after the last fault members may still elect, restart,
	// catch up and find dead connections.
	settle = 10 * time.Second
	// outage is for how long one client may get no answer of one kind from one
	// member, whatever the reason.
	outage = 5 * time.Second
	// quietOutage is the same if no member restarts, elects or takes a state over
	// meanwhile, nor in the time of unrest before and after.
	quietOutage = 1500 * time.Millisecond
	unrest      = 3 * time.Second
	// headless is how long a watch may last that never had a head: that goes out
	// at once. One alone may have lain on a connection that died long ago.
	headless        = 2 * time.Second
	headlessWatches = 2
	// unasked is the longest pause after an unanswered request before the next
	// belongs to the same row: in a longer one nobody asked, so nobody knows
	// whether the member would have answered.
	unasked = 2 * time.Second
	// failures in a row are needed beside the time: the first may be a connection
	// that died long ago, and the second one that lay behind it, at the member.
	failures = 3
)

// checkService holds silence against the promise that a whole member serves
// when all is calm: then, after some time to settle, no client goes without an
// answer from a member, to its changes, its quorum reads, its own reads or its
// watches, for several requests in a row and some seconds. Of a watch the head
// counts as the answer.
//
// Single failures are granted, and so are clients that are soon out of patience:
// only a row that takes its time counts. The result's operations are those that
// had to be answered, and either were or were not.
func checkService(r *Run, _ Limits) Result {
	c := &collector{checker: "service"}
	if r.CalmAt > 0 {
		s := &serviceCheck{run: r, c: c}
		s.findUnrest()
		s.check()
	}
	return c.result()
}

// answered tells whether the member did what it is there for, be it to refuse.
func (o *Operation) answered() bool {
	if watches(o.Op) && o.EtcdIndex != 0 {
		return true
	}
	return o.Outcome == OK && !watches(o.Op) || o.ErrorCode != 0 && !internal(o.ErrorCode)
}

type serviceCheck struct {
	run *Run
	c   *collector
	// unrest are the times at which a member had a new role, gave a vote, began a
	// new life or took a state over.
	unrest []int64
}

func (s *serviceCheck) findUnrest() {
	for i := range s.run.Roles {
		s.unrest = append(s.unrest, s.run.Roles[i].At)
	}
	for i := range s.run.Votes {
		s.unrest = append(s.unrest, s.run.Votes[i].At)
	}
	for i := range s.run.Commits {
		if s.run.Commits[i].Restored {
			s.unrest = append(s.unrest, s.run.Commits[i].At)
		}
	}
	slices.Sort(s.unrest)
}

// quiet tells whether there was no unrest in a time, shortly before, which may
// have left something behind, and shortly after, which may have been its end.
func (s *serviceCheck) quiet(from, to int64) bool {
	i, _ := slices.BinarySearch(s.unrest, from-int64(unrest))
	return i == len(s.unrest) || s.unrest[i] > to+int64(unrest)
}

// What a member is asked for in different ways inside.
const (
	toChange = "its changes"
	toRead   = "its quorum reads"
	toLook   = "reads of its own view"
	toWatch  = "watches"
)

var services = [...]string{toChange, toRead, toLook, toWatch}

func serviceOf(k Kind) string {
	switch {
	case watches(k):
		return toWatch
	case k == LocalRead || k == LocalList:
		return toLook
	case k.Reads():
		return toRead
	}
	return toChange
}

// asking is one client's dealings with one member.
type asking struct {
	process int
	member  string
}

// row is what one client asks one member for, in one way.
type row struct {
	asking
	service string
}

// check follows each row for failures that follow each other. A pause in one row
// is none as long as the client asks the same member for something else, and
// gets no answer to that either: who is silent to everything must not get off
// because each service is asked for in its turn.
func (s *serviceCheck) check() {
	sorted := make([]*Operation, 0, len(s.run.History))
	last := map[int]*Operation{} // of each process
	for i := range s.run.History {
		o := &s.run.History[i]
		sorted = append(sorted, o)
		if before := last[o.Process]; before == nil || o.Call > before.Call {
			last[o.Process] = o
		}
	}
	slices.SortStableFunc(sorted, func(a, b *Operation) int { return cmp.Compare(a.Call, b.Call) })
	failed := map[row][]*Operation{}
	told := map[row]bool{}
	silent := map[asking]int64{} // when the last request without an answer was given up
	for _, o := range sorted {
		member := s.run.member(o.Member)
		if o.Call < s.run.CalmAt+int64(settle) || s.run.Absent[member] {
			continue
		}
		if !s.run.Whole && last[o.Process] == o {
			continue // it may have been under way when the run was broken off
		}
		s.c.operations++
		at := row{asking{o.Process, member}, serviceOf(o.Op)}
		if o.answered() {
			delete(failed, at)
			delete(told, at)
			continue
		}
		if o.Call-silent[at.asking] > int64(unasked) {
			for _, service := range services {
				delete(failed, row{at.asking, service})
				delete(told, row{at.asking, service})
			}
		}
		silent[at.asking] = o.Return
		failed[at] = append(failed[at], o)
		if why := s.outage(failed[at]); why != "" && !told[at] {
			told[at] = true
			s.tell(at, failed[at], why)
		}
	}
}

// outage says why failures in a row are too many; "" if they are not.
func (s *serviceCheck) outage(list []*Operation) string {
	first, last := list[0], list[len(list)-1]
	took := last.Return - first.Call
	switch {
	case withoutHead(list) >= headlessWatches:
		return "a watch is told at once where it begins"
	case len(list) < failures:
		return ""
	case took >= int64(outage):
		return fmt.Sprintf("that may last for %v at most", outage)
	case took >= int64(quietOutage) && s.quiet(first.Call, last.Return):
		return "no member had a new role, a new life or another state meanwhile"
	}
	return ""
}

// withoutHead counts the watches that had ample time for a head.
func withoutHead(list []*Operation) (n int) {
	for _, o := range list {
		if watches(o.Op) && o.Return-o.Call >= int64(headless) {
			n++
		}
	}
	return n
}

func (s *serviceCheck) tell(at row, list []*Operation, why string) {
	first, last := list[0], list[len(list)-1]
	s.c.add(last.Key, last.Return, "p%d got no answer to %d requests in a row for %s from %s, from %s to %s, though all was healed at %s; %s. The last: %s: %s",
		at.process, len(list), at.service, at.member, sec(first.Call), sec(last.Return), sec(s.run.CalmAt), why, s.run.tell(last), last.Error)
}
