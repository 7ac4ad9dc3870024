package jepsen

import (
	"cmp"
	"slices"
	"time"
)

// lateness is what a time to live may always be late by, besides what the run
// itself explains: commit latency, and more keys than one command expires.
const lateness = 1500 * time.Millisecond

// checkTTL holds the times to live against true time, by the promise made for
// clocks whose rate is wrong by at most Rho: from the call of the operation
// that last set it, a key lives for TTL/(1+Rho) at least; and it is gone
// TTL/(1-Rho), a tick, the latency of a commit and the changes of clock
// sessions later. Wall clocks count for nothing.
//
// It is generous about latency: every stretch of the waiting time in which no
// member committed anything for more than two ticks is granted in full, and
// so is every stall of a clock.
func checkTTL(r *Run, _ Limits) Result {
	c := &collector{checker: "ttl"}
	if len(r.Commits) == 0 {
		return c.result()
	}
	l := newEventLog(r, nil)
	t := &ttlCheck{run: r, log: l, causes: findCauses(r, l, nil), c: c}
	t.stalls()
	t.checkClock()
	t.checkLives()
	t.checkShown()
	return c.result()
}

type ttlCheck struct {
	run    *Run
	log    *eventLog
	causes *causes
	c      *collector
	// grants are the times that explain lateness, in the order of time.
	grants []grant
	end    int64
}

type grant struct{ from, to, worth int64 }

// stalls gathers when the cluster stood still, and when sessions changed.
func (t *ttlCheck) stalls() {
	entries := slices.Clone(t.log.entries)
	slices.SortStableFunc(entries, func(a, b *Commit) int { return cmp.Compare(a.At, b.At) })
	tick := int64(t.run.Tick)
	for i := 1; i < len(entries); i++ {
		a, b := entries[i-1], entries[i]
		switch {
		case a.Session != b.Session:
			t.grants = append(t.grants, grant{a.At, b.At, b.At - a.At + tick})
		case b.At-a.At > 2*tick:
			t.grants = append(t.grants, grant{a.At, b.At, b.At - a.At})
		}
	}
	t.end = t.run.End
	if len(entries) > 0 {
		last := entries[len(entries)-1].At
		if t.end == 0 {
			t.end = last
		}
		t.grants = append(t.grants, grant{last, max(last, t.end), max(0, t.end-last)})
	}
}

// granted is what explains lateness within a time.
func (t *ttlCheck) granted(from, to int64) (sum int64) {
	i, _ := slices.BinarySearchFunc(t.grants, from, func(g grant, at int64) int { return cmp.Compare(g.to, at) })
	for ; i < len(t.grants) && t.grants[i].from < to; i++ {
		sum += t.grants[i].worth
	}
	return sum
}

// stalled is how long clocks were made to stand still, one after another or
// at once, by stalls that touch a time: any of them may be the one that
// measured it.
func (t *ttlCheck) stalled(from, to int64) (sum int64) {
	for _, s := range t.run.Stalls {
		if s.From < to && s.To > from {
			sum += s.To - s.From
		}
	}
	return sum
}

// checkClock holds cluster time against true time: it began at 0 with the run,
// and only what a leader's own clock measured adds to it.
func (t *ttlCheck) checkClock() {
	for _, k := range t.log.entries {
		if bound := int64(float64(k.At)*(1+t.run.Rho)) + int64(time.Millisecond); k.Now > bound {
			t.c.add("", k.At, "cluster time was %s when only %s had passed since the beginning, by more than clocks may err (%g): %s, log index %d, session of term %d",
				sec(k.Now), sec(k.At), t.run.Rho, k.Member, k.LogIndex, k.Session)
			return
		}
	}
}

// checkLives follows every deadline to its end.
func (t *ttlCheck) checkLives() {
	open := map[string]*logged{} // by key: the event that set the deadline that holds
	tops := map[string]int{}     // how many of open lie below a directory
	var order []string
	put := func(key string, g *logged) {
		if _, had := open[key]; had != (g != nil) {
			step := 1
			if had {
				step = -1
			}
			for dir := parent(key); ; dir = parent(dir) {
				tops[dir] += step
				if dir == "/" {
					break
				}
			}
		}
		if g == nil {
			delete(open, key)
			return
		}
		open[key] = g
		order = append(order, key)
	}
	for i := uint64(1); i <= t.log.last() && t.log.sure(i); i++ {
		g := t.log.at(i)
		if g.Action == actionInternal {
			continue
		}
		if set := open[g.Key]; set != nil {
			t.checkEnd(set, g, g.At)
			put(g.Key, nil)
		}
		if removes(g.Action) && g.Dir && tops[g.Key] > 0 {
			for _, key := range sortedBelow(open, g.Key) {
				t.checkEnd(open[key], nil, g.At)
				put(key, nil)
			}
		}
		if removes(g.Action) {
			continue
		}
		if t.checkDeadline(g); g.Deadline != 0 {
			put(g.Key, g)
		}
	}
	if t.log.gap != 0 {
		return
	}
	slices.Sort(order)
	for _, key := range slices.Compact(order) {
		if set := open[key]; set != nil {
			t.checkEnd(set, nil, t.end)
		}
	}
}

func sortedBelow(open map[string]*logged, dir string) []string {
	var keys []string
	for key := range open {
		if below(key, dir) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// checkDeadline holds a deadline against the time to live asked for.
func (t *ttlCheck) checkDeadline(g *logged) {
	o := t.causes.cause(t.run, g.Index)
	if o == nil {
		return
	}
	if o.TTL != 0 {
		t.c.operations++
	}
	if want := g.deadlineFor(o.TTL); g.Deadline != want {
		t.c.add(g.Key, g.At, "%s asked for a ttl of %d s; event %d, applied by %s at %s and cluster time %s, set its deadline to cluster time %s",
			t.run.tell(o), o.TTL, g.Index, g.Member, sec(g.At), sec(g.nowAt()), sec(g.Deadline))
	}
}

// checkEnd holds the end of a life against true time. End is the event on the
// key itself that ended it; nil if a directory took it away, or the run ended.
func (t *ttlCheck) checkEnd(set, end *logged, at int64) {
	ttl := float64(set.Deadline - set.nowAt())
	o := t.causes.cause(t.run, set.Index)
	if end != nil && end.Action == actionExpire && o != nil {
		t.c.operations++
		if least := int64(ttl / (1 + t.run.Rho)); end.At-o.Call < least {
			t.c.add(set.Key, end.At, "expired early: %s asked for a ttl of %s (event %d), and event %d expired it at %s (%s, log index %d), %s after the call; it had to live for %s at least",
				t.run.tell(o), sec(int64(ttl)), set.Index, end.Index, sec(end.At), end.Member, end.LogIndex, sec(end.At-o.Call), sec(least))
			return
		}
	}
	due := set.At + int64(ttl/(1-min(t.run.Rho, 0.9))) + int64(t.run.Tick) + t.stalled(set.At, at) + int64(lateness)
	if at <= due {
		return
	}
	if granted := t.granted(set.At, at); at > due+granted {
		how := "was still there when the run ended"
		switch {
		case end != nil && end.Action == actionExpire:
			how = "was expired"
		case end != nil:
			how = "lived on until event " + uintString(end.Index) + " (" + end.Event.String() + ")"
		case at != t.end:
			how = "lived on until its directory went"
		}
		t.c.add(set.Key, at, "expired late: event %d (%s), first applied by %s at %s, gave it a ttl of %s; it %s at %s, and had to be gone by %s (of that %s for stalls and changes of leader)",
			set.Index, set.Event, set.Member, sec(set.At), sec(int64(ttl)), how, sec(at), sec(due+granted), sec(granted))
	}
}

// checkShown holds the ttl that answers show against what was asked for.
func (t *ttlCheck) checkShown() {
	for i := range t.run.History {
		o := &t.run.History[i]
		if o.Outcome != OK {
			continue
		}
		if !o.Dir && o.Op != MakeDir {
			key := o.Key
			if o.Node != "" {
				key = o.Node
			}
			t.shown(o, key, o.ModifiedIndex, o.TTLLeft)
		}
		for j := range o.Nodes {
			if n := &o.Nodes[j]; !n.Dir {
				t.shown(o, n.Key, n.ModifiedIndex, n.TTLLeft)
			}
		}
	}
}

func (t *ttlCheck) shown(o *Operation, key string, index uint64, left int64) {
	g := t.log.at(index)
	if g == nil || g.Key != key || removes(g.Action) {
		return
	}
	asked := int64(0)
	if g.Deadline != 0 {
		asked = (g.Deadline - g.nowAt() + int64(time.Second) - 1) / int64(time.Second)
	}
	if left > asked {
		t.c.add(key, o.Return, "%s shows a ttl of %d s for %s; its last change (event %d) gave it %d s", t.run.tell(o), left, key, index, asked)
	}
	if least := t.leastLeft(o, g); left*int64(time.Second) < least {
		t.c.add(key, o.Return, "%s shows a ttl of %d s for %s (0: none); its last change (event %d) gave it %d s, of which %s are left at least",
			t.run.tell(o), left, key, index, asked, sec(least))
	}
}

// leastLeft is the least that can be left of the life that an event gave, when
// an operation's answer was made; 0 or less: perhaps nothing. Until then no
// more cluster time went by, since the event was asked for, than true time and
// the greatest error of clocks allow, and a member adds up to a tick to it for
// who asks.
func (t *ttlCheck) leastLeft(o *Operation, g *logged) int64 {
	if g.Deadline == 0 {
		return 0
	}
	if !o.Op.Reads() { // an answer shows what there was when it took place
		return g.Deadline - g.nowAt()
	}
	asked := t.causes.cause(t.run, g.Index)
	if asked == nil {
		return 0
	}
	gone := float64(o.Return-asked.Call) * (1 + t.run.Rho)
	return g.Deadline - g.nowAt() - int64(gone) - int64(t.run.Tick)
}
