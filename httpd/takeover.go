package httpd

import (
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// taken is a connection that was taken from fasthttp to be answered on
// directly.
type taken struct {
	*link
	// ahead is what the client has sent behind its request.
	ahead []byte
	// again tells whether the client wants the connection for more requests.
	again bool
}

// takeOver ends fasthttp's part in a request: run answers on the bare
// connection, in a goroutine of its own, so that a parked watch holds none of
// fasthttp's buffers. Run says whether the connection is in order; then, and
// if the client wants that, it goes back to fasthttp for the next request.
// Should fasthttp give the connection up before, abandon is called instead.
func (s *Server) takeOver(ctx *fasthttp.RequestCtx, run func(t *taken) (inOrder bool), abandon func()) {
	again := !ctx.Request.Header.ConnectionClose() && ctx.Request.Header.IsHTTP11()
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
		l, ahead, ok := take(c)
		if !ok {
			undo() // our listener makes no other connections
			return
		}
		go s.runTaken(&taken{link: l, ahead: ahead, again: again}, run)
	})
}

func (s *Server) runTaken(t *taken, run func(*taken) bool) {
	defer s.endTaken()
	if !s.answerTaken(t, run) || !t.again || !s.nextRequest(t) {
		_ = t.link.Close()
		return
	}
	// Its errors are the client's: the connection ends one way or another.
	_ = s.http.ServeConn(&session{link: t.link, ahead: t.ahead})
}

// nextRequest waits for the beginning of the client's next request; no if
// none comes. To fasthttp this would be a new connection, which it does not
// let wait for as long as one between two requests.
func (s *Server) nextRequest(t *taken) bool {
	if len(t.ahead) > 0 {
		return !s.stopping()
	}
	t.asked.Store(false)
	// From here on a shutdown closes the link; one that began before is seen.
	if s.stopping() || t.SetReadDeadline(time.Now().Add(s.limits.IdleTimeout)) != nil {
		return false
	}
	buffer := make([]byte, nextBuffer)
	n, err := t.Read(buffer)
	t.ahead = buffer[:n]
	return n > 0 && err == nil
}

// answerTaken runs run; a panic in it costs the connection only.
func (s *Server) answerTaken(t *taken, run func(*taken) bool) (inOrder bool) {
	defer func() {
		if fault := recover(); fault != nil {
			s.logPanic(fault)
			inOrder = false
		}
	}()
	return run(t)
}

// appendHead appends the head of a 200 answer whose length is not known: the
// headers that ctx has gathered, and the framing.
func appendHead(dst []byte, ctx *fasthttp.RequestCtx, chunked bool) []byte {
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
	if chunked {
		dst = append(dst, "\r\nTransfer-Encoding: chunked"...)
	}
	if !chunked || ctx.Request.Header.ConnectionClose() {
		dst = append(dst, "\r\nConnection: close"...)
	}
	return append(dst, "\r\n\r\n"...)
}

// appendChunk appends a piece of a body, framed if chunked. It must not be
// empty: that would end the body.
func appendChunk(dst, piece []byte, chunked bool) []byte {
	if !chunked {
		return append(dst, piece...)
	}
	dst = strconv.AppendUint(dst, uint64(len(piece)), 16)
	dst = append(append(dst, "\r\n"...), piece...)
	return append(dst, "\r\n"...)
}

const lastChunk = "0\r\n\r\n"
