package jepsen

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"
)

// checkOrder holds the order that the store itself claims, by X-Etcd-Index,
// against what it answered, against a naive model of what the requests mean,
// and against real time. As the order is given, nothing is searched: this costs
// O(n log n), and holds for whole trees and time to live alike.
//
//   - All members agree on the event at each store index, and none is missing.
//   - Every confirmed change is the event that its answer names; every event
//     has one cause; nothing refused took effect, nothing took effect twice or
//     before it was asked for.
//   - Each event follows from the model's state before it.
//   - Every read, listing and refusal tells the model's state at its index, and
//     names an entry of the raft log that left the store there.
//   - What was called after an answer has no lower index than that answer.
func checkOrder(r *Run, _ Limits) Result {
	c := &collector{checker: "order"}
	l := newEventLog(r, c)
	if len(r.Commits) > 0 {
		l.findHole(r, c)
		m := findCauses(r, l, c)
		newReplay(r, l, m, c).run()
	}
	checkRealTime(r, c)
	return c.result()
}

// findHole reports an index that was taken and that nobody told of, unless a
// state that was restored covers it.
func (l *eventLog) findHole(r *Run, c *collector) {
	hole := l.gap
	if hole == 0 {
		hole = l.last() + 1
	}
	for i := range r.Commits {
		if k := &r.Commits[i]; k.Restored && k.StoreIndex >= hole {
			return
		}
	}
	for i := range r.Commits {
		if k := &r.Commits[i]; k.StoreIndex >= hole {
			c.add("", k.At, "store index %d was never seen: %s was at index %d at %s (log index %d), but no member reported the event",
				hole, k.Member, k.StoreIndex, sec(k.At), k.LogIndex)
			return
		}
	}
}

// replay follows the log through the model and asks it, at each index, what
// clients were told there.
type replay struct {
	r       *Run
	log     *eventLog
	causes  *causes
	c       *collector
	tree    *tree
	queries []*Operation // by EtcdIndex
}

func newReplay(r *Run, l *eventLog, m *causes, c *collector) *replay {
	p := &replay{r: r, log: l, causes: m, c: c, tree: newTree()}
	for i := range r.History {
		o := &r.History[i]
		if !o.Op.Reads() && o.Outcome == OK {
			c.operations++
		}
		switch {
		case !asksState(o):
			if !o.Op.Reads() && o.Outcome == OK && o.ModifiedIndex == 0 {
				c.add(o.Key, o.Return, "%s was confirmed without an index", r.tell(o))
			}
		case o.EtcdIndex == 0:
			c.add(o.Key, o.Return, "%s was answered without an index", r.tell(o))
		default:
			c.operations++
			p.queries = append(p.queries, o)
		}
	}
	slices.SortStableFunc(p.queries, func(a, b *Operation) int { return cmp.Compare(a.EtcdIndex, b.EtcdIndex) })
	return p
}

// asksState tells whether an answer says something about the state at its
// index: a read's content, or why the store refused.
func asksState(o *Operation) bool {
	switch o.Op {
	case Watch, Stream:
		return false
	case Read, LocalRead, List, LocalList:
		if o.Outcome == OK {
			return true
		}
	}
	return o.Outcome == Fail && refusesByState(o.ErrorCode)
}

func refusesByState(code int) bool {
	switch code {
	case codeKeyNotFound, codeTestFailed, codeNotFile, codeNotDir, codeNodeExist, codeRootReadOnly, codeDirNotEmpty:
		return true
	}
	return false
}

func (p *replay) answers(index uint64) {
	for len(p.queries) > 0 && p.queries[0].EtcdIndex == index {
		p.ask(p.queries[0])
		p.queries = p.queries[1:]
	}
}

func (p *replay) run() {
	p.answers(0)
	for i := uint64(1); i <= p.log.last() && p.log.sure(i); i++ {
		g := p.log.at(i)
		p.follow(g)
		p.tree.apply(g.Event)
		p.answers(i)
	}
	if p.log.gap != 0 {
		return // what came after the hole cannot be known
	}
	for _, o := range p.queries {
		p.c.add(o.Key, o.Return, "%s was answered at index %d, but no member ever got there: the last event is %d", p.r.tell(o), o.EtcdIndex, p.log.last())
	}
}

// follow holds an event against the state before it.
func (p *replay) follow(g *logged) {
	if why := p.tree.fault(g.Event, g.nowAt()); why != "" {
		p.c.add(g.Key, g.At, "event %d (%s), first applied by %s at %s (log index %d), cannot follow: %s",
			g.Index, g.Event, g.Member, sec(g.At), g.LogIndex, why)
		return
	}
	o := p.causes.cause(p.r, g.Index)
	if o == nil {
		return
	}
	if o.Op == InOrder {
		if want := inOrderName(g.Index); g.Key[len(parent(g.Key)):] != "/"+want && g.Key != "/"+want {
			p.c.add(g.Key, g.At, "%s made %s at index %d; the name must be %s", p.r.tell(o), g.Key, g.Index, want)
		}
	}
	if code := p.tree.answer(o); code != 0 && o.Outcome == OK {
		p.c.add(g.Key, o.Return, "%s was confirmed with index %d, but at index %d it had to be refused with code %d", p.r.tell(o), g.Index, g.Index-1, code)
	}
}

// ask holds an answer against the model at the answer's index.
func (p *replay) ask(o *Operation) {
	if g := p.log.at(o.EtcdIndex); g != nil && g.At > o.Return {
		p.c.add(o.Key, o.Return, "%s shows index %d, which nobody had applied by then: %s was the first, at %s", p.r.tell(o), o.EtcdIndex, g.Member, sec(g.At))
		return
	}
	want := p.tree.answer(o)
	got := o.ErrorCode
	if o.Outcome == OK {
		got = 0
		if o.Missing {
			got = codeKeyNotFound
		}
	}
	if got != want {
		p.c.add(o.Key, o.Return, "%s was answered with %s at index %d; the state there asks for %s%s", p.r.tell(o), codeName(got), o.EtcdIndex, codeName(want), p.lately(o))
		return
	}
	if o.Outcome == OK && !o.Missing {
		p.askContent(o)
		p.askEntry(o)
	}
	if n := p.tree.get(o.Key); got == codeTestFailed && !metAll(o, n) {
		p.c.add(o.Key, o.Return, "%s is said to have met %q of index %d; at index %d the key held %q of index %d%s",
			p.r.tell(o), o.Result, o.PrevModified, o.EtcdIndex, n.value, n.modified, p.lately(o))
	}
}

// askEntry holds the log index that a read states against the store index: the
// one entry left the store at the other.
func (p *replay) askEntry(o *Operation) {
	if k := p.log.upTo(o.RaftIndex); k == nil || k.StoreIndex != o.EtcdIndex {
		p.c.add(o.Key, o.Return, "%s states X-Raft-Index %d (0: none) beside X-Etcd-Index %d; the store was at another index there", p.r.tell(o), o.RaftIndex, o.EtcdIndex)
	}
}

// metAll tells whether a refused compare was told all that is not as it expected.
func metAll(o *Operation, n *leaf) bool {
	return (!o.otherValue(n.value) || o.Result == n.value) && (!o.otherIndex(n.modified) || o.PrevModified == n.modified)
}

func codeName(code int) string {
	switch code {
	case 0:
		return "success"
	case codeKeyNotFound:
		return "code 100 (absent)"
	case codeTestFailed:
		return "code 101 (compare failed)"
	case codeNotFile:
		return "code 102 (not a file)"
	case codeNotDir:
		return "code 104 (not a directory)"
	case codeNodeExist:
		return "code 105 (exists)"
	case codeRootReadOnly:
		return "code 107 (root is read only)"
	}
	return "code 108 (directory not empty)"
}

// askContent compares what a read shows of a node, and of those below it.
func (p *replay) askContent(o *Operation) {
	n := p.tree.get(o.Key)
	list := o.Op == List || o.Op == LocalList
	switch {
	case o.Node != "":
		p.c.add(o.Key, o.Return, "%s shows another node: %s", p.r.tell(o), o.Node)
		return
	case n.dir != o.Dir:
		p.c.add(o.Key, o.Return, "%s shows a directory: %v; at index %d it was one: %v", p.r.tell(o), o.Dir, o.EtcdIndex, n.dir)
		return
	case o.Result != n.value, o.ModifiedIndex != n.modified, o.CreatedIndex != n.created:
		p.c.add(o.Key, o.Return, "%s shows %q of index %d (created at %d); at index %d the key held %q of index %d (created at %d)%s",
			p.r.tell(o), o.Result, o.ModifiedIndex, o.CreatedIndex, o.EtcdIndex, n.value, n.modified, n.created, p.lately(o))
		return
	}
	if why := p.ttlFault(o, n, o.TTLLeft); why != "" {
		p.c.add(o.Key, o.Return, "%s shows a ttl of %d s (0: none); %s%s", p.r.tell(o), o.TTLLeft, why, p.lately(o))
		return
	}
	if list && n.dir {
		p.askNodes(o, n)
	}
}

func (p *replay) askNodes(o *Operation, dir *leaf) {
	last := ""
	for i := range o.Nodes {
		shown := &o.Nodes[i]
		n := p.tree.get(shown.Key)
		switch {
		case n == nil || !below(shown.Key, o.Key) || hiddenBelow(shown.Key, o.Key):
			p.c.add(shown.Key, o.Return, "%s shows %s = %q of index %d, which is not to be seen at index %d%s",
				p.r.tell(o), shown.Key, shown.Value, shown.ModifiedIndex, o.EtcdIndex, p.story(shown.Key, o))
			return
		case shown.Value != n.value, shown.Dir != n.dir, shown.ModifiedIndex != n.modified, shown.CreatedIndex != n.created:
			p.c.add(shown.Key, o.Return, "%s shows %s = %q of index %d (created at %d, a directory: %v); at index %d it held %q of index %d (created at %d, a directory: %v)",
				p.r.tell(o), shown.Key, shown.Value, shown.ModifiedIndex, shown.CreatedIndex, shown.Dir, o.EtcdIndex, n.value, n.modified, n.created, n.dir)
			return
		case p.ttlFault(o, n, shown.TTLLeft) != "":
			p.c.add(shown.Key, o.Return, "%s shows a ttl of %d s (0: none) for %s; %s%s",
				p.r.tell(o), shown.TTLLeft, shown.Key, p.ttlFault(o, n, shown.TTLLeft), p.story(shown.Key, o))
			return
		case shown.Key == last:
			p.c.add(shown.Key, o.Return, "%s shows %s twice", p.r.tell(o), shown.Key)
			return
		}
		last = shown.Key
	}
	if len(o.Nodes) == dir.visible() {
		return
	}
	for _, path := range dir.paths(o.Key) {
		if !slices.ContainsFunc(o.Nodes, func(n Node) bool { return n.Key == path }) {
			p.c.add(path, o.Return, "%s shows %d nodes and leaves out %s, which is there at index %d%s", p.r.tell(o), len(o.Nodes), path, o.EtcdIndex, p.story(path, o))
			return
		}
	}
	p.c.add(o.Key, o.Return, "%s shows %d nodes, some of them twice; at index %d there are %d", p.r.tell(o), len(o.Nodes), o.EtcdIndex, dir.visible())
}

// ttlFault says why the time left, in seconds, cannot be what an answer shows for a
// node; "" if it can. Cluster time is known at the log index that the answer names;
// a member adds up to a tick to it for who asks.
func (p *replay) ttlFault(o *Operation, n *leaf, left int64) string {
	k := p.log.upTo(o.RaftIndex)
	switch {
	case n.deadline == 0 && left == 0:
		return ""
	case n.deadline == 0:
		return "at index " + uintString(o.EtcdIndex) + " it had none"
	case k == nil:
		return ""
	}
	most, least := secondsUp(n.deadline-k.Now), int64(0)
	if p.r.Tick > 0 {
		least = secondsUp(n.deadline - k.Now - int64(p.r.Tick))
	}
	if left >= least && left <= most {
		return ""
	}
	return fmt.Sprintf("at log index %d it had %d s left, and %d s a tick later", o.RaftIndex, most, least)
}

// secondsUp is a time in seconds, rounded up, but no less than 0.
func secondsUp(nanos int64) int64 {
	return (max(nanos, 0) + int64(time.Second) - 1) / int64(time.Second)
}

func (p *replay) lately(o *Operation) string { return p.story(o.Key, o) }

// story tells of the last event that touched a key up to an answer's index.
func (p *replay) story(key string, o *Operation) string {
	if p.c.full() {
		return ""
	}
	for i := min(o.EtcdIndex, p.log.last()); i > 0; i-- {
		g := p.log.at(i)
		if g != nil && g.Action != actionInternal && (g.Key == key || removes(g.Action) && below(key, g.Key)) {
			return "; its last event up to then is " + g.Event.String() + ", of index " + uintString(i) + ", first applied by " + g.Member + " at " + sec(g.At)
		}
	}
	return ""
}

// checkRealTime holds the indices of answers against the times of requests:
// what was called after an answer came has no lower index, and a change a
// higher one.
func checkRealTime(r *Run, c *collector) {
	type claim struct {
		o      *Operation
		index  uint64
		change bool
	}
	var claims []claim
	for i := range r.History {
		o := &r.History[i]
		switch {
		case o.Op == Watch || o.Op == Stream || o.Outcome == Unknown:
		case !o.Op.Reads() && o.Outcome == OK:
			claims = append(claims, claim{o, o.ModifiedIndex, true})
		case o.EtcdIndex != 0 && asksState(o):
			claims = append(claims, claim{o, o.EtcdIndex, false})
		}
	}
	byCall := slices.Clone(claims)
	sort.SliceStable(byCall, func(a, b int) bool { return byCall[a].o.Call < byCall[b].o.Call })
	sort.SliceStable(claims, func(a, b int) bool { return claims[a].o.Return < claims[b].o.Return })
	var most claim // of what returned before the call looked at
	for _, b := range byCall {
		for ; len(claims) > 0 && claims[0].o.Return < b.o.Call; claims = claims[1:] {
			if claims[0].index > most.index {
				most = claims[0]
			}
		}
		if b.o.Op == LocalRead || b.o.Op == LocalList || b.index == 0 {
			continue // promises to be true, not to be new
		}
		if b.index < most.index || b.change && b.index == most.index {
			c.add(b.o.Key, b.o.Return, "%s got index %d, though %s had shown index %d before", r.tell(b.o), b.index, r.tell(most.o), most.index)
		}
	}
}
