package sim

// The numbers of WASI's errnos, which are those of syscall.Errno in the guest.
const (
	errAddrInUse    = 3
	errAddrNotAvail = 4
	errAgain        = 6
	errBadFD        = 8
	errConnRefused  = 14
	errConnReset    = 15
	errInvalid      = 28
	errTooManyFiles = 33
	errPipe         = 64
	errTimedOut     = 73
)

// Limits of one process's sockets.
const (
	maxSockets        = 4096      // open at one time
	backlog           = 128       // connections of one listener that wait to be accepted
	receiveWindow     = 256 << 10 // bytes on their way to, or unread at, one end of a connection
	firstEphemeral    = 32768
	loopbackNanos     = 20_000
	nanosPerByte      = 1 // a gigabyte a second
	resendMinNanos    = 5_000_000
	resendMaxNanos    = 250_000_000   // or as long as it was cut, if that is longer, up to
	resendLastNanos   = 2_000_000_000 // this
	keepAliveMaxNanos = 15_000_000_000
	giveUpMinNanos    = 15_000_000_000 // a kernel sends again for so long to a machine that is off
	giveUpMaxNanos    = 30_000_000_000
)

// socketState is where a socket is in its life.
type socketState uint8

const (
	listening socketState = iota + 1
	connecting
	established
	dead // closed by its process, reset, or refused; errno says which to the process
)

// socket is a listener or one end of a connection. An end outlives its process for as long as the other end may still
// send to it: then p is nil, and it answers with resets.
type socket struct {
	id    int32
	m     *machine
	p     *process // nil once closed or its process has ended
	state socketState
	port  int
	rung  bool // in the doorbell's queue

	// A listener's.
	waiting []*socket // established, not yet accepted; sorted by arrival

	// A connection's.
	peer       *socket
	remotePort int
	in         pipe   // what is on its way here
	inbox      []byte // arrived, unread
	ended      bool   // the peer's end of stream has arrived
	errno      int32  // what ended the connection here, 0 if nothing did
	window     int    // bytes it may still send
	starved    bool   // was refused a send for want of window
	unreported int    // bytes read, not yet told to the sender
	accepted   bool   // handed to its process (dialled ends always are)
}

// sockets is the table of one process. Ids are not used twice in one life.
type sockets struct {
	byID      []*socket // by id; nil: closed
	open      int
	nextPort  int
	listeners []*socket // in the order of their opening
}

func (t *sockets) init() { t.byID, t.nextPort = make([]*socket, 1), firstEphemeral }

func (t *sockets) get(id int32) *socket {
	if id <= 0 || int(id) >= len(t.byID) {
		return nil
	}
	return t.byID[id]
}

func (t *sockets) add(p *process, s *socket) bool {
	if t.open >= maxSockets {
		return false
	}
	s.id, s.m, s.p = int32(len(t.byID)), p.m, p
	t.byID = append(t.byID, s)
	t.open++
	return true
}

func (t *sockets) listener(port int) *socket {
	for _, l := range t.listeners {
		if l.port == port {
			return l
		}
	}
	return nil
}

// ephemeral returns a port no listener has. Ends of connections do not occupy ports here: they know each other.
func (t *sockets) ephemeral() int {
	for {
		port := t.nextPort
		if t.nextPort++; t.nextPort > 65535 {
			t.nextPort = firstEphemeral
		}
		if t.listener(port) == nil {
			return port
		}
	}
}

func (t *sockets) remove(s *socket) {
	t.byID[s.id] = nil
	t.open--
	for i, l := range t.listeners {
		if l == s {
			t.listeners = append(t.listeners[:i], t.listeners[i+1:]...)
			return
		}
	}
}

// abortAll is what the kernel of a machine does with the sockets of a process that died: it closes them, so that peers read
// what was sent and then the end of the stream, or are reset if the process had not read all that they sent. A machine
// that loses its power does nothing of that: see network.powerOff.
func (t *sockets) abortAll() {
	for _, s := range t.byID {
		if s == nil {
			continue
		}
		switch {
		case s.state != established || len(s.inbox) > 0 || !s.known():
			s.abort()
		default:
			s.finish(s.p.local)
		}
	}
	t.forget()
}

// vanish drops all sockets, and sends nothing.
func (t *sockets) vanish() {
	for _, s := range t.byID {
		if s != nil {
			s.die(0)
			s.waiting = nil
		}
	}
	t.forget()
}

func (t *sockets) forget() { t.byID, t.listeners, t.open = t.byID[:1], nil, 0 }

// known tells whether the process has the socket's id: one that waits to be accepted has no news for anybody.
func (s *socket) known() bool { return s.state == listening || s.accepted }

// abort drops an end without ceremony.
func (s *socket) abort() {
	was, at := s.state, s.m.w.now
	if s.p != nil {
		at = s.p.local
	}
	s.die(0)
	if was == dead {
		return
	}
	switch {
	case was == listening:
		for _, c := range s.waiting {
			c.abort()
		}
		s.waiting = nil
	case s.peer != nil:
		s.m.w.net.transmit(s.peer, segment{kind: segReset}, at)
	}
}

func (s *socket) die(errno int32) {
	s.state, s.errno, s.inbox = dead, errno, nil
	if errno == 0 {
		s.p = nil
	}
}

// fail ends a connection from the network's side; the process hears of it with its next call.
func (s *socket) fail(errno int32) {
	if s.state == dead {
		return
	}
	s.die(errno)
	s.ring(s.m.w.now)
}

// close is the process's close: the peer reads what was sent, then the end of the stream.
func (s *socket) close(at int64) {
	was := s.state
	unread := len(s.inbox) > 0
	s.p.sockets.remove(s)
	for _, c := range s.waiting {
		s.p.sockets.remove(c) // nobody will ever close what nobody accepted
	}
	switch {
	case was == listening, was == connecting, unread:
		// Closing over unread bytes resets, as TCP does: the peer must not believe that they were read. So does giving up
		// to connect, for who has accepted in the meantime.
		s.abort()
	case was == established:
		s.finish(at)
	default:
		s.p = nil
	}
}

// finish ends a connection here: the peer reads what was sent, then the end of the stream.
func (s *socket) finish(at int64) {
	s.die(0)
	s.m.w.net.transmit(s.peer, segment{kind: segFin}, at)
}

// send takes what the window allows of b, or refuses.
func (s *socket) send(b []byte, at int64) int32 {
	switch {
	case s.state == dead && s.errno != 0:
		return -s.errno
	case s.state != established:
		return -errPipe
	}
	n := min(len(b), s.window)
	if n == 0 && len(b) > 0 {
		s.starved = true
		return -errAgain
	}
	s.window -= n
	s.m.w.net.transmit(s.peer, segment{kind: segData, data: append([]byte(nil), b[:n]...)}, at)
	return int32(n)
}

// recv moves arrived bytes into b: 0 is the end of the stream.
func (s *socket) recv(b []byte, at int64) int32 {
	switch {
	case s.state == dead && s.errno != 0:
		return -s.errno
	case s.state != established:
		return -errBadFD
	case len(s.inbox) == 0 && s.ended:
		return 0
	case len(s.inbox) == 0:
		return -errAgain
	}
	n := copy(b, s.inbox)
	if s.inbox = s.inbox[n:]; len(s.inbox) == 0 {
		s.inbox = nil // let the buffer go
	}
	// Like a window update: told when it matters, so that a chatty stream does not cost an event a read.
	if s.unreported += n; s.unreported >= receiveWindow/2 {
		s.m.w.net.transmit(s.peer, segment{kind: segWindow, size: s.unreported}, at)
		s.unreported = 0
	}
	return int32(n)
}
