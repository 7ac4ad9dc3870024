package httpd

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
	"holdfast/kernel/archive"
	"holdfast/kernel/replica"
)

// Consul's headers, written as Consul's server writes them.
var (
	headerConsulIndex       = []byte("X-Consul-Index")
	headerConsulKnownLeader = []byte("X-Consul-Knownleader")
	headerConsulLastContact = []byte("X-Consul-Lastcontact")
)

const typeGzip = "application/x-gzip"

// serveSnapshot serves the saving half of Consul's /v1/snapshot: the whole state
// in one archive.
func (s *Server) serveSnapshot(ctx *fasthttp.RequestCtx) {
	if !isMethod(ctx, methodGet) {
		notAllowed(ctx, "GET")
		return
	}
	query := ctx.QueryArgs()
	stale := query.Has("stale")
	switch {
	case !ctx.Request.Header.IsHTTP11():
		// Without chunks an archive that breaks off looks like one that is sent.
		plainError(ctx, fasthttp.StatusHTTPVersionNotSupported, "505 a snapshot is sent in chunks; ask with HTTP/1.1")
		return
	case stale && query.Has("consistent"):
		plainError(ctx, fasthttp.StatusBadRequest, "Cannot specify ?stale with ?consistent, conflicting semantics.")
		return
	case len(query.Peek("dc")) > 0:
		plainError(ctx, fasthttp.StatusInternalServerError, "No path to datacenter")
		return
	}
	var since kernel.LogIndex
	if !stale {
		// Who waits for a leader takes no place: without one, ?stale is the way.
		view, err := s.replica.Linearizable(context.Background())
		if err != nil {
			noSnapshot(ctx, err, "try again, or ask with ?stale for what this member has")
			return
		}
		since = view.Applied
	}
	s.sendSnapshot(ctx, since)
}

// sendSnapshot sends what this member has applied, nothing older than since, if
// there is a place.
func (s *Server) sendSnapshot(ctx *fasthttp.RequestCtx, since kernel.LogIndex) {
	release, ok := s.snapshots.enter()
	if !ok {
		plainError(ctx, fasthttp.StatusServiceUnavailable, fmt.Sprintf("503 %d snapshots are being sent by this member; try again later, or ask another", MaxSnapshots))
		return
	}
	body := &snapshotBody{release: release, renew: s.renewal(ctx.Conn(), snapshotTimeout), stop: s.replica.Done()}
	// From here on the answer, whatever it is, closes the body.
	ctx.Response.SetBodyStream(body, -1)
	c, err := s.replica.Copy(since)
	if err != nil {
		noSnapshot(ctx, err, "try again, or ask another member")
		return
	}
	body.state = c
	body.about = archive.About(c.Snapshot, c.Term, s.replica.Status().ClusterID, time.Now())
	h := &ctx.Response.Header
	h.SetContentType(typeGzip)
	setUint(h, headerConsulIndex, uint64(c.Applied()))
	h.SetCanonical(headerConsulKnownLeader, strconv.AppendBool(nil, c.KnownLeader))
	setUint(h, headerConsulLastContact, uint64(c.LastContact.Milliseconds()))
	// The size of the state is counted before its first byte is sent.
	ctx.Response.ImmediateHeaderFlush = true
}

// noSnapshot refuses for a reason that may pass.
func noSnapshot(ctx *fasthttp.RequestCtx, err error, advice string) {
	plainError(ctx, fasthttp.StatusServiceUnavailable, fmt.Sprintf("503 %s; %s", refusalOf(err).Cause, advice))
}

// snapshotGate lets so many snapshots be sent at a time.
type snapshotGate struct {
	mu           sync.Mutex
	now, refused uint64
}

// enter takes a place, if there is one; leave gives it back, once.
func (g *snapshotGate) enter() (leave func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.now >= MaxSnapshots {
		g.refused++
		return nil, false
	}
	g.now++
	return sync.OnceFunc(func() {
		g.mu.Lock()
		g.now--
		g.mu.Unlock()
	}), true
}

func (g *snapshotGate) load() replica.Gauge {
	g.mu.Lock()
	defer g.mu.Unlock()
	return replica.Gauge{Now: g.now, Limit: MaxSnapshots, Refused: g.refused}
}

// snapshotBody is an archive that is written while it is made, by the goroutine
// that serves the connection.
type snapshotBody struct {
	state   *replica.Copy
	about   archive.Meta
	release func()
	// renew moves the connection's write deadline before each piece.
	renew func() error
	stop  <-chan struct{}
}

// WriteTo implements io.WriterTo, which fasthttp uses for SupportsBodyWriteTo.
// After an error it closes the connection, and the client sees that the last
// chunk is missing.
func (b *snapshotBody) WriteTo(to io.Writer) (int64, error) {
	out := &renewedWriter{w: to, renew: b.renew}
	err := archive.Write(out, b.state.Snapshot, b.about, b.stop)
	return out.n, err
}

// SupportsBodyWriteTo implements fasthttp.BodyWriterTo.
func (b *snapshotBody) SupportsBodyWriteTo() bool { return true }

// Read is there for io.Reader's sake only.
func (b *snapshotBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// Close implements io.Closer: fasthttp is done with the answer.
func (b *snapshotBody) Close() error {
	b.state = nil
	b.release()
	return nil
}

// renewedWriter renews a deadline before each write.
type renewedWriter struct {
	w     io.Writer
	renew func() error
	n     int64
}

// Write implements io.Writer.
func (w *renewedWriter) Write(p []byte) (int, error) {
	if err := w.renew(); err != nil {
		return 0, err
	}
	n, err := w.w.Write(p)
	w.n += int64(n)
	return n, err
}
