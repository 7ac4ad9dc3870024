package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// memConn is one end of an in-memory connection: it reads one pipe and writes
// the other. Everything in it is guarded by the network's lock.
type memConn struct {
	m             *Memory
	rd, wr        *memPipe
	local, remote memAddr
	closed        bool
}

// memPipe carries bytes one way.
type memPipe struct {
	m      *Memory
	link   memLink
	cond   sync.Cond // on m.mu: anything below, or the link, changed
	buf    []byte
	ended  bool // the writing end was closed: end of file once buf is empty
	broken bool // the reading end was closed: writing is an error

	readBy, writeBy memDeadline
}

func newMemPipe(m *Memory, from, to string) *memPipe {
	p := &memPipe{m: m, link: memLink{from, to}}
	p.cond.L = &m.mu
	return p
}

// flows reports whether the pipe's link is up. It needs the lock.
func (p *memPipe) flows() bool { return !p.m.cut[p.link] }

// memDeadline is a moment after which waiting ends. A timer marks it as passed
// and wakes the waiters; generation tells a stopped timer that fired anyway.
type memDeadline struct {
	timer      *time.Timer
	generation int
	passed     bool
}

func (d *memDeadline) set(p *memPipe, t time.Time) {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.generation++
	d.passed = false
	p.cond.Broadcast()
	if t.IsZero() {
		return
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		return
	}
	generation := d.generation
	d.timer = time.AfterFunc(wait, func() {
		p.m.mu.Lock()
		defer p.m.mu.Unlock()
		if d.generation == generation {
			d.passed = true
			p.cond.Broadcast()
		}
	})
}

func (c *memConn) Read(b []byte) (int, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	p := c.rd
	for {
		switch {
		case c.closed:
			return 0, c.fail("read", net.ErrClosed)
		case p.readBy.passed:
			return 0, c.fail("read", os.ErrDeadlineExceeded)
		case len(b) == 0:
			return 0, nil
		case p.flows() && len(p.buf) > 0:
			n := copy(b, p.buf)
			p.buf = append(p.buf[:0], p.buf[n:]...)
			p.cond.Broadcast()
			return n, nil
		case p.flows() && p.ended:
			return 0, io.EOF
		}
		p.cond.Wait()
	}
}

func (c *memConn) Write(b []byte) (int, error) { return c.write(b, true) }

// tryWrite implements nonblocking.
func (c *memConn) tryWrite(b []byte) (int, error) { return c.write(b, false) }

func (c *memConn) write(b []byte, wait bool) (int, error) {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	p := c.wr
	written := 0
	for {
		switch {
		case c.closed:
			return written, c.fail("write", net.ErrClosed)
		case p.writeBy.passed:
			return written, c.fail("write", os.ErrDeadlineExceeded)
		case p.broken && c.rd.flows(): // the news of the break travels the other way
			return written, c.fail("write", syscall.EPIPE)
		}
		if room := memoryBuffer - len(p.buf); room > 0 {
			n := min(room, len(b)-written)
			p.buf = append(p.buf, b[written:written+n]...)
			written += n
			p.cond.Broadcast()
		}
		if written == len(b) || !wait {
			return written, nil
		}
		p.cond.Wait()
	}
}

func (c *memConn) Close() error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.closed {
		return c.fail("close", net.ErrClosed)
	}
	c.closeLocked()
	return nil
}

// closeLocked ends both directions. What was written and not yet read still
// arrives; what arrived and was not read is lost.
func (c *memConn) closeLocked() {
	if c.closed {
		return
	}
	c.closed = true
	c.wr.ended = true
	c.rd.broken = true
	c.rd.buf = nil
	c.rd.readBy.set(c.rd, time.Time{}) // stops the timer and wakes
	c.wr.writeBy.set(c.wr, time.Time{})
	c.m.drop(c)
}

func (c *memConn) LocalAddr() net.Addr  { return c.local }
func (c *memConn) RemoteAddr() net.Addr { return c.remote }

func (c *memConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.closed {
		return c.fail("set deadline", net.ErrClosed)
	}
	c.rd.readBy.set(c.rd, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.closed {
		return c.fail("set deadline", net.ErrClosed)
	}
	c.wr.writeBy.set(c.wr, t)
	return nil
}

func (c *memConn) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: "memory", Source: c.local, Addr: c.remote, Err: err}
}
