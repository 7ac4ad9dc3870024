package sim

// condition is what is wrong with one direction between two machines; the zero condition is nothing. Any combination may
// hold at once. Conditions are data, for the decision log.
type condition struct {
	// Cut swallows everything. Once mended, senders that still can send again after a while. Nobody sends a reset again
	// that met the cut, nor what was lost before it: the other end stays half open until its keep-alive, or what it
	// sends, finds out.
	Cut bool `json:"cut,omitempty"`
	// Clogged holds everything, resets too. Once unclogged all of it arrives, in order, at once.
	Clogged bool `json:"clogged,omitempty"`
	// Times multiplies latencies; 0 is 1. At most maxTimes.
	Times int64 `json:"times,omitempty"`
	// ExtraNanos is added to each segment's latency. At most maxExtraNanos.
	ExtraNanos int64 `json:"extra_ns,omitempty"`
	// TailNanos is the greatest of a heavy tail that is added to each segment's latency: of 1000 segments about one gets
	// TailNanos, another half of it, another a third, … At most maxExtraNanos.
	TailNanos int64 `json:"tail_ns,omitempty"`
	// LossPerMille of the transmissions are lost. A segment is sent again after 200 ms, then 400 ms, …, maxLosses times at
	// most, and what was sent after it waits; a reset is not sent again.
	LossPerMille int `json:"loss_per_mille,omitempty"`
	// BreakPerMillion of the segments that arrive break their connection instead: both ends are reset.
	BreakPerMillion int `json:"break_per_million,omitempty"`
}

// netCounts tells how often faults of the network took effect.
type netCounts struct {
	Broken  int // connections that a flaky link reset
	Lost    int // transmissions that a lossy link lost
	GivenUp int // connections that timed out against a machine that was off
}

// Limits of a condition; what is beyond is taken as the limit.
const (
	maxTimes      = 10_000
	maxExtraNanos = 60_000_000_000
	maxLosses     = 6
	lossNanos     = 200_000_000 // until a segment is sent again for the first time
	tailParts     = 1000
)

func (c *condition) slow() bool { return c.Times > 1 || c.ExtraNanos > 0 || c.TailNanos > 0 }

// slowed is what becomes of a latency; draw decides the tail.
func (c *condition) slowed(nanos int64, draw uint64) int64 {
	nanos *= min(max(c.Times, 1), maxTimes)
	nanos += min(max(c.ExtraNanos, 0), maxExtraNanos)
	return nanos + min(max(c.TailNanos, 0), maxExtraNanos)/(1+int64(draw%tailParts))
}

// set replaces the condition of one direction between two machines, from now on: what is in flight already meets it on
// its arrival if it is a cut or a clog, and not otherwise.
func (n *network) set(from, to int, c condition) {
	n.conditions[from][to] = c
	for _, s := range n.conns {
		if s.peer.m.index == from && s.m.index == to {
			n.release(s)
		}
	}
}

// condition is what holds of one direction between two machines.
func (n *network) condition(from, to int) condition { return n.conditions[from][to] }

// setCut severs or mends one direction between two machines, and leaves the rest of its condition.
func (n *network) setCut(from, to int, cut bool) {
	c := n.conditions[from][to]
	c.Cut = cut
	n.set(from, to, c)
}

// resetConns breaks all connections between two machines and tells how many. Both ends are reset; with half only that at a:
// the one at b learns it from what it sends next, or from its keep-alive.
func (n *network) resetConns(a, b int, half bool) int {
	count := 0
	for _, s := range n.between(a, b) {
		if s.state == dead && s.peer.state == dead {
			continue
		}
		count++
		if !half {
			n.breakConn(s)
			continue
		}
		n.retract(s.peer)
		if s.peer.state == established {
			n.w.reached(probeHalfOpen)
		}
		s.fail(errConnReset)
		n.probeLater(s.peer)
	}
	return count
}

// holdConns holds the connections between two machines that stand now for some time, in both directions, and tells how many.
func (n *network) holdConns(a, b int, nanos int64) int {
	until, count := n.w.now+max(nanos, 0), 0
	for _, s := range n.between(a, b) {
		if s.state != established || s.peer.state != established {
			continue
		}
		count++
		for _, end := range []*socket{s, s.peer} {
			end.in.heldUntil = max(end.in.heldUntil, until)
			n.w.queue.push(until, func() { n.release(end) })
		}
	}
	return count
}

// powerOff takes a machine off the network without a word: its sockets and what it would have sent again are gone, and its
// peers do not know. Nothing that is sent to it is answered, SYNs included, until powerOn. Its process
// must be killed before it moves again; calling powerOff as it ends, instead of closing its sockets, is as good.
func (n *network) powerOff(m int) {
	n.off[m] = true
	if p := n.w.machines[m].proc; p != nil {
		p.sockets.vanish()
	}
	for _, s := range n.conns {
		if s.peer.m.index == m {
			n.retract(s)
		}
	}
}

// powerOn brings a machine back to the network, before its process is started: to what is sent to connections of before, and
// to keep-alives, it answers with resets.
func (n *network) powerOn(m int) {
	if !n.off[m] {
		return
	}
	n.off[m] = false
	for _, s := range n.conns {
		switch {
		case s.m.index == m:
			n.release(s)
		case s.peer.m.index == m && s.peer.state == dead:
			n.probeLater(s)
		}
	}
}

// between lists the ends at a of the connections between two machines.
func (n *network) between(a, b int) []*socket {
	var ends []*socket
	for _, s := range n.conns {
		if s.m.index == a && s.peer.m.index == b {
			ends = append(ends, s)
		}
	}
	return ends
}

// breakConn resets both ends of a connection; nothing of it is under way any more.
func (n *network) breakConn(s *socket) {
	for _, end := range []*socket{s, s.peer} {
		end.in.clear()
		end.fail(errConnReset)
	}
}

// clear forgets what is on its way.
func (in *pipe) clear() {
	in.queue, in.stalled, in.last = nil, false, 0
	in.round++
}

// hindered does to the head of a pipe what is in its way, and tells whether anything is.
func (n *network) hindered(to *socket) bool {
	from, in := to.peer.m.index, &to.in
	c := &n.conditions[from][to.m.index]
	switch {
	case c.Cut:
		n.w.counts.HeldUp++
		fallthrough
	case n.off[to.m.index]:
		if in.orphaned {
			n.forsake(to, 0)
			return true
		}
		in.queue[0].lost = true
		in.stall(n.w.now)
		if n.off[to.m.index] {
			n.giveUpLater(to)
		}
		return true
	case c.Clogged, in.heldUntil > n.w.now:
		in.stall(n.w.now)
		return true
	case c.BreakPerMillion > 0 && n.chance(forFlaky, from, to.m.index)%million < uint64(c.BreakPerMillion):
		n.counts.Broken++
		n.breakConn(to)
		return true
	}
	return false
}

func (in *pipe) stall(now int64) {
	in.stalled, in.since = true, now
	in.round++
}

// chance draws for a fault of a link.
func (n *network) chance(p purpose, from, to int) uint64 {
	count := n.chances[from][to]
	n.chances[from][to]++
	return n.w.draws.at(p, link(from, to), count)
}

// wait draws a time in [lo, hi) that a fault of a link takes.
func (n *network) wait(p purpose, from, to int, lo, hi int64) int64 {
	return lo + int64(n.chance(p, from, to)%uint64(hi-lo))
}

// loseAndResend draws how often a segment is lost on a lossy link: it is how much later the last of its transmissions
// starts, 0 if the first arrives.
func (n *network) loseAndResend(from, to int) int64 {
	c := &n.conditions[from][to]
	if c.LossPerMille <= 0 {
		return 0
	}
	late := int64(0)
	for losses := 0; losses < maxLosses && n.chance(forLoss, from, to)%1000 < uint64(c.LossPerMille); losses++ {
		late += lossNanos << losses
		n.counts.Lost++
	}
	return late
}

// retract is for a sender that has let go of what it sent: what of it is lost, and all behind that, will not arrive, and what
// gets lost from now on neither.
func (n *network) retract(to *socket) {
	to.in.orphaned = true
	for i := range to.in.queue {
		if to.in.queue[i].lost {
			n.forsake(to, i)
			return
		}
	}
}

// forsake drops what is on its way to one end, but for the first keep segments.
func (n *network) forsake(to *socket, keep int) {
	in := &to.in
	queue, stalled := in.queue[:keep:keep], in.stalled && keep > 0
	reset := in.queue[len(in.queue)-1].kind == segReset
	in.clear()
	in.queue, in.stalled = queue, stalled
	for _, seg := range queue {
		in.last = seg.at
		if !stalled {
			n.plan(to, seg.at)
		}
	}
	if reset || to.p == nil {
		n.missed(to)
	}
}

// missed leaves an end that will not get the reset it was sent to its keep-alive; one that was only going to be made will not
// be.
func (n *network) missed(to *socket) {
	if to.p == nil {
		to.state = dead
		return
	}
	n.w.reached(probeHalfOpen)
	n.probeLater(to)
}

// release lets a stalled pipe flow if nothing is in its way any more. What was lost is sent again after a while, what was
// only held arrives now.
func (n *network) release(s *socket) {
	from, to, in := s.peer.m.index, s.m.index, &s.in
	c := &n.conditions[from][to]
	if !in.stalled || c.Cut || n.off[to] || c.Clogged || in.heldUntil > n.w.now {
		return
	}
	in.stalled = false
	at := n.w.now
	if in.queue[0].lost {
		// Who gets no answer asks ever more rarely: the longer it was cut, the longer it may take until it tries again.
		at += n.wait(forResend, from, to, resendMinNanos, max(resendMaxNanos, min(at-in.since, resendLastNanos)))
	}
	for i := range in.queue {
		at = max(at, in.queue[i].at)
		in.queue[i].at = at
		n.plan(s, at)
	}
	in.last = max(in.last, at)
}

// probeLater lets an end's keep-alive ask, some time from now, whether its peer is there.
func (n *network) probeLater(s *socket) {
	n.w.queue.push(n.w.now+n.wait(forKeepAlive, s.m.index, s.peer.m.index, 0, keepAliveMaxNanos), func() {
		if s.state != dead {
			n.transmit(s.peer, segment{kind: segProbe}, n.w.now)
		}
	})
}

// giveUpLater lets a kernel that gets no answer end the connection in some time, if it has not got one by then.
func (n *network) giveUpLater(to *socket) {
	round := to.in.round
	wait := n.wait(forGiveUp, to.peer.m.index, to.m.index, giveUpMinNanos, giveUpMaxNanos)
	n.w.queue.push(n.w.now+wait, func() {
		if to.in.stalled && to.in.round == round {
			to.in.clear()
			n.counts.GivenUp++
			to.peer.fail(errTimedOut)
		}
	})
}
