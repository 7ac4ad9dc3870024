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
	// at once.
	headless = 2 * time.Second
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
// only a row that takes its time counts.
func checkService(r *Run, _ Limits) Result {
	c := &collector{checker: "service"}
	for i := range r.History {
		if r.History[i].answered() {
			c.operations++
		}
	}
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

// row is what one client asks one member for, in one way.
type row struct {
	process         int
	member, service string
}

// check follows each row for failures that follow each other.
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
	for _, o := range sorted {
		member := s.run.member(o.Member)
		if o.Call < s.run.CalmAt+int64(settle) || s.run.Absent[member] {
			continue
		}
		if !s.run.Whole && last[o.Process] == o {
			continue // it may have been under way when the run was broken off
		}
		at := row{o.Process, member, serviceOf(o.Op)}
		if o.answered() {
			delete(failed, at)
			delete(told, at)
			continue
		}
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
	case watches(last.Op) && last.Return-last.Call >= int64(headless):
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

func (s *serviceCheck) tell(at row, list []*Operation, why string) {
	first, last := list[0], list[len(list)-1]
	s.c.add(last.Key, last.Return, "p%d got no answer to %d requests in a row for %s from %s, from %s to %s, though all was healed at %s; %s. The last: %s: %s",
		at.process, len(list), at.service, at.member, sec(first.Call), sec(last.Return), sec(s.run.CalmAt), why, s.run.tell(last), last.Error)
}
