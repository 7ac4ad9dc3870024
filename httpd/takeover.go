package httpd

import (
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"holdfast/transport"
)

// taken is a connection that was taken from fasthttp to be answered on
// directly.
type taken struct {
	*link
	// ahead is what the client has sent behind its request.
	ahead []byte
	// read and write are the link's deadlines: one goroutine reads, and whoever
	// writes holds the poll's lock.
	read, write deadline
	try         *transport.TryWriter
}

// takeOver ends fasthttp's part in a request: run answers on the bare
// connection, in a goroutine of its own, so that a parked watch holds none of
// fasthttp's buffers. Run says whether the client's next request has come; then
// the connection goes back to fasthttp with it. Should fasthttp give the
// connection up before, abandon is called instead.
func (s *Server) takeOver(ctx *fasthttp.RequestCtx, run func(t *taken) (again bool), abandon func()) {
	s.beginTaken()
	undo := func() {
		abandon()
		s.endTaken()
	}
	if c, ok := ctx.Conn().(*session); ok {
		c.abandoned.Store(&undo)
	}
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(c net.Conn) {
		t, ok := take(c)
		if !ok {
			undo() // our listener makes no other connections
			return
		}
		go s.runTaken(t, run)
	})
}

// take gets the link out of fasthttp's hands, with what was read from it and
// not used. Hijacked is what a hijack handler is given: fasthttp's wrapper,
// which serves other connections once the handler has returned.
func take(hijacked net.Conn) (t *taken, ok bool) {
	wrapper, ok := hijacked.(interface{ UnsafeConn() net.Conn })
	if !ok {
		return nil, false
	}
	c, ok := wrapper.UnsafeConn().(*session)
	if !ok {
		return nil, false
	}
	c.abandoned.Store(nil)
	c.taken.Store(true)
	// Fasthttp has told the link that it has no deadlines.
	t = &taken{link: c.link, try: transport.NewTryWriter(c.link.Conn)}
	var buffer [1024]byte
	for {
		n, err := hijacked.Read(buffer[:])
		t.ahead = append(t.ahead, buffer[:n]...)
		if err != nil || n == 0 {
			t.ahead = append(t.ahead, c.ahead...)
			return t, true
		}
	}
}

func (s *Server) runTaken(t *taken, run func(*taken) bool) {
	defer s.endTaken()
	if !s.answerTaken(t, run) {
		_ = t.link.Close()
		return
	}
	// Its errors are the client's: the connection ends one way or another.
	_ = s.http.ServeConn(&session{link: t.link, ahead: t.ahead, read: t.read, write: t.write})
}

// answerTaken runs run; a panic in it costs the connection only.
func (s *Server) answerTaken(t *taken, run func(*taken) bool) (again bool) {
	defer func() {
		if fault := recover(); fault != nil {
			s.logPanic(fault)
			again = false
		}
	}()
	return run(t)
}

// writeUntil writes what must be accepted by a time, or, if it may not wait, as
// much as is accepted at once.
func (t *taken) writeUntil(p []byte, until time.Time, mayWait bool) (n int, err error) {
	if t.write.wanted = until; t.write.due(t.server.deadlineSlack) {
		t.write.set = until
		if err := t.link.SetWriteDeadline(until); err != nil {
			return 0, err
		}
	}
	if mayWait {
		return t.link.Write(p)
	}
	return t.try.TryWrite(p)
}

// readUntil sets the time until which readMore waits.
func (t *taken) readUntil(until time.Time) error {
	if t.read.wanted = until; !t.read.due(t.server.deadlineSlack) {
		return nil
	}
	t.read.set = until
	return t.link.SetReadDeadline(until)
}

// readMore waits for more of what the client sends.
func (t *taken) readMore() error {
	if len(t.ahead) == cap(t.ahead) {
		t.ahead = slices.Grow(t.ahead, max(aheadBuffer, len(t.ahead)))
	}
	n, err := t.link.Read(t.ahead[len(t.ahead):cap(t.ahead)])
	t.ahead = t.ahead[:len(t.ahead)+n]
	return err
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// wakeReader has readMore return, in whichever goroutine it waits. What the link
// was told is for the reader to note.
func (t *taken) wakeReader() {
	if t.link.SetReadDeadline(longAgo) != nil {
		_ = t.link.Close()
	}
}

// appendHead appends the head of a 200 answer that the end of the connection ends:
// the headers that ctx has gathered.
func appendHead(dst []byte, ctx *fasthttp.RequestCtx) []byte {
	h := &ctx.Response.Header
	dst = append(dst, "HTTP/1.1 200 OK\r\nDate: "...)
	dst = fasthttp.AppendHTTPDate(dst, time.Now())
	dst = append(dst, "\r\nContent-Type: "...)
	dst = append(dst, h.ContentType()...)
	for name, value := range h.All() {
		switch string(name) {
		case "Content-Type", "Content-Length", "Date", "Connection", "Transfer-Encoding":
			continue
		}
		dst = append(append(append(append(dst, "\r\n"...), name...), ": "...), value...)
	}
	return append(dst, "\r\nConnection: close\r\n\r\n"...)
}

// appendHeader appends a header whose value is a number.
func appendHeader(dst, name []byte, value uint64) []byte {
	dst = append(append(append(dst, "\r\n"...), name...), ": "...)
	return strconv.AppendUint(dst, value, 10)
}
