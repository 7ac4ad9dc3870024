package transport

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Mux hands the connections of one listener to one listener per protocol, by
// the preamble each connection opens with. Its methods may be called from any
// goroutine.
type Mux struct {
	l    net.Listener
	done chan struct{} // closed when the mux no longer accepts
	wg   sync.WaitGroup

	mu        sync.Mutex
	closed    bool
	listeners [protoEnd]*muxListener
	pending   *list.List // of net.Conn without a preamble yet, oldest first
	stats     MuxStats
}

// MuxStats counts what became of the connections a [Mux] accepted, since its
// start.
type MuxStats struct {
	Accepted    uint64 // connections taken from the listener
	BadPreamble uint64 // closed: wrong magic, version or reserved bytes, or cut short
	TimedOut    uint64 // closed: no preamble within PreambleTimeout
	Evicted     uint64 // closed: MaxPending newer connections came first
	Unserved    uint64 // closed: a protocol that nobody serves
	QueueFull   uint64 // closed: AcceptQueue connections of the protocol waited already
	Pending     int    // open now without a preamble yet, at most MaxPending
}

// NewMux starts handing out the connections of l, which it owns from here on.
func NewMux(l net.Listener) *Mux {
	m := &Mux{l: l, done: make(chan struct{}), pending: list.New()}
	m.wg.Add(1)
	go m.acceptLoop()
	return m
}

// Listener returns the listener of a protocol. While it is open, asking again
// returns the same one; once closed, the next call opens a new one, and what
// arrives in between is closed as unserved. It panics on a protocol that this
// package does not name, which is a programming error.
func (m *Mux) Listener(proto Proto) net.Listener {
	if proto == 0 || proto >= protoEnd {
		panic(fmt.Sprintf("transport: mux listener for unknown %v", proto))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if ml := m.listeners[proto]; ml != nil && !ml.isClosed() {
		return ml
	}
	ml := &muxListener{addr: m.l.Addr(), queue: make(chan net.Conn, AcceptQueue), done: make(chan struct{})}
	if m.closed {
		ml.Close()
	}
	m.listeners[proto] = ml
	return ml
}

// Addr returns the address of the listener below.
func (m *Mux) Addr() net.Addr { return m.l.Addr() }

// Stats returns the counters as they stand.
func (m *Mux) Stats() MuxStats {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.stats
	s.Pending = m.pending.Len()
	return s
}

// Close closes the listener below, every listener handed out, and every
// connection that nobody accepted yet. Connections already accepted stay with
// whoever accepted them. It returns when nothing of the mux runs any more.
func (m *Mux) Close() error {
	err := m.l.Close()
	m.shut()
	m.wg.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("transport: close the peer listener: %w", err)
	}
	return nil
}

// shut ends everything but the listener below. It may be called repeatedly.
func (m *Mux) shut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	m.closed = true
	close(m.done)
	for _, ml := range m.listeners {
		if ml != nil {
			ml.Close()
		}
	}
	for e := m.pending.Front(); e != nil; e = e.Next() {
		e.Value.(net.Conn).Close()
	}
}

func (m *Mux) acceptLoop() {
	defer m.wg.Done()
	pause := acceptBackoffMin
	for {
		c, err := m.l.Accept()
		if err == nil {
			pause = acceptBackoffMin
			m.admit(c)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			m.shut()
			return
		}
		t := time.NewTimer(pause)
		select {
		case <-t.C:
			pause = min(2*pause, acceptBackoffMax)
		case <-m.done:
			t.Stop()
			return
		}
	}
}

// admit starts waiting for the preamble of c, if need be in the place of the
// connection that has been silent longest.
func (m *Mux) admit(c net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Accepted++
	if m.closed {
		c.Close()
		return
	}
	if m.pending.Len() >= MaxPending {
		oldest := m.pending.Front()
		m.pending.Remove(oldest)
		oldest.Value.(net.Conn).Close()
		m.stats.Evicted++
	}
	e := m.pending.PushBack(c)
	m.wg.Add(1)
	go m.route(c, e)
}

// route reads the preamble of c and passes c on, or closes it.
func (m *Mux) route(c net.Conn, e *list.Element) {
	defer m.wg.Done()
	proto, err := readPreamble(c)

	m.mu.Lock()
	evicted := !m.remove(e)
	passed := false
	switch {
	case evicted || m.closed:
	case errors.Is(err, ErrPreamble), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		m.stats.BadPreamble++
	case err != nil:
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			m.stats.TimedOut++
		} else {
			m.stats.BadPreamble++
		}
	case proto == 0 || proto >= protoEnd || m.listeners[proto] == nil || m.listeners[proto].isClosed():
		m.stats.Unserved++
	case m.listeners[proto].offer(c):
		passed = true
	default:
		m.stats.QueueFull++
	}
	m.mu.Unlock()
	if !passed {
		c.Close()
	}
}

// remove takes e off the pending list and reports whether it still was on it.
func (m *Mux) remove(e *list.Element) bool {
	n := m.pending.Len()
	m.pending.Remove(e) // does nothing for an element already removed
	return m.pending.Len() < n
}

// readPreamble reads exactly the preamble, so that the connection can be
// passed on bare.
func readPreamble(c net.Conn) (Proto, error) {
	if err := c.SetReadDeadline(time.Now().Add(PreambleTimeout)); err != nil {
		return 0, err
	}
	var b [preambleBytes]byte
	if _, err := io.ReadFull(c, b[:]); err != nil {
		return 0, err
	}
	proto, err := parsePreamble(b)
	if err != nil {
		return 0, err
	}
	return proto, c.SetReadDeadline(time.Time{})
}

// muxListener is the listener of one protocol.
type muxListener struct {
	addr  net.Addr
	queue chan net.Conn

	mu     sync.Mutex // makes offer and Close exclude each other: no connection is left in a closed queue
	closed bool
	done   chan struct{}
}

// offer queues c and reports whether there was room.
func (ml *muxListener) offer(c net.Conn) bool {
	ml.mu.Lock()
	defer ml.mu.Unlock()
	if ml.closed {
		return false
	}
	select {
	case ml.queue <- c:
		return true
	default:
		return false
	}
}

func (ml *muxListener) isClosed() bool {
	ml.mu.Lock()
	defer ml.mu.Unlock()
	return ml.closed
}

func (ml *muxListener) Accept() (net.Conn, error) {
	select {
	case c := <-ml.queue:
		return c, nil
	case <-ml.done:
		return nil, fmt.Errorf("transport: accept on %v: %w", ml.addr, net.ErrClosed)
	}
}

// Close closes what waits in the queue; the mux and its port live on.
func (ml *muxListener) Close() error {
	ml.mu.Lock()
	defer ml.mu.Unlock()
	if ml.closed {
		return nil
	}
	ml.closed = true
	close(ml.done)
	for {
		select {
		case c := <-ml.queue:
			c.Close()
		default:
			return nil
		}
	}
}

func (ml *muxListener) Addr() net.Addr { return ml.addr }
