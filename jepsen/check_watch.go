package jepsen

import (
	"cmp"
	"slices"
	"sort"
	"strings"
)

// watchSlack is how long after an event a watch may still have been answered
// without it, in nanoseconds, on a link that is known to work; and a lull is a
// time without any answer that leaves it in doubt whether the link worked.
const (
	watchSlack = 500e6
	watchLull  = 250e6
)

// checkWatch holds every long poll and stream against the committed log: the
// events that it shows are exactly those that match, in order, once, without a
// gap from its start; it is told that the past is gone (code 401) exactly if
// the event ring of the member it asked did not reach back so far; and it
// does not stay silent about what that member had applied.
func checkWatch(r *Run, _ Limits) Result {
	c := &collector{checker: "watch"}
	if len(r.Commits) == 0 {
		return c.result()
	}
	w := &watchCheck{run: r, log: newEventLog(r, nil), c: c}
	w.index()
	w.members = newMemberTimes(r)
	for i := range r.History {
		o := &r.History[i]
		if o.Op == Watch || o.Op == Stream {
			w.check(o)
		}
	}
	return c.result()
}

type watchCheck struct {
	run *Run
	log *eventLog
	c   *collector
	// The events that concern who watches a path: those of the path itself,
	// those below it that can be seen from it, and, by directory, those that
	// took it away.
	exact, under, gone map[string][]*logged
	members            map[string]*memberTimes
}

func (w *watchCheck) index() {
	w.exact, w.under, w.gone = map[string][]*logged{}, map[string][]*logged{}, map[string][]*logged{}
	for i := uint64(1); i <= w.log.last(); i++ {
		g := w.log.at(i)
		if g == nil || g.Action == actionInternal || g.Refresh || g.Key == "" || g.Key == "/" {
			continue
		}
		w.exact[g.Key] = append(w.exact[g.Key], g)
		for dir := parent(g.Key); ; dir = parent(dir) {
			if !hiddenBelow(g.Key, dir) {
				w.under[dir] = append(w.under[dir], g)
			}
			if dir == "/" {
				break
			}
		}
		if g.Dir && removes(g.Action) {
			w.gone[g.Key] = append(w.gone[g.Key], g)
		}
	}
}

// hiddenBelow tells whether a name of path below dir begins with "_".
func hiddenBelow(path, dir string) bool {
	return strings.Contains(path[len(strings.TrimSuffix(dir, "/")):], "/_")
}

// first is the first event from an index on that belongs to a watch, nil if
// there is none.
func (w *watchCheck) first(o *Operation, from uint64) *logged {
	var best *logged
	look := func(list []*logged) {
		i := sort.Search(len(list), func(i int) bool { return list[i].Index >= from })
		if i < len(list) && (best == nil || list[i].Index < best.Index) {
			best = list[i]
		}
	}
	look(w.exact[o.Key])
	if o.Recursive {
		look(w.under[o.Key])
	}
	for dir := o.Key; dir != "/"; {
		dir = parent(dir)
		look(w.gone[dir])
	}
	return best
}

func (w *watchCheck) check(o *Operation) {
	t := w.members[w.run.member(o.Member)]
	if o.ErrorCode == codeEventCleared || o.EtcdIndex != 0 {
		w.c.operations++
		w.checkCleared(o, t)
	}
	if o.ErrorCode == codeEventCleared || o.EtcdIndex == 0 && o.WaitIndex == 0 {
		return // nothing is known of where it began
	}
	if g := w.log.at(o.EtcdIndex); g != nil && g.At > o.Return {
		w.c.add(o.Key, o.Return, "%s began at index %d, which nobody had applied by then: %s was the first, at %s", w.run.tell(o), o.EtcdIndex, g.Member, sec(g.At))
	}
	from := o.WaitIndex
	if from == 0 {
		from = o.EtcdIndex + 1
	}
	if w.log.gap != 0 && from+uint64(len(o.Events)) >= w.log.gap {
		return
	}
	if o.Op == Watch && len(o.Events) > 1 {
		w.c.add(o.Key, o.Return, "%s, one long poll, shows %d events", w.run.tell(o), len(o.Events))
		return
	}
	for i := range o.Events {
		if !w.checkEvent(o, i, from) {
			return
		}
		from = o.Events[i].Index + 1
	}
	if o.Op == Stream || len(o.Events) == 0 {
		w.checkSilence(o, t, from)
	}
}

// checkEvent holds the event shown at place i against the one that had to
// come there.
func (w *watchCheck) checkEvent(o *Operation, i int, from uint64) bool {
	shown, when := &o.Events[i], o.Return
	if i < len(o.EventsAt) {
		when = o.EventsAt[i]
	}
	want := w.first(o, from)
	switch {
	case want == nil:
		w.c.add(o.Key, when, "%s (recursive: %v, waitIndex %d, begun at index %d) shows event %d (%s) at %s; from index %d on the log has no event for it",
			w.run.tell(o), o.Recursive, o.WaitIndex, o.EtcdIndex, shown.Index, shown, sec(when), from)
	case shown.Index != want.Index:
		w.c.add(o.Key, when, "%s (recursive: %v, waitIndex %d, begun at index %d) shows event %d (%s) at %s; the first event for it from index %d on is %d (%s), first applied by %s at %s",
			w.run.tell(o), o.Recursive, o.WaitIndex, o.EtcdIndex, shown.Index, shown, sec(when), from, want.Index, want.Event, want.Member, sec(want.At))
	case shown.Action != want.Action, shown.Key != want.Key, shown.Value != want.Value, shown.Dir != want.Dir,
		shown.CreatedIndex != want.CreatedIndex, shown.PrevIndex != want.PrevIndex, shown.PrevValue != want.PrevValue:
		w.c.add(o.Key, when, "%s shows event %d as: %s (created at %d); the log has: %s (created at %d)",
			w.run.tell(o), shown.Index, shown, shown.CreatedIndex, want.Event, want.CreatedIndex)
	case want.At > when:
		w.c.add(o.Key, when, "%s shows event %d (%s) at %s, when nobody had applied it: %s was the first, at %s",
			w.run.tell(o), shown.Index, shown, sec(when), want.Member, sec(want.At))
	default:
		return true
	}
	return false
}

// checkCleared holds code 401, and its absence, against the start of the
// member's event ring.
func (w *watchCheck) checkCleared(o *Operation, t *memberTimes) {
	cleared := o.ErrorCode == codeEventCleared
	if cleared && o.WaitIndex == 0 {
		w.c.add(o.Key, o.Return, "%s asked for nothing old and was refused with code 401", w.run.tell(o))
		return
	}
	if w.run.Ring == 0 || o.WaitIndex == 0 {
		return
	}
	start := func(index uint64) uint64 { // of the ring at a store index
		return max(index, uint64(w.run.Ring)) - uint64(w.run.Ring) + 1
	}
	if o.EtcdIndex != 0 && cleared != (o.WaitIndex < start(o.EtcdIndex)) {
		w.c.add(o.Key, o.Return, "%s asked for index %d at index %d, where the ring of %d events begins at %d; refused with code 401: %v",
			w.run.tell(o), o.WaitIndex, o.EtcdIndex, w.run.Ring, start(o.EtcdIndex), cleared)
		return
	}
	if t == nil {
		return
	}
	least, most, known := t.indices(o.Call, o.Return)
	switch {
	case cleared && o.WaitIndex >= start(most):
		w.c.add(o.Key, o.Return, "%s asked for index %d and was refused with code 401; until its end %s was never beyond index %d, where the ring of %d events begins at %d",
			w.run.tell(o), o.WaitIndex, w.run.member(o.Member), most, w.run.Ring, start(most))
	case known && !cleared && o.WaitIndex < start(least):
		w.c.add(o.Key, o.Return, "%s asked for index %d and was not refused; from its call on %s was at index %d at least, where the ring of %d events begins at %d",
			w.run.tell(o), o.WaitIndex, w.run.member(o.Member), least, w.run.Ring, start(least))
	}
}

// checkSilence looks for an event that a watch should have shown and did not,
// although its member had applied it, lived on in the same process, took over
// no other state, and answered somebody on the same link afterwards.
func (w *watchCheck) checkSilence(o *Operation, t *memberTimes, from uint64) {
	want := w.first(o, from)
	// A connection that broke was heard to break: its client looks elsewhere.
	if want == nil || t == nil || o.EtcdIndex == 0 || o.Outcome != OK || o.Error != "" || !t.undisturbed(o.Call, o.Return) {
		return
	}
	applied, ok := t.reached(want.Index, o.Call, o.Return)
	if !ok {
		return
	}
	witness := t.witness(applied)
	if witness == nil || !t.reachable(applied, witness.Return+watchSlack, o.Return) {
		return
	}
	w.c.add(o.Key, o.Return, "%s (recursive: %v, waitIndex %d, begun at index %d) ended without event %d (%s), which that very member had applied at %s; it lived on, and %s was answered in between",
		w.run.tell(o), o.Recursive, o.WaitIndex, o.EtcdIndex, want.Index, want.Event, sec(applied), w.run.tell(witness))
}

// memberTimes is what one member did, in the order of time.
type memberTimes struct {
	commits []*Commit
	breaks  []int64 // when a process began or a state was taken over
	soonest []int   // for each of byCall: which of answers returns first from there on
	byCall  []*Operation
	answers []int64 // when any request but a watch was answered
}

func newMemberTimes(r *Run) map[string]*memberTimes {
	all := map[string]*memberTimes{}
	get := func(name string) *memberTimes {
		if all[name] == nil {
			all[name] = &memberTimes{}
		}
		return all[name]
	}
	type process struct {
		member string
		life   int
	}
	begun := map[process]int64{}
	note := func(member string, life int, at int64) {
		if first, ok := begun[process{member, life}]; !ok || at < first {
			begun[process{member, life}] = at
		}
	}
	for i := range r.Commits {
		k := &r.Commits[i]
		t := get(k.Member)
		t.commits = append(t.commits, k)
		note(k.Member, k.Life, k.At)
		if k.Restored {
			t.breaks = append(t.breaks, k.At)
		}
	}
	for i := range r.Roles {
		note(r.Roles[i].Member, r.Roles[i].Life, r.Roles[i].At)
	}
	for i := range r.Votes {
		note(r.Votes[i].Member, r.Votes[i].Life, r.Votes[i].At)
	}
	for p, at := range begun {
		t := get(p.member)
		t.breaks = append(t.breaks, at)
	}
	for i := range r.History {
		if o := &r.History[i]; o.Outcome == OK && o.Op != Watch && o.Op != Stream {
			t := get(r.member(o.Member))
			t.byCall, t.answers = append(t.byCall, o), append(t.answers, o.Return)
		}
	}
	for _, t := range all {
		t.sort()
	}
	return all
}

func (t *memberTimes) sort() {
	slices.SortStableFunc(t.commits, func(a, b *Commit) int { return cmp.Compare(a.At, b.At) })
	slices.Sort(t.breaks)
	slices.Sort(t.answers)
	slices.SortStableFunc(t.byCall, func(a, b *Operation) int { return cmp.Compare(a.Call, b.Call) })
	t.soonest = make([]int, len(t.byCall))
	for i := len(t.byCall) - 1; i >= 0; i-- {
		t.soonest[i] = i
		if i+1 < len(t.byCall) && t.byCall[t.soonest[i+1]].Return < t.byCall[i].Return {
			t.soonest[i] = t.soonest[i+1]
		}
	}
}

// witness is the first answer to a request that was called at a time or later.
func (t *memberTimes) witness(from int64) *Operation {
	i := sort.Search(len(t.byCall), func(i int) bool { return t.byCall[i].Call >= from })
	if i == len(t.byCall) {
		return nil
	}
	return t.byCall[t.soonest[i]]
}

// reachable tells whether what the member sent at a time had to be there by the
// end, although it may be sent again on a link that was cut. Who is not heard
// tries again ever more rarely (RFC 6298, 5.5): after a cut that lasted so long,
// only so much later; and that may fall into the next cut. All that is known of
// cuts is when nobody was answered. By due it is there if nothing was cut.
func (t *memberTimes) reachable(sent, due, end int64) bool {
	i, _ := slices.BinarySearch(t.answers, sent)
	last := int64(0)
	if i > 0 {
		last = t.answers[i-1]
	}
	for ; last < due && due <= end; i++ {
		next := end
		if i < len(t.answers) {
			next = min(end, t.answers[i])
		}
		if next-last > watchLull {
			due = max(due, next+next-last+watchSlack)
		}
		if last = next; next == end {
			break
		}
	}
	return due <= end
}

// undisturbed tells whether one process of the member, without a jump of its
// state, spans the time.
func (t *memberTimes) undisturbed(from, to int64) bool {
	i := sort.Search(len(t.breaks), func(i int) bool { return t.breaks[i] >= from })
	return i == len(t.breaks) || t.breaks[i] > to
}

// indices gives the least and the most store index that the member had at any
// moment of a time; least is known only if something was applied before.
func (t *memberTimes) indices(from, to int64) (least, most uint64, known bool) {
	i := sort.Search(len(t.commits), func(i int) bool { return t.commits[i].At >= from })
	if i > 0 {
		least, most, known = t.commits[i-1].StoreIndex, t.commits[i-1].StoreIndex, true
	}
	for ; i < len(t.commits) && t.commits[i].At <= to; i++ {
		least, most = min(least, t.commits[i].StoreIndex), max(most, t.commits[i].StoreIndex)
	}
	return least, most, known
}

// reached is when the member had applied a store index, from not before a
// time on; no if that was after the end.
func (t *memberTimes) reached(index uint64, from, to int64) (int64, bool) {
	i := sort.Search(len(t.commits), func(i int) bool { return t.commits[i].At >= from })
	if i > 0 && t.commits[i-1].StoreIndex >= index {
		return from, true
	}
	for ; i < len(t.commits) && t.commits[i].At <= to; i++ {
		if t.commits[i].StoreIndex >= index {
			return t.commits[i].At, true
		}
	}
	return 0, false
}
