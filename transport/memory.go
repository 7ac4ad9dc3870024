package transport

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
)

// Memory is a network inside this process, for tests with several members. It
// has hosts, ports, buffers and deadlines, loses and reorders nothing, and has
// no delay of its own. Links can be cut: bytes under way then wait for the
// link to be healed, as TCP's retransmission would have it, and a dial waits
// until its context ends. Its methods may be called from any goroutine.
type Memory struct {
	// mu guards everything below, the pipes of all connections included: with
	// one lock a cut takes effect at one instant for all of them.
	mu        sync.Mutex
	listeners map[string]*memListener // by "host:port"; looked up, never ranged over
	cut       map[memLink]bool        // looked up, never ranged over
	conns     []*memConn              // open ones, to be woken when a link changes
	changed   chan struct{}           // closed and replaced whenever a link changes
	nextPort  int
}

// memLink is one direction between two hosts.
type memLink struct{ from, to string }

// firstEphemeralPort is where port 0 and dialling connections take theirs.
const firstEphemeralPort = 32768

// NewMemory returns a network without hosts' listeners and with every link up.
func NewMemory() *Memory {
	return &Memory{
		listeners: make(map[string]*memListener),
		cut:       make(map[memLink]bool),
		changed:   make(chan struct{}),
		nextPort:  firstEphemeralPort,
	}
}

// Host returns the network as the host called name sees it. Its addresses are
// "name:port". A host needs no creation and no end.
func (m *Memory) Host(name string) Network { return memHost{m: m, name: name} }

// Cut stops both directions between a and b. Connections stay open; what is
// sent waits in their buffers.
func (m *Memory) Cut(a, b string) { m.setCut(true, memLink{a, b}, memLink{b, a}) }

// CutOneWay stops what from sends to to; the other direction goes on. No new
// connection can be opened between the two in either direction.
func (m *Memory) CutOneWay(from, to string) { m.setCut(true, memLink{from, to}) }

// Heal restores both directions between a and b. What waited arrives.
func (m *Memory) Heal(a, b string) { m.setCut(false, memLink{a, b}, memLink{b, a}) }

// HealAll restores every link.
func (m *Memory) HealAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.cut)
	m.wakeAll()
}

func (m *Memory) setCut(cut bool, links ...memLink) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range links {
		if cut {
			m.cut[l] = true
		} else {
			delete(m.cut, l)
		}
	}
	m.wakeAll()
}

// wakeAll lets everything that waits look at the links again. It needs mu.
func (m *Memory) wakeAll() {
	close(m.changed)
	m.changed = make(chan struct{})
	for _, c := range m.conns {
		c.rd.cond.Broadcast()
		c.wr.cond.Broadcast()
	}
}

// drop forgets a closed connection. It needs mu.
func (m *Memory) drop(c *memConn) {
	for i, o := range m.conns {
		if o == c {
			last := len(m.conns) - 1
			m.conns[i] = m.conns[last]
			m.conns[last] = nil
			m.conns = m.conns[:last]
			return
		}
	}
}

func (m *Memory) newPort() int {
	p := m.nextPort
	m.nextPort++
	return p
}

// memHost is one host's view.
type memHost struct {
	m    *Memory
	name string
}

func (h memHost) Listen(addr string) (net.Listener, error) {
	host, port, err := splitAddr(addr)
	if err != nil {
		return nil, fmt.Errorf("transport: listen on %s: %w", addr, err)
	}
	if host != "" && host != h.name {
		return nil, fmt.Errorf("transport: listen on %s: host %s has no address %s", addr, h.name, host)
	}
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	if port == 0 {
		port = h.m.newPort()
	}
	full := memAddr(net.JoinHostPort(h.name, strconv.Itoa(port)))
	if h.m.listeners[string(full)] != nil {
		return nil, fmt.Errorf("transport: listen on %s: %w", full, ErrAddrInUse)
	}
	l := &memListener{m: h.m, addr: full}
	l.cond.L = &h.m.mu
	h.m.listeners[string(full)] = l
	return l, nil
}

func (h memHost) Dial(ctx context.Context, addr string) (net.Conn, error) {
	host, _, err := splitAddr(addr)
	if err != nil {
		return nil, fmt.Errorf("transport: dial %s: %w", addr, err)
	}
	for {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("transport: dial %s: %w", addr, err)
		}
		c, changed, err := h.tryDial(host, addr)
		if err != nil {
			return nil, fmt.Errorf("transport: dial %s: %w", addr, err)
		}
		if c != nil {
			return c, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// tryDial returns a connection, or an error, or, where a link is cut, a
// channel that is closed when trying again may help.
func (h memHost) tryDial(host, addr string) (net.Conn, <-chan struct{}, error) {
	m := h.m
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut[memLink{h.name, host}] || m.cut[memLink{host, h.name}] {
		return nil, m.changed, nil
	}
	l := m.listeners[addr]
	if l == nil || len(l.queue) >= AcceptQueue {
		return nil, nil, ErrRefused
	}
	there := newMemPipe(m, h.name, host)
	back := newMemPipe(m, host, h.name)
	local := memAddr(net.JoinHostPort(h.name, strconv.Itoa(m.newPort())))
	mine := &memConn{m: m, rd: back, wr: there, local: local, remote: l.addr}
	theirs := &memConn{m: m, rd: there, wr: back, local: l.addr, remote: local}
	m.conns = append(m.conns, mine, theirs)
	l.queue = append(l.queue, theirs)
	l.cond.Signal()
	return mine, nil, nil
}

func splitAddr(addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(p, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port %q: %w; use a number up to 65535", p, err)
	}
	return host, int(n), nil
}

// memAddr is the address of one end in a [Memory].
type memAddr string

func (memAddr) Network() string  { return "memory" }
func (a memAddr) String() string { return string(a) }

// memListener is a listener in a [Memory].
type memListener struct {
	m      *Memory
	addr   memAddr
	cond   sync.Cond // on m.mu: something in queue, or closed
	queue  []*memConn
	closed bool
}

func (l *memListener) Accept() (net.Conn, error) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	for len(l.queue) == 0 && !l.closed {
		l.cond.Wait()
	}
	if l.closed {
		return nil, fmt.Errorf("transport: accept on %s: %w", l.addr, net.ErrClosed)
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c, nil
}

// Close frees the address and closes the connections nobody accepted.
func (l *memListener) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	delete(l.m.listeners, string(l.addr))
	for _, c := range l.queue {
		c.closeLocked()
	}
	l.queue = nil
	l.cond.Broadcast()
	return nil
}

func (l *memListener) Addr() net.Addr { return l.addr }
