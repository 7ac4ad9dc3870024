package sim

import (
	"net"
	"strconv"
)

// network carries segments between sockets: each after a latency of its own, in order within one direction of a
// connection, never lost, but held up for as long as its link is cut.
type network struct {
	w *world
	// cut and drawn are by link: [from][to].
	cut   [][]bool
	drawn [][]uint64 // draws of latency made so far, the counter of the next
	// conns are the ends that may have something on their way, in the order of their making.
	conns    []*socket
	forgetAt int // length of conns at which the dead ones are dropped
}

func newNetwork(w *world, machines int) *network {
	n := &network{w: w, cut: make([][]bool, machines), drawn: make([][]uint64, machines)}
	for i := range machines {
		n.cut[i], n.drawn[i] = make([]bool, machines), make([]uint64, machines)
	}
	return n
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
)

type segment struct {
	kind segmentKind
	data []byte
	size int
	at   int64 // when it arrives
}

// pipe is one direction of a connection: the segments on their way to one end.
type pipe struct {
	queue   []segment
	last    int64  // arrival of the last one: none may overtake
	stalled bool   // the head met a cut link
	round   uint64 // tells an arrival that was planned before the pipe stalled
}

// latency draws how long one segment takes from machine to machine.
func (n *network) latency(from, to, size int) int64 {
	if from == to {
		return loopbackNanos + int64(size)*nanosPerByte
	}
	count := n.drawn[from][to]
	n.drawn[from][to]++
	o, d, l := &n.w.plan, n.w.draws, link(from, to)
	nanos := d.between(forLatency, l, count, o.LatencyMinNanos, o.LatencyMaxNanos)
	if d.at(forTail, l, count)%1000 < uint64(o.TailPerMille) {
		nanos += d.between(forTail, l, ^count, 0, o.TailMaxNanos)
	}
	return nanos + int64(size)*nanosPerByte
}

// transmit sends a segment on its way to one end, at a moment not before now.
func (n *network) transmit(to *socket, seg segment, at int64) {
	from := to.peer.m.index
	in := &to.in
	seg.at = max(at+n.latency(from, to.m.index, len(seg.data)), in.last)
	in.last = seg.at
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

// arrive delivers the head of a pipe, or finds the link cut.
func (n *network) arrive(to *socket) {
	in := &to.in
	seg := in.queue[0]
	if n.cut[to.peer.m.index][to.m.index] {
		n.w.counts.HeldUp++
		if seg.kind == segReset {
			// Nobody sends a reset again. The end stays half open until its own probes find out.
			in.queue = in.queue[1:]
			to.resetLost = true
			return
		}
		in.stalled = true
		in.round++
		return
	}
	in.queue = in.queue[1:]
	if len(in.queue) == 0 {
		in.queue = nil
	}
	n.deliver(to, seg)
}

// setCut severs or mends one direction between two machines.
func (n *network) setCut(from, to int, cut bool) {
	if n.cut[from][to] == cut {
		return
	}
	n.cut[from][to] = cut
	if cut {
		return
	}
	for _, s := range n.conns {
		if s.peer.m.index == from && s.m.index == to {
			n.mend(s)
		}
	}
}

// track remembers the ends of a new connection and, now and then, forgets those of old ones.
func (n *network) track(ends ...*socket) {
	n.conns = append(n.conns, ends...)
	if len(n.conns) < n.forgetAt {
		return
	}
	kept := n.conns[:0]
	for _, s := range n.conns {
		if s.state != dead || len(s.in.queue) > 0 {
			kept = append(kept, s)
		}
	}
	clear(n.conns[len(kept):])
	n.conns, n.forgetAt = kept, 2*len(kept)+minTracked
}

const minTracked = 64

// mend sends again what a cut held up, and lets probes find the connections whose reset it swallowed.
func (n *network) mend(s *socket) {
	from, to := s.peer.m.index, s.m.index
	count := n.drawn[from][to]
	n.drawn[from][to]++
	if s.resetLost {
		s.resetLost = false
		n.w.queue.push(n.w.now+n.w.draws.between(forKeepAlive, link(from, to), count, 0, keepAliveMaxNanos), func() {
			s.fail(errConnReset)
		})
	}
	if !s.in.stalled {
		return
	}
	s.in.stalled = false
	at := n.w.now + n.w.draws.between(forResend, link(from, to), count, resendMinNanos, resendMaxNanos)
	for i := range s.in.queue {
		at = max(at, s.in.queue[i].at)
		s.in.queue[i].at = at
		n.plan(s, at)
	}
	s.in.last = max(s.in.last, at)
}

// deliver is the receiving kernel.
func (n *network) deliver(to *socket, seg segment) {
	if seg.kind == segSyn {
		n.accept(to)
		return
	}
	if to.state == dead {
		// What was sent to an end that is no more is answered with a reset, resets excepted.
		if seg.kind == segData || seg.kind == segFin || seg.kind == segSynAck {
			n.reset(to)
		}
		return
	}
	switch seg.kind {
	case segSynAck:
		to.state = established
	case segData:
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

// dial makes both ends of a connection and sends the first segment; the far end takes a place in its process's table when
// that arrives. It returns the near end, or an errno.
func (n *network) dial(p *process, addr string) (*socket, int32) {
	ip, port, ok := splitAddr(addr)
	if !ok || port == 0 {
		return nil, errInvalid
	}
	far := n.w.machineAt(ip, p.m)
	if far == nil {
		return nil, errAddrNotAvail
	}
	near := &socket{state: connecting, window: receiveWindow, port: p.sockets.ephemeral(), remotePort: port}
	if !p.sockets.add(p, near) {
		return nil, errTooManyFiles
	}
	near.accepted = true
	end := &socket{m: far, state: connecting, port: port, remotePort: near.port, peer: near}
	near.peer = end
	n.track(near, end)
	n.transmit(end, segment{kind: segSyn}, p.local)
	return near, 0
}

// listen opens a listener; port 0 draws one.
func (n *network) listen(p *process, addr string) (*socket, int32) {
	ip, port, ok := splitAddr(addr)
	if !ok {
		return nil, errInvalid
	}
	if !anyAddr(ip) && n.w.machineAt(ip, p.m) != p.m {
		return nil, errAddrNotAvail
	}
	if port == 0 {
		port = p.sockets.ephemeral()
	}
	if p.sockets.listener(port) != nil {
		return nil, errAddrInUse
	}
	l := &socket{state: listening, port: port}
	if !p.sockets.add(p, l) {
		return nil, errTooManyFiles
	}
	p.sockets.listeners = append(p.sockets.listeners, l)
	return l, 0
}

// name is an end's own address, or its peer's.
func (s *socket) name(remote bool) string {
	if !remote {
		return net.JoinHostPort(s.m.ip, strconv.Itoa(s.port))
	}
	if s.peer == nil {
		return ""
	}
	return net.JoinHostPort(s.peer.m.ip, strconv.Itoa(s.remotePort))
}

func splitAddr(addr string) (ip string, port int, ok bool) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, false
	}
	port, err = strconv.Atoi(text)
	return host, port, err == nil && port >= 0 && port <= 65535
}

func anyAddr(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

// machineAt finds the machine that an address means to one of them.
func (w *world) machineAt(ip string, self *machine) *machine {
	if ip == "127.0.0.1" || ip == "::1" || ip == "localhost" || anyAddr(ip) {
		return self
	}
	for _, m := range w.machines {
		if m.ip == ip {
			return m
		}
	}
	return nil
}
