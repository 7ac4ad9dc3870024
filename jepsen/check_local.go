package jepsen

import (
	"cmp"
	"slices"
	"sort"
)

// checkLocalReads holds what a member shows of its own view, in reads and in the
// heads of watches, against all that it has answered before: at one member the
// index never goes back, over restarts too. Who had a change confirmed by a member,
// whoever leads, finds it there; so does who was told of one by a read, a refusal or
// an event. What a read shows is the order checker's business.
func checkLocalReads(r *Run, _ Limits) Result {
	c := &collector{checker: "local-reads"}
	byMember := map[string]*views{}
	var members []string
	for i := range r.History {
		o := &r.History[i]
		m := r.member(o.Member)
		if byMember[m] == nil {
			members = append(members, m)
			byMember[m] = &views{}
		}
		byMember[m].add(o)
	}
	sort.Strings(members)
	for _, m := range members {
		byMember[m].check(r, c)
	}
	return c.result()
}

// views are what one member was asked for of its own view, and what it had told.
type views struct {
	asked []*Operation
	told  []told
}

// told is an index that a client had been told at a time.
type told struct {
	o     *Operation
	index uint64
	at    int64
}

func (v *views) add(o *Operation) {
	watch := watches(o.Op)
	if o.EtcdIndex == 0 || !watch && !asksState(o) && (o.Op.Reads() || o.Outcome != OK) {
		return
	}
	v.told = append(v.told, told{o, o.EtcdIndex, o.Return})
	if watch || o.Op == LocalRead || o.Op == LocalList {
		v.asked = append(v.asked, o)
	}
	for i := range o.Events {
		at := o.Return
		if i < len(o.EventsAt) {
			at = o.EventsAt[i]
		}
		v.told = append(v.told, told{o, o.Events[i].Index, at})
	}
}

// check holds the indices that were asked for against real time.
func (v *views) check(r *Run, c *collector) {
	slices.SortStableFunc(v.asked, func(a, b *Operation) int { return cmp.Compare(a.Call, b.Call) })
	slices.SortStableFunc(v.told, func(a, b told) int { return cmp.Compare(a.at, b.at) })
	var most told
	left := v.told
	for _, o := range v.asked {
		c.operations++
		for ; len(left) > 0 && left[0].at < o.Call; left = left[1:] {
			if left[0].index > most.index {
				most = left[0]
			}
		}
		if o.EtcdIndex < most.index {
			c.add(o.Key, o.Return, "%s went back to index %d: the same member had told index %d at %s to %s",
				r.tell(o), o.EtcdIndex, most.index, sec(most.at), r.tell(most.o))
		}
	}
}
