package sim

// network carries segments between sockets: each after a latency of its own, in order within one direction of a
// connection, never lost for good while the sender lives, but held up for as long as its link does not work.
type network struct {
	w *world
	// By link, [from][to].
	conditions [][]condition
	base       [][]int64  // latency without jitter
	drawn      [][]uint64 // draws of latency made so far, the counter of the next
	chances    [][]uint64 // the same for draws of faults
	off        []bool     // by machine: it has no power
	counts     netCounts
	// conns are the ends that may have something on their way, in the order of their making.
	conns    []*socket
	forgetAt int // length of conns at which the dead ones are dropped
}

func newNetwork(w *world, machines int) *network {
	n := &network{
		w: w, conditions: square[condition](machines), base: square[int64](machines), drawn: square[uint64](machines),
		chances: square[uint64](machines), off: make([]bool, machines),
	}
	for from := range machines {
		for to := range machines {
			n.base[from][to] = n.drawBase(from, to)
		}
	}
	return n
}

func square[T any](n int) [][]T {
	rows := make([][]T, n)
	for i := range rows {
		rows[i] = make([]T, n)
	}
	return rows
}

// One link in slowLinks is slowFactor times as slow as drawn.
const (
	slowLinks  = 8
	slowFactor = 3
)

// drawBase draws how far two machines are apart, the same in both directions.
func (n *network) drawBase(from, to int) int64 {
	d, l, o := n.w.draws, link(min(from, to), max(from, to)), &n.w.plan
	nanos := d.between(forLink, l, 0, o.LatencyMinNanos, o.LatencyMaxNanos)
	if d.at(forLink, l, 1)%slowLinks == 0 {
		nanos *= slowFactor
	}
	return nanos
}

// segmentKind is what a segment says.
type segmentKind uint8

const (
	segSyn    segmentKind = iota + 1 // from a dialler to the machine it dials
	segSynAck                        // back: accepted
	segData
	segWindow // size bytes were read: as many more may be sent
	segFin    // end of the stream
	segReset  // no such connection, here any more
	segProbe  // keep-alive: is anybody there?
)

type segment struct {
	kind segmentKind
	lost bool // on this way it got lost; arrives when its sender sends it again, if that still can
	data []byte
	size int
	at   int64 // when it arrives
	note int   // its number in a recording, 0: none
}

// pipe is one direction of a connection: the segments on their way to one end.
type pipe struct {
	queue     []segment
	last      int64   // arrival of the last one: none may overtake
	stalled   bool    // the head could not arrive; nothing is planned
	since     int64   // when it stalled
	round     uint64  // tells an arrival that was planned before the pipe stalled
	heldUntil int64   // nothing arrives before
	words     *stream // how far a recording has read it; nil: nothing
	orphaned  bool    // the sender has let go of what it sent: what gets lost is lost for good
}

// latency draws how long one segment takes from machine to machine.
func (n *network) latency(from, to, size int) int64 {
	if from == to {
		return loopbackNanos + int64(size)*nanosPerByte
	}
	count := n.drawn[from][to]
	n.drawn[from][to]++
	o, d, l := &n.w.plan, n.w.draws, link(from, to)
	nanos := n.base[from][to]
	nanos += d.between(forLatency, l, count, 0, nanos/2)
	if d.at(forTail, l, count)%1000 < uint64(o.TailPerMille) {
		nanos += d.between(forTail, l, ^count, 0, o.TailMaxNanos)
	}
	if c := &n.conditions[from][to]; c.slow() {
		nanos = c.slowed(nanos, d.at(forHeavyTail, l, count))
	}
	return nanos + int64(size)*nanosPerByte
}

// transmit sends a segment on its way to one end, at a moment not before now.
func (n *network) transmit(to *socket, seg segment, at int64) {
	from, in := to.peer.m.index, &to.in
	if seg.kind == segReset {
		n.retract(to) // who resets has let go of what it sent, and will not send it again
	}
	seg.at = at + n.latency(from, to.m.index, len(seg.data))
	if again := n.loseAndResend(from, to.m.index); again > 0 {
		if seg.kind == segReset {
			n.missed(to)
			return
		}
		seg.lost = true
		seg.at += again
	}
	seg.at = max(seg.at, in.last)
	in.last = seg.at
	seg.note = n.w.recording.sent(to, &seg, at)
	in.queue = append(in.queue, seg)
	if !in.stalled {
		n.plan(to, seg.at)
	}
}

func (n *network) plan(to *socket, at int64) {
	round := to.in.round
	n.w.queue.push(at, func() {
		if to.in.round == round {
			n.arrive(to)
		}
	})
}

// arrive delivers the head of a pipe, unless something is in its way.
func (n *network) arrive(to *socket) {
	in := &to.in
	if n.hindered(to) {
		return
	}
	seg := in.queue[0]
	if in.queue = in.queue[1:]; len(in.queue) == 0 {
		in.queue = nil
	}
	n.deliver(to, seg)
}

// track remembers the ends of a new connection and, now and then, forgets those of old ones.
func (n *network) track(ends ...*socket) {
	n.conns = append(n.conns, ends...)
	if len(n.conns) < n.forgetAt {
		return
	}
	kept := n.conns[:0]
	for _, s := range n.conns {
		if s.state != dead || s.peer.state != dead || len(s.in.queue) > 0 {
			kept = append(kept, s)
		}
	}
	clear(n.conns[len(kept):])
	n.conns, n.forgetAt = kept, 2*len(kept)+minTracked
}

const minTracked = 64

// deliver is the receiving kernel.
func (n *network) deliver(to *socket, seg segment) {
	if seg.kind == segSyn {
		n.accept(to)
		return
	}
	if to.state == dead {
		// What was sent to an end that is no more is answered with a reset, resets excepted.
		if seg.kind != segReset && seg.kind != segWindow {
			n.reset(to)
		}
		return
	}
	switch seg.kind {
	case segSynAck:
		to.state = established
	case segData:
		n.w.recording.arrived(seg.note, n.w.now)
		to.inbox = append(to.inbox, seg.data...)
	case segWindow:
		to.window += seg.size
		if !to.starved {
			return
		}
		to.starved = false
	case segFin:
		to.ended = true
	case segReset:
		errno := int32(errConnReset)
		if to.state == connecting {
			errno = errConnRefused
		}
		to.fail(errno)
		return
	case segProbe:
		return
	}
	to.ring(n.w.now)
}

// reset answers on behalf of an end that does not exist; a peer that is gone as well need not hear.
func (n *network) reset(s *socket) {
	if s.peer.state != dead {
		n.transmit(s.peer, segment{kind: segReset}, n.w.now)
	}
}

// accept handles a dialler's first segment at the dialled machine: s is the end that would be made there.
func (n *network) accept(s *socket) {
	p := s.m.proc
	if s.state == dead {
		return // broken on the way
	}
	if p == nil || s.peer.state == dead {
		s.state = dead
		n.reset(s)
		return
	}
	l := p.sockets.listener(s.port)
	if l == nil || len(l.waiting) >= backlog || !p.sockets.add(p, s) {
		s.state = dead
		n.reset(s)
		return
	}
	s.state, s.window = established, receiveWindow
	l.waiting = append(l.waiting, s)
	n.transmit(s.peer, segment{kind: segSynAck}, n.w.now)
	l.ring(n.w.now)
}
