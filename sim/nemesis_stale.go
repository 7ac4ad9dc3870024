package sim

// staleLeader parts a leader from the others while its clock stands still, so that it does not step down by itself when
// they elect another: what it then tells its clients must not be what it remembers. Half-way something comes through.
func (n *nemesis) staleLeader(f *Fault) (string, func()) {
	m, w := n.member(f), n.s.w
	if m == nil {
		return "", nil
	}
	v, halfway := m.index, w.now+f.For*6/10
	switch f.N {
	case 1, 4:
		return "nobody hears it, and late answers reach it, with its clock standing still", n.lateAnswers(m, halfway, f.For)
	case lateAsked, lateAsked + 1:
		return "nobody hears it, late answers reach it, and before them clients who have been with another, with its clock standing still",
			n.lateQuestions(m, f)
	}
	n.stall(m, f.For)
	both := func(from, to int) bool { return from == v || to == v }
	switch f.N {
	case 0:
		return "cut off with its clock standing still", n.cutAll(both)
	case 2:
		return "cut off for a while, with its clock standing still for longer", n.until(halfway, n.cutAll(both))
	case metFresh, 10, 11:
		late := w.now + f.For*78/100
		mend, clients := n.cutAll(both), n.withoutClients(m, late+successorFirst)
		members := n.until(late, func() {
			mend()
			n.holdConns(m, oldConns)
		})
		return "cut off from clients, too, for a while, with its clock standing still for longer", func() { members(); clients() }
	}
	members, clients := n.cutAll(both), n.cutClients(func(other *machine) bool { return other != m })
	text := "cut off, and clients from all others, with its clock standing still"
	if f.N == 5 {
		members, text = n.until(halfway, members), "cut off for a while, and clients from all others for longer, with its clock standing still"
	}
	return text, func() { members(); clients() }
}

// Forms of the stale leader: it meets its successor and then clients, with nothing of its own under way; clients come
// to it late; or they reach nobody else.
const (
	metFresh     = 3
	lateAsked    = 6
	aloneReached = 8
)

// until undoes something at a moment, or earlier, when its fault ends.
func (n *nemesis) until(at int64, undo func()) func() {
	done := false
	once := func() {
		if !done {
			done = true
			undo()
		}
	}
	n.s.w.at(at, once)
	return once
}

// lateAnswers holds up what the others say to a member, then cuts it off from their ears and stops its clock, and lets it
// hear at the given moment what they had said before.
func (n *nemesis) lateAnswers(m *machine, at, lasts int64) func() {
	w := n.s.w
	var release []func()
	for _, other := range n.s.members {
		if other != m {
			release = append(release, n.clogged(other, m))
		}
	}
	free := n.until(at, func() {
		for _, f := range release {
			f()
		}
	})
	mend, over := func() {}, false
	w.at(w.now+lastWords, func() {
		if !over {
			n.stall(m, lasts-lastWords) // not before: while it runs, the member goes on asking what is answered late
			mend = n.cutAll(func(from, _ int) bool { return from == m.index })
		}
	})
	return func() { over = true; free(); mend() }
}

// When a deposed leader hears again: its successor may reach it so much earlier than clients, but on connections that it had
// before, with the entries on them, only later. Heartbeats, which are soon given up and sent on others, come first.
const (
	successorFirst = 120_000_000
	oldConns       = 350_000_000
)

// holdConns holds up all connections that the others have with a member.
func (n *nemesis) holdConns(m *machine, nanos int64) {
	for _, other := range n.s.members {
		if other != m {
			n.s.w.net.holdConns(other.index, m.index, nanos)
		}
	}
}

// withoutClients keeps clients away from a member until a moment. What they asked meanwhile is asked no more then.
func (n *nemesis) withoutClients(m *machine, until int64) func() {
	mend := n.cutClients(func(other *machine) bool { return other == m })
	return n.until(until, func() {
		n.s.w.net.resetConns(n.s.client.index, m.index, false)
		mend()
	})
}

// lateQuestions keeps clients away from a member for most of the time, so that it has nothing to answer when they come; and
// gives them a while, before the late answers of the others do, while whoever asked first still waits.
func (n *nemesis) lateQuestions(m *machine, f *Fault) func() {
	w := n.s.w
	come := w.now + f.For*7/10 // time for an election, and a write
	clients := n.withoutClients(m, come)
	members := n.lateAnswers(m, come+min(f.For*2/10, w.plan.TimeoutNanos*6/10), f.For)
	return func() { clients(); members() }
}

// lastWords is how long a leader is still heard whose answers are held up already: so that there are some.
const lastWords = 120_000_000

// cutClients parts members from the clients.
func (n *nemesis) cutClients(whom func(*machine) bool) func() {
	set := func(on bool) {
		for _, m := range n.s.members {
			if whom(m) {
				n.cut(n.s.client, m, on)
				n.cut(m, n.s.client, on)
			}
		}
	}
	set(true)
	return func() { set(false) }
}
