package httpd

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// link is an accepted connection, from accept to close, whoever reads it.
type link struct {
	net.Conn
	server *Server
	number uint64 // in the order of accepts
	count  *int   // of the links of one port, guarded by Server.mu
	closed sync.Once
	// asked tells that something has come that is to be answered, answering that
	// an answer is being written: without either a shutdown may close the link at
	// once. It looks at asked first, and who answers sets answering first.
	asked, answering atomic.Bool
	// poll is the watch that waits for an event here, if any.
	poll atomic.Pointer[poll]
}

// Read implements io.Reader.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 && !l.asked.Load() {
		l.asked.Store(true)
	}
	return n, err
}

// Close implements io.Closer; the first call counts.
func (l *link) Close() (err error) {
	l.closed.Do(func() {
		l.server.forget(l)
		err = l.Conn.Close()
	})
	return err
}

// drain reads what a client still sends, for a while: closing a connection
// with bytes unread would take the answer away from the client again.
func (l *link) drain() {
	if w, ok := l.Conn.(interface{ CloseWrite() error }); ok && w.CloseWrite() != nil {
		return
	}
	if l.SetReadDeadline(time.Now().Add(drainTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, l.Conn, drainBytes)
}

// session is what fasthttp sees of a link: from accept, or from the end of a
// watch, to the next watch, which takes the link from under it.
type session struct {
	*link
	ahead []byte // read already, while the link was taken
	taken atomic.Bool
	// refused tells that the answer was given before the request was read.
	refused atomic.Bool
	// abandoned undoes a takeover that fasthttp does not come to.
	abandoned atomic.Pointer[func()]
	// read and write are the link's deadlines. Only fasthttp's goroutine sets
	// them, the one that reads and writes.
	read, write deadline
	// unanswered tells that something was read, or waited for in vain, since the
	// last SetWriteDeadline.
	unanswered bool
}

// Read implements io.Reader. Once the link is taken it has nothing more, so
// that fasthttp's own buffer can be emptied without waiting.
func (c *session) Read(p []byte) (int, error) {
	if c.taken.Load() {
		return 0, io.EOF
	}
	c.unanswered = true
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	if c.read.due(c.server.deadlineSlack) {
		if err := c.link.SetReadDeadline(c.read.wanted); err != nil {
			return 0, err
		}
		c.read.set = c.read.wanted
	}
	return c.link.Read(p)
}

// Write implements io.Writer. What fasthttp answers by itself (100, 400, 408,
// 431) it writes under the deadline of the answer before, which may have passed
// while the connection was idle, and the client would get nothing.
func (c *session) Write(p []byte) (int, error) {
	if c.unanswered {
		c.unanswered, c.write.wanted = false, time.Now().Add(c.server.limits.WriteTimeout)
	}
	if c.write.due(c.server.deadlineSlack) {
		if err := c.link.SetWriteDeadline(c.write.wanted); err != nil {
			return 0, err
		}
		c.write.set = c.write.wanted
	}
	return c.link.Write(p)
}

// SetReadDeadline is in force from the next Read on.
func (c *session) SetReadDeadline(t time.Time) error {
	c.read.wanted = t
	return nil
}

// SetWriteDeadline is in force from the next Write on.
func (c *session) SetWriteDeadline(t time.Time) error {
	c.unanswered, c.write.wanted = false, t
	return nil
}

// SetDeadline is in force at once: with it fasthttp hands the link on.
func (c *session) SetDeadline(t time.Time) error {
	c.read, c.write, c.unanswered = deadline{t, t}, deadline{t, t}, false
	return c.link.SetDeadline(t)
}

// deadline is what a link was told, and what it should be told before it is
// next used. fasthttp sets three deadlines a request, of which most are replaced
// before anything could wait for them, or differ by the moment that has passed
// since the last request; each costs as much as a small answer.
type deadline struct{ wanted, set time.Time }

// due tells whether the link has to be told. What it was told may be earlier
// than what is wanted by the slack, but never later.
func (d *deadline) due(slack time.Duration) bool {
	if d.wanted.IsZero() || d.set.IsZero() {
		return d.wanted != d.set
	}
	late := d.wanted.Sub(d.set)
	return late < 0 || late > slack
}

// Close implements io.Closer. It leaves a link that was taken alone.
func (c *session) Close() error {
	if c.taken.Load() {
		return nil
	}
	if undo := c.abandoned.Swap(nil); undo != nil {
		(*undo)()
	}
	if c.refused.Load() {
		c.drain()
	}
	return c.link.Close()
}

// listener turns accepted connections into links and keeps their number
// within a limit.
type listener struct {
	net.Listener
	server *Server
	limit  int
	count  *int
	// refused counts what was beyond the limit, guarded by Server.mu.
	refused *uint64
}

const tooManyConns = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Connection: close\r\nContent-Length: 38\r\n\r\ntoo many connections; try again later\n"

// Accept implements net.Listener. Its only error is the listener's end: what
// passes, such as a lack of file descriptors, is waited out.
func (ln *listener) Accept() (net.Conn, error) {
	pause := acceptPauseMin
	for {
		c, err := ln.Listener.Accept()
		switch {
		case err == nil:
		case ln.server.stopping() || errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF):
			return nil, err
		default:
			ln.server.logf("httpd: accept at %v: %v; trying again in %v", ln.Addr(), err, pause)
			time.Sleep(pause)
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPauseMin
		l := &link{Conn: c, server: ln.server, count: ln.count}
		if ln.server.remember(l, ln.limit, ln.refused) {
			return &session{link: l}, nil
		}
		// The answer fits the socket's buffer; the deadline is for networks
		// that have none.
		if c.SetWriteDeadline(time.Now().Add(acceptPauseMin)) == nil {
			_, _ = io.WriteString(c, tooManyConns)
		}
		_ = c.Close()
	}
}
