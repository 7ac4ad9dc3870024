package httpd

import (
	"io"
	"net"
	"time"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
)

// lister writes a node and, if it is a directory, what is in it. It either
// gathers everything in out, giving up over a limit, or hands pieces to emit:
// what it holds never grows with the size of the store.
type lister struct {
	view      *kernel.View
	recursive bool
	out       []byte
	limit     int
	over      bool               // the limit was passed; out is useless
	emit      func([]byte) error // nil: gather
	err       error
}

// list writes the whole answer to a GET, giving up over limit bytes.
func (w *lister) list(n *kernel.Node, limit int) {
	w.limit = limit
	w.out = append(w.out, `{"action":"get","node":`...)
	w.node(n, true)
	w.out = append(w.out, '}', '\n')
}

// node writes n; it says no when there is no use in going on.
func (w *lister) node(n *kernel.Node, withNodes bool) bool {
	w.out = appendNodeOpen(w.out, n, w.view.Clock, false)
	if n.Dir && withNodes && !w.nodes(n.Path) {
		return false
	}
	w.out = appendNodeClose(w.out, n)
	return w.room()
}

func (w *lister) nodes(dir string) bool {
	some, ok := false, true
	w.view.Children(dir, func(child *kernel.Node) bool {
		if child.Hidden() {
			return true
		}
		if some {
			w.out = append(w.out, ',')
		} else {
			w.out = append(w.out, `,"nodes":[`...)
		}
		some = true
		ok = w.node(child, w.recursive)
		return ok
	})
	if some {
		w.out = append(w.out, ']')
	}
	return ok
}

// room makes room in out, by handing it on or by giving up.
func (w *lister) room() bool {
	switch {
	case len(w.out) <= w.limit:
		return true
	case w.emit == nil:
		w.over = true
		return false
	}
	w.err = w.emit(w.out)
	w.out = w.out[:0]
	return w.err == nil
}

// longListing is a listing that is written while it is made, by the goroutine
// that serves the connection.
type longListing struct {
	node      *kernel.Node
	view      *kernel.View
	recursive bool
	// renew moves the connection's write deadline before each piece.
	renew func() error
}

// sendLong answers with a listing of any length.
func (s *Server) sendLong(ctx *fasthttp.RequestCtx, n *kernel.Node, v *kernel.View, recursive bool) {
	body := &longListing{node: n, view: v, recursive: recursive}
	if ctx.Request.Header.IsHTTP11() {
		conn := ctx.Conn()
		body.renew = s.renewal(conn, listingTimeout)
		ctx.Response.SetBodyStream(body, -1)
		return
	}
	// HTTP/1.0 has no chunks: the end of the connection ends the answer.
	head, headOnly := appendHead(nil, ctx), ctx.IsHead()
	s.takeOver(ctx, func(t *taken) bool {
		body.renew = s.renewal(t.link, listingTimeout)
		if body.renew() != nil {
			return false
		}
		if _, err := t.Write(head); err == nil && !headOnly {
			_, _ = body.WriteTo(t.link) // who does not read it to the end sees it cut
		}
		return false
	}, func() {})
}

// renewal moves a connection's write deadline, within a bound on the whole answer.
func (s *Server) renewal(c net.Conn, most time.Duration) func() error {
	end := time.Now().Add(most)
	return func() error {
		next := time.Now().Add(s.limits.WriteTimeout)
		if next.After(end) {
			next = end
		}
		return c.SetWriteDeadline(next)
	}
}

// WriteTo implements io.WriterTo, which fasthttp uses for SupportsBodyWriteTo.
func (b *longListing) WriteTo(to io.Writer) (written int64, err error) {
	w := lister{view: b.view, recursive: b.recursive, out: make([]byte, 0, chunkBytes+chunkBytes/4)}
	w.emit = func(piece []byte) error {
		if err := b.renew(); err != nil {
			return err
		}
		n, err := to.Write(piece)
		written += int64(n)
		return err
	}
	w.list(b.node, chunkBytes)
	if w.err != nil {
		return written, w.err
	}
	return written, w.emit(w.out)
}

// SupportsBodyWriteTo implements fasthttp.BodyWriterTo.
func (b *longListing) SupportsBodyWriteTo() bool { return true }

// Read is there for io.Reader's sake only.
func (b *longListing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// chunkedBody is a body in one chunk.
type chunkedBody struct{ content []byte }

// WriteTo implements io.WriterTo.
func (b *chunkedBody) WriteTo(to io.Writer) (int64, error) {
	n, err := to.Write(b.content)
	return int64(n), err
}

// SupportsBodyWriteTo implements fasthttp.BodyWriterTo.
func (b *chunkedBody) SupportsBodyWriteTo() bool { return true }

// Read is there for io.Reader's sake only.
func (b *chunkedBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
