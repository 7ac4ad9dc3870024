package httpd

import (
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
	closed sync.Once
	// heard tells that a byte has come: until then it is safe to close the
	// link in a shutdown.
	heard atomic.Bool
}

// Read implements io.Reader.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 && !l.heard.Load() {
		l.heard.Store(true)
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

// session is what fasthttp sees of a link: from accept, or from the end of a
// watch, to the next watch, which takes the link from under it.
type session struct {
	*link
	ahead []byte // read already, while the link was taken
	taken atomic.Bool
}

// Read implements io.Reader. Once the link is taken it has nothing more, so
// that fasthttp's own buffer can be emptied without waiting.
func (c *session) Read(p []byte) (int, error) {
	if c.taken.Load() {
		return 0, io.EOF
	}
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	return c.link.Read(p)
}

// Close implements io.Closer. It leaves a link that was taken alone.
func (c *session) Close() error {
	if c.taken.Load() {
		return nil
	}
	return c.link.Close()
}

// take gets the link out of fasthttp's hands, with what was read from it and
// not used. Conn is what a hijack handler is given: fasthttp's wrapper, which
// is used again for other connections once the handler returns.
func take(hijacked net.Conn) (l *link, ahead []byte, ok bool) {
	wrapper, ok := hijacked.(interface{ UnsafeConn() net.Conn })
	if !ok {
		return nil, nil, false
	}
	c, ok := wrapper.UnsafeConn().(*session)
	if !ok {
		return nil, nil, false
	}
	c.taken.Store(true)
	var buffer [MaxHeadBytes]byte
	for {
		n, err := hijacked.Read(buffer[:])
		ahead = append(ahead, buffer[:n]...)
		if err != nil || n == 0 {
			return c.link, append(ahead, c.ahead...), true
		}
	}
}

// listener turns accepted connections into links and keeps their number
// within the limit.
type listener struct {
	net.Listener
	server *Server
}

const tooManyConns = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n" +
	"Connection: close\r\nContent-Length: 38\r\n\r\ntoo many connections; try again later\n"

// Accept implements net.Listener.
func (ln *listener) Accept() (net.Conn, error) {
	for {
		c, err := ln.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l := &link{Conn: c, server: ln.server}
		if ln.server.remember(l) {
			return &session{link: l}, nil
		}
		// The answer fits the socket's buffer; the deadline is for networks
		// that have none.
		if c.SetWriteDeadline(time.Now().Add(100*time.Millisecond)) == nil {
			_, _ = io.WriteString(c, tooManyConns)
		}
		_ = c.Close()
	}
}
