package sim

import (
	"fmt"
	"time"
)

// cut severs one direction for as long as any fault wants it severed.
func (n *nemesis) cut(from, to *machine, on bool) {
	key, net := [2]int{from.index, to.index}, n.s.w.net
	if on {
		if n.cuts[key]++; n.cuts[key] == 1 {
			net.setCut(from.index, to.index, true)
		}
		return
	}
	if n.cuts[key]--; n.cuts[key] == 0 {
		net.setCut(from.index, to.index, false)
	}
}

// cutAll severs the directions that want says, and mends them afterwards.
func (n *nemesis) cutAll(want func(from, to int) bool) func() {
	var done [][2]*machine
	for i, a := range n.s.members {
		for j, b := range n.s.members {
			if i != j && want(i, j) {
				n.cut(a, b, true)
				done = append(done, [2]*machine{a, b})
			}
		}
	}
	n.s.w.counts.Partitions++
	return func() {
		for _, pair := range done {
			n.cut(pair[0], pair[1], false)
		}
	}
}

// isolate severs a member from the others, not from the clients: those go on talking to it.
func (n *nemesis) isolate(f *Fault) (string, func()) {
	v := n.machine(f.Member).index
	return "from all other members, in both directions", n.cutAll(func(from, to int) bool { return from == v || to == v })
}

func (n *nemesis) oneWay(f *Fault) (string, func()) {
	v := n.machine(f.Member).index
	if f.N == 0 {
		return "it hears nobody", n.cutAll(func(_, to int) bool { return to == v })
	}
	return "nobody hears it", n.cutAll(func(from, _ int) bool { return from == v })
}

// split parts the members in two by the bits of N.
func (n *nemesis) split(f *Fault) (string, func()) {
	side := func(i int) bool { return f.N>>i&1 == 1 }
	text, sides := "", [2]int{}
	for i := range n.s.members {
		if side(i) {
			sides[1]++
			text += " " + memberName(i)
		} else {
			sides[0]++
		}
	}
	if sides[0] == 0 || sides[1] == 0 {
		return n.isolate(f)
	}
	return "these from the others:" + text, n.cutAll(func(from, to int) bool { return side(from) != side(to) })
}

// ring leaves each member a majority that it sees, no two of them the same one (of three, a chain).
func (n *nemesis) ring(f *Fault) (string, func()) {
	nodes := len(n.s.members)
	return "each sees its neighbours only", n.cutAll(func(from, to int) bool {
		apart := (from - to + nodes) % nodes
		if nodes == 3 {
			return (from+int(f.N))%3+(to+int(f.N))%3 == 1 // between the first two
		}
		return min(apart, nodes-apart) > (nodes+2)/4
	})
}

// bridge parts the members in two halves that have one member in common.
func (n *nemesis) bridge(f *Fault) (string, func()) {
	v, nodes := n.machine(f.Member).index, len(n.s.members)
	side := func(i int) int { return 2 * ((i - v + nodes) % nodes) / (nodes + 1) }
	return "it alone sees both halves", n.cutAll(func(from, to int) bool { return from != v && to != v && side(from) != side(to) })
}

// link gives the two ends of a fault's link.
func (n *nemesis) link(f *Fault) (from, to *machine) {
	from, to = n.machine(f.Member), n.machine(f.Other)
	if from == to || to == nil {
		to = n.s.members[(from.index+1)%len(n.s.members)]
		f.Other = to.name
	}
	return from, to
}

// change alters the condition of a link, and takes that back afterwards.
func (n *nemesis) change(from, to *machine, set, unset func(c *condition)) func() {
	net := n.s.w.net
	with := func(f func(*condition)) {
		c := net.condition(from.index, to.index)
		f(&c)
		net.set(from.index, to.index, c)
	}
	with(set)
	return func() { with(unset) }
}

// clog holds up whatever is sent on one link.
func (n *nemesis) clog(f *Fault) (string, func()) {
	from, to := n.link(f)
	return fmt.Sprintf("what it sends to %s waits", to.name),
		n.clogged(from, to)
}

// clogged holds one direction up for as long as any fault wants it so.
func (n *nemesis) clogged(from, to *machine) func() {
	key := [2]int{from.index, to.index}
	set := func(by int) {
		n.clogs[key] += by
		net := n.s.w.net
		c := net.condition(from.index, to.index)
		c.Clogged = n.clogs[key] > 0
		net.set(from.index, to.index, c)
	}
	set(1)
	return func() { set(-1) }
}

// slowLink adds to each latency of one link, now and then ten times as much.
func (n *nemesis) slowLink(f *Fault) (string, func()) {
	from, to := n.link(f)
	return fmt.Sprintf("to %s by %v", to.name, time.Duration(f.N)*time.Microsecond),
		n.change(from, to, func(c *condition) { c.ExtraNanos, c.TailNanos = f.N*1000, f.N*10_000 },
			func(c *condition) { c.ExtraNanos, c.TailNanos = 0, 0 })
}

func (n *nemesis) flaky(f *Fault) (string, func()) {
	from, to := n.link(f)
	return fmt.Sprintf("to %s: %d of 1000 segments reset their connection", to.name, f.N),
		n.change(from, to, func(c *condition) { c.BreakPerMillion = int(f.N) * 1000 }, func(c *condition) { c.BreakPerMillion = 0 })
}

func (n *nemesis) lossy(f *Fault) (string, func()) {
	from, to := n.link(f)
	return fmt.Sprintf("to %s: %d of 1000 segments are sent again", to.name, f.N),
		n.change(from, to, func(c *condition) { c.LossPerMille = int(f.N) }, func(c *condition) { c.LossPerMille = 0 })
}

func (n *nemesis) reset(f *Fault) (string, func()) {
	from, to := n.link(f)
	broken := n.s.w.net.resetConns(from.index, to.index, f.N == 1)
	return fmt.Sprintf("%d connections with %s", broken, to.name), nil
}
