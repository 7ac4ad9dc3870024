package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// The host's half of these calls is package sim. Each returns a value ≥ 0, or a negated WASI errno (which is what
// syscall.Errno holds on this platform). None of them ever blocks: what has to wait gets EAGAIN and hears through the
// doorbell when it is worth trying again.

//go:wasmimport sim net_doorbell
func hostDoorbell(fd int32)

//go:wasmimport sim net_news
func hostNews(ids unsafe.Pointer, n int32) int32

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
	// doorbellPath names the file that is readable while a socket has news; hostNews tells which.
	doorbellPath = "/dev/sim/doorbell"
	// maxSimCallBytes bounds what one host call carries, as a kernel's socket buffer would.
	maxSimCallBytes = 64 << 10
	maxSimAddrBytes = 64
	maxSimNews      = 256 // ids that one call of hostNews brings
)

// Sim returns the network of the simulator in which this process runs. It exists only under GOOS=wasip1, and works only
// inside package sim's host, which supplies the module "sim". Addresses are "ip:port"; there is no name resolution.
// Its connections are reliable, ordered byte streams with bounded receive buffers: Write blocks while the peer does not
// read. The kernel of a killed peer closes its sockets: what it sent arrives and then the end of the stream, or a reset if it
// left something unread; what is sent to it afterwards is answered with a reset. A severed link, and a peer without power,
// answer with silence.
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
		ids := make([]int32, maxSimNews)
		// The function is called at first and then each time the file has become readable, which it stays until all news
		// is taken: returning false always goes back to waiting, without a read that finds nothing.
		err := raw.Read(func(uintptr) bool {
			for _, id := range ids[:hostNews(unsafe.Pointer(&ids[0]), maxSimNews)] {
				n.wake(id)
			}
			return false
		})
		panic(fmt.Errorf("sim: doorbell: %w", err))
	}()
	return nil
}

func (n *simNetwork) wake(id int32) {
	n.mu.Lock()
	s := n.sockets[id]
	n.mu.Unlock()
	if s != nil {
		s.ring()
	}
}

func (n *simNetwork) register(id int32) *simSocket {
	s := &simSocket{
		net: n, id: id, readable: make(bell, 1), writable: make(bell, 1),
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

// bell wakes one waiter, who then looks at everything that he may have been waiting for: one channel instead of a select
// over news, being closed and a deadline. A ring that nobody waits for is kept for the next.
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

	closed atomic.Bool
}

func (s *simSocket) ring() {
	s.readable.ring()
	s.writable.ring()
}

func (s *simSocket) close() error {
	if s.closed.Swap(true) {
		return net.ErrClosed
	}
	s.net.mu.Lock()
	delete(s.net.sockets, s.id)
	s.net.mu.Unlock()
	hostClose(s.id)
	s.ring()
	return nil
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
		if l.s.closed.Load() {
			return nil, l.s.fail("accept", net.ErrClosed)
		}
		id := hostAccept(l.s.id)
		if id > 0 {
			return newSimConn(l.s.net.register(id)), nil
		}
		if errno := syscall.Errno(-id); errno != syscall.EAGAIN {
			return nil, l.s.fail("accept", errno)
		}
		<-l.s.readable
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
	rmu, wmu              sync.Mutex // one Read and one Write at a time, as bytes must not interleave; one waits per bell
	readLimit, writeLimit simDeadline
}

func newSimConn(s *simSocket) *simConn {
	c := &simConn{simSocket: s}
	c.readLimit.bell, c.writeLimit.bell = s.readable, s.writable
	return c
}

func (c *simConn) Read(p []byte) (int, error) {
	c.rmu.Lock()
	defer c.rmu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	k := min(len(p), maxSimCallBytes)
	for waited := false; ; waited = true {
		if err := c.usable(&c.readLimit, waited); err != nil {
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
		if c.readLimit.passed() {
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		}
		c.readLimit.wait()
	}
}

func (c *simConn) Write(p []byte) (int, error) { return c.write(p, true) }

// tryWrite implements nonblocking.
func (c *simConn) tryWrite(p []byte) (int, error) { return c.write(p, false) }

func (c *simConn) write(p []byte, wait bool) (int, error) {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	sent := 0
	for waited := false; ; {
		if err := c.usable(&c.writeLimit, waited); err != nil {
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
		if !wait {
			return sent, nil
		}
		if c.writeLimit.passed() {
			return sent, c.fail("write", os.ErrDeadlineExceeded)
		}
		c.writeLimit.wait()
		waited = true
	}
}

// usable tells whether an operation may go on. The deadline counts for who had to wait: what can be done at once is done,
// and saves a look at the clock.
func (c *simConn) usable(limit *simDeadline, waited bool) error {
	if c.closed.Load() {
		return net.ErrClosed
	}
	if waited && limit.passed() {
		return os.ErrDeadlineExceeded
	}
	return nil
}

func (c *simConn) Close() error {
	if err := c.close(); err != nil {
		return c.fail("close", err)
	}
	c.readLimit.stop()
	c.writeLimit.stop()
	return nil
}

func (c *simConn) LocalAddr() net.Addr  { return c.local }
func (c *simConn) RemoteAddr() net.Addr { return c.remote }

func (c *simConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *simConn) SetReadDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.fail("set", net.ErrClosed)
	}
	c.readLimit.set(t)
	return nil
}

func (c *simConn) SetWriteDeadline(t time.Time) error {
	if c.closed.Load() {
		return c.fail("set", net.ErrClosed)
	}
	c.writeLimit.set(t)
	return nil
}

// simDeadline is a point in time that can be moved while somebody waits for it. A deadline is set for each request and
// hardly ever passes, so setting one only notes it: a timer runs only while somebody waits, and one that fires before the
// deadline, since that has been moved, is started again for the rest.
type simDeadline struct {
	bell bell

	mu      sync.Mutex
	at      time.Time // zero: none
	waiting bool
	timer   *time.Timer
	firesAt time.Time // zero: the timer does not run
}

func (d *simDeadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = t
	if d.waiting {
		d.start()
	}
}

// start sees to it that the timer fires at the deadline or before.
func (d *simDeadline) start() {
	if d.at.IsZero() || !d.firesAt.IsZero() && !d.at.Before(d.firesAt) {
		return
	}
	d.firesAt = d.at
	left := time.Until(d.at)
	if d.timer == nil {
		d.timer = time.AfterFunc(left, d.fired)
		return
	}
	d.timer.Reset(left)
}

func (d *simDeadline) fired() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.firesAt = time.Time{}
	if d.waiting {
		d.bell.ring() // the waiter looks at the clock
	}
}

// wait returns when there is news, the deadline has passed, or for no reason.
func (d *simDeadline) wait() {
	d.mu.Lock()
	d.waiting = true
	d.start()
	d.mu.Unlock()
	<-d.bell
	d.mu.Lock()
	d.waiting = false
	d.mu.Unlock()
}

func (d *simDeadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && time.Until(d.at) <= 0
}

// stop lets go of the timer.
func (d *simDeadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at, d.firesAt = time.Time{}, time.Time{}
	if d.timer != nil {
		d.timer.Stop()
	}
}
