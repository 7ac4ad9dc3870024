package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// The host's half of these calls is package sim. Each returns a value ≥ 0, or a negated WASI errno (which is what
// syscall.Errno holds on this platform). None of them ever blocks: what has to wait gets EAGAIN and hears through the
// doorbell when it is worth trying again.

//go:wasmimport sim net_doorbell
func hostDoorbell(fd int32)

//go:wasmimport sim net_listen
func hostListen(addr string) int32

//go:wasmimport sim net_accept
func hostAccept(listener int32) int32

//go:wasmimport sim net_dial
func hostDial(addr string) int32

//go:wasmimport sim net_connected
func hostConnected(conn int32) int32

//go:wasmimport sim net_addr
func hostAddr(socket, remote int32, p unsafe.Pointer, n int32) int32

//go:wasmimport sim net_send
func hostSend(conn int32, p unsafe.Pointer, n int32) int32

//go:wasmimport sim net_recv
func hostRecv(conn int32, p unsafe.Pointer, n int32) int32

//go:wasmimport sim net_close
func hostClose(socket int32) int32

const (
	// doorbellPath names the file whose Read blocks until a socket has news; each record read from it is the
	// little-endian uint32 id of one such socket.
	doorbellPath = "/dev/sim/doorbell"
	// maxSimCallBytes bounds what one host call carries, as a kernel's socket buffer would.
	maxSimCallBytes = 64 << 10
	maxSimAddrBytes = 64
)

// Sim returns the network of the simulator in which this process runs. It exists only under GOOS=wasip1, and works only
// inside package sim's host, which supplies the module "sim". Addresses are "ip:port"; there is no name resolution.
// Its connections are reliable, ordered byte streams with bounded receive buffers: Write blocks while the peer does not
// read, a killed peer answers with a reset, a severed link with silence.
func Sim() Network { return theSim() }

var theSim = sync.OnceValue(func() *simNetwork {
	n := &simNetwork{sockets: map[int32]*simSocket{}}
	if err := n.ring(); err != nil {
		// Without the doorbell nothing would ever wake: this is a process outside its simulator.
		panic(fmt.Errorf("sim: doorbell: %w; run this module inside holdfast-sim", err))
	}
	return n
})

type simNetwork struct {
	mu      sync.Mutex
	sockets map[int32]*simSocket // by the host's id; never iterated
}

// ring starts the poller: the one goroutine that waits for the host on behalf of all the others.
func (n *simNetwork) ring() error {
	door, err := os.Open(doorbellPath)
	if err != nil {
		return err
	}
	raw, err := door.SyscallConn()
	if err != nil {
		return err
	}
	// Not door.Fd(), which would put the file into blocking mode.
	if err := raw.Control(func(fd uintptr) { hostDoorbell(int32(fd)) }); err != nil {
		return err
	}
	go func() {
		buf := make([]byte, 1024)
		for {
			k, err := door.Read(buf)
			if err != nil {
				panic(fmt.Errorf("sim: doorbell: read: %w", err))
			}
			for ; k >= 4; k -= 4 {
				n.wake(int32(binary.LittleEndian.Uint32(buf[k-4:])))
			}
		}
	}()
	return nil
}

func (n *simNetwork) wake(id int32) {
	n.mu.Lock()
	s := n.sockets[id]
	n.mu.Unlock()
	if s != nil {
		s.readable.ring()
		s.writable.ring()
	}
}

func (n *simNetwork) register(id int32) *simSocket {
	s := &simSocket{
		net: n, id: id, closed: make(chan struct{}),
		readable: make(bell, 1), writable: make(bell, 1),
		local: addrOf(id, 0), remote: addrOf(id, 1),
	}
	n.mu.Lock()
	n.sockets[id] = s
	n.mu.Unlock()
	return s
}

// Listen opens a listener on "ip:port" (an empty or unspecified ip means this host's; port 0 draws a free one).
func (n *simNetwork) Listen(addr string) (net.Listener, error) {
	id := hostListen(addr)
	if id < 0 {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: fmt.Errorf("%s: %w", addr, syscall.Errno(-id))}
	}
	return &simListener{s: n.register(id)}, nil
}

// Dial connects to "ip:port". It returns when the peer has accepted the connection or refused it, or when ctx ends.
func (n *simNetwork) Dial(ctx context.Context, addr string) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%s: %w", addr, err)}
	}
	if err := ctx.Err(); err != nil {
		return fail(err)
	}
	id := hostDial(addr)
	if id < 0 {
		return fail(syscall.Errno(-id))
	}
	s := n.register(id)
	for {
		switch errno := syscall.Errno(-hostConnected(id)); errno {
		case 0:
			s.local = addrOf(id, 0)
			return newSimConn(s), nil
		case syscall.EAGAIN:
		default:
			s.close()
			return fail(errno)
		}
		select {
		case <-s.writable:
		case <-ctx.Done():
			s.close()
			return fail(ctx.Err())
		}
	}
}

// bell wakes one waiter; a ring that nobody waits for is kept for the next.
type bell chan struct{}

func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// simSocket is what listeners and connections share: the host's id, its bells, and being closed once.
type simSocket struct {
	net                *simNetwork
	id                 int32
	readable, writable bell
	local, remote      net.Addr

	once   sync.Once
	closed chan struct{}
}

func (s *simSocket) close() error {
	err := net.ErrClosed
	s.once.Do(func() {
		err = nil
		close(s.closed)
		s.net.mu.Lock()
		delete(s.net.sockets, s.id)
		s.net.mu.Unlock()
		hostClose(s.id)
	})
	return err
}

func (s *simSocket) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

func (s *simSocket) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: s.local, Addr: s.remote, Err: err}
}

func addrOf(id, remote int32) net.Addr {
	buf := make([]byte, maxSimAddrBytes)
	k := hostAddr(id, remote, unsafe.Pointer(&buf[0]), int32(len(buf)))
	if k <= 0 {
		return &net.TCPAddr{}
	}
	host, port, err := net.SplitHostPort(string(buf[:k]))
	if err != nil {
		return &net.TCPAddr{}
	}
	p, _ := strconv.Atoi(port) // the host wrote it
	return &net.TCPAddr{IP: net.ParseIP(host), Port: p}
}

type simListener struct {
	s  *simSocket
	mu sync.Mutex // one Accept waits at a time: a bell wakes one
}

func (l *simListener) Accept() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.s.isClosed() {
			return nil, l.s.fail("accept", net.ErrClosed)
		}
		id := hostAccept(l.s.id)
		if id > 0 {
			return newSimConn(l.s.net.register(id)), nil
		}
		if errno := syscall.Errno(-id); errno != syscall.EAGAIN {
			return nil, l.s.fail("accept", errno)
		}
		select {
		case <-l.s.readable:
		case <-l.s.closed:
		}
	}
}

func (l *simListener) Close() error {
	if err := l.s.close(); err != nil {
		return l.s.fail("close", err)
	}
	return nil
}

func (l *simListener) Addr() net.Addr { return l.s.local }

type simConn struct {
	*simSocket
	rmu, wmu              sync.Mutex // one Read and one Write at a time, as bytes must not interleave
	readLimit, writeLimit *simDeadline
}

func newSimConn(s *simSocket) *simConn {
	return &simConn{simSocket: s, readLimit: newSimDeadline(), writeLimit: newSimDeadline()}
}

func (c *simConn) Read(p []byte) (int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	k := min(len(p), maxSimCallBytes)
	for {
		if err := c.usable(c.readLimit); err != nil {
			return 0, c.fail("read", err)
		}
		got := hostRecv(c.id, unsafe.Pointer(&p[0]), int32(k))
		if got > 0 {
			return int(got), nil
		}
		if got == 0 {
			return 0, io.EOF
		}
		if errno := syscall.Errno(-got); errno != syscall.EAGAIN {
			return 0, c.fail("read", errno)
		}
		c.wait(c.readable, c.readLimit)
	}
}

func (c *simConn) Write(p []byte) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	sent := 0
	for {
		if err := c.usable(c.writeLimit); err != nil {
			return sent, c.fail("write", err)
		}
		if sent == len(p) {
			return sent, nil
		}
		k := min(len(p)-sent, maxSimCallBytes)
		got := hostSend(c.id, unsafe.Pointer(&p[sent]), int32(k))
		if got > 0 {
			sent += int(got)
			continue
		}
		if errno := syscall.Errno(-got); errno != syscall.EAGAIN {
			return sent, c.fail("write", errno)
		}
		c.wait(c.writable, c.writeLimit)
	}
}

func (c *simConn) usable(limit *simDeadline) error {
	if c.isClosed() {
		return net.ErrClosed
	}
	if limit.passed() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *simConn) wait(b bell, limit *simDeadline) {
	select {
	case <-b:
	case <-c.closed:
	case <-limit.done():
	}
}

func (c *simConn) Close() error {
	if err := c.close(); err != nil {
		return c.fail("close", err)
	}
	c.readLimit.set(time.Time{})
	c.writeLimit.set(time.Time{})
	return nil
}

func (c *simConn) LocalAddr() net.Addr  { return c.local }
func (c *simConn) RemoteAddr() net.Addr { return c.remote }

func (c *simConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *simConn) SetReadDeadline(t time.Time) error {
	if c.isClosed() {
		return c.fail("set", net.ErrClosed)
	}
	c.readLimit.set(t)
	return nil
}

func (c *simConn) SetWriteDeadline(t time.Time) error {
	if c.isClosed() {
		return c.fail("set", net.ErrClosed)
	}
	c.writeLimit.set(t)
	return nil
}

// simDeadline is a point in time that can be moved while somebody waits for it: done's channel is closed when it passes,
// and replaced when a passed deadline is lifted.
type simDeadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	expired chan struct{}
	round   uint64 // tells a timer that fires late that it has been replaced
}

func newSimDeadline() *simDeadline { return &simDeadline{expired: make(chan struct{})} }

func (d *simDeadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.round++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.isExpired() {
		d.expired = make(chan struct{})
	}
	if t.IsZero() {
		return
	}
	left := time.Until(t)
	if left <= 0 {
		close(d.expired)
		return
	}
	round := d.round
	d.timer = time.AfterFunc(left, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.round == round {
			close(d.expired)
		}
	})
}

func (d *simDeadline) isExpired() bool {
	select {
	case <-d.expired:
		return true
	default:
		return false
	}
}

func (d *simDeadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.isExpired()
}

func (d *simDeadline) done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.expired
}
