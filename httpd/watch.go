package httpd

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

// watch answers GET with wait=true. The head goes out at once, so that a
// client knows from which index it watches.
func (s *Server) watch(ctx *fasthttp.RequestCtx, x *exchange) {
	p, err := s.newPoll(&ctx.Request.Header, x)
	if err != nil {
		s.sendRefusal(ctx, x, refusalOf(err))
		return
	}
	s.takeOver(ctx, p.serve, p.watcher.Close)
}

// newPoll begins the watch that a request asks for.
func (s *Server) newPoll(h *fasthttp.RequestHeader, x *exchange) (*poll, error) {
	q := &x.request
	// The watcher outlives the request's memory, in which the path lies.
	path := strings.Clone(q.command.Path)
	w, err := s.replica.Watch(path, q.recursive, q.stream, kernel.StoreIndex(q.waitIndex))
	if err != nil {
		return nil, err
	}
	return &poll{
		server: s, watcher: w, stream: q.stream, chunked: h.IsHTTP11(),
		last: h.ConnectionClose() || !h.IsHTTP11(),
	}, nil
}

// poll is one watch on its connection. Two write there, one after the other: the
// connection's goroutine (serve) the head and what lay in the ring, and then
// whoever brings an event (Receive). The connection's goroutine reads meanwhile:
// what it sees is the client's hang-up, or its next request.
type poll struct {
	server  *Server
	watcher *replica.Watcher
	taken   *taken
	stream  bool
	chunked bool
	last    bool // the connection ends with this answer

	ending atomic.Bool // the server stops

	mu        sync.Mutex // held while events are written
	out       *buffer    // not yet written
	over      bool       // nothing more is written
	again     bool       // and the connection is in order for another request
	endedAt   time.Time
	pipelined bool // the client's next request came before the end
	woken     bool // so the end has woken the connection's goroutine
}

// serve serves a watch and those that follow it on its connection. It says whether
// another request has come behind them.
func (p *poll) serve(t *taken) (again bool) {
	for p != nil {
		if !p.serveOne(t) {
			return false
		}
		p = p.server.nextPoll(t)
	}
	return true
}

func (p *poll) serveOne(t *taken) (again bool) {
	p.taken = t
	defer p.leave()
	return p.begin() && p.listen()
}

// begin sends the head with what lay in the ring.
func (p *poll) begin() (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pipelined = len(p.taken.ahead) > 0
	p.out = newBuffer()
	p.out.bytes = p.appendHead(p.out.bytes)
	events, ended := p.watcher.Take()
	if p.gather(events) != nil {
		return false
	}
	if ended {
		p.finish()
		return true
	}
	if p.flush() != nil {
		return false
	}
	p.server.park(p)
	p.watcher.Deliver(p)
	return true
}

// leave gives up what a watch holds. Who still writes is waited for: to a client
// that has closed its half of the connection only, the event goes in one piece.
func (p *poll) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		p.fail()
	}
}

// Receive implements replica.Receiver. A panic in it costs the connection only.
func (p *poll) Receive(events []*replica.Notice, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	defer func() {
		if fault := recover(); fault != nil {
			p.server.logPanic(fault)
			p.fail()
		}
	}()
	err := p.gather(events)
	switch {
	case ended || errors.Is(err, errPollEnded):
		p.finish()
		if p.again && p.pipelined {
			p.woken = true
			p.taken.wakeReader()
		}
		return
	case err == nil:
		err = p.flush()
	}
	if err != nil {
		p.fail()
	}
}

// fail ends a watch in disorder: its connection is closed, which its goroutine
// sees.
func (p *poll) fail() {
	p.over, p.again = true, false
	p.watcher.Close()
	p.server.unpark(p)
	_ = p.taken.link.Close()
}

// end ends the watch as the server stops, behind what is being written.
func (p *poll) end() {
	p.ending.Store(true)
	p.watcher.Close()
	go p.Receive(nil, true)
}

// errPollEnded says that a watch ended while its events were being sent. Those that
// were end the body in order, and the client goes on behind them.
var errPollEnded = errors.New("watch ended")

// gather puts events into out, and writes what has become long. The events may
// be large and many, and as many clients may be behind: each holds, beside the
// events that all share, little more than one of them. A client that takes them
// piece by piece has as long for all as one who is sent a long listing.
func (p *poll) gather(events []*replica.Notice) error {
	var until time.Time
	for i, e := range events {
		if p.out == nil {
			p.out = newBuffer()
		}
		p.out.bytes = append(p.out.bytes, p.piece(e)...)
		events[i] = nil // an event from the ring is encoded for this watch alone
		if len(p.out.bytes) <= maxPooled || !p.stream {
			continue
		}
		if until.IsZero() {
			until = time.Now().Add(listingTimeout)
		}
		if err := p.flushUntil(until); err != nil {
			return err
		}
		if p.ending.Load() {
			return errPollEnded
		}
	}
	return nil
}

// piece is an event as it stands in the body.
func (p *poll) piece(e *replica.Notice) []byte {
	f := framed(e.Encoded(encodeFramed))
	if p.chunked {
		return f.chunk()
	}
	return f.bare()
}

// finish ends the body; without chunks the end of the connection does so. From
// here on a shutdown may close the connection, but for what is being written, and
// but for a request that came meanwhile.
func (p *poll) finish() {
	l := p.taken.link
	p.server.unpark(p)
	l.answering.Store(true)
	if !p.pipelined {
		l.asked.Store(false)
	}
	if p.chunked {
		if p.out == nil {
			p.out = newBuffer()
		}
		p.out.bytes = append(p.out.bytes, lastChunk...)
	}
	err := p.flush()
	l.answering.Store(false)
	p.endedAt = time.Now()
	p.over, p.again = true, err == nil && !p.last
	if !p.again || p.server.stopping() && (p.pipelined || !l.asked.Load()) {
		p.fail()
	}
}

// flush writes what has gathered. A client that does not read for so long
// loses its connection, and its watch with it.
func (p *poll) flush() error { return p.flushUntil(time.Time{}) }

// flushUntil is flush that must be done by a time, if it is not zero.
func (p *poll) flushUntil(until time.Time) error {
	if p.out == nil {
		return nil
	}
	deadline := time.Now().Add(p.server.limits.WriteTimeout)
	if !until.IsZero() && until.Before(deadline) {
		deadline = until
	}
	err := p.taken.writeUntil(p.out.bytes, deadline)
	p.out.release()
	p.out = nil
	return err
}

// appendHead appends the head of the answer.
func (p *poll) appendHead(dst []byte) []byte {
	w := p.watcher
	dst = append(dst, "HTTP/1.1 200 OK\r\nDate: "...)
	dst = fasthttp.AppendHTTPDate(dst, time.Now())
	dst = append(dst, p.server.watchHead...)
	dst = appendHeader(dst, headerEtcdIndex, uint64(w.Index))
	dst = appendHeader(dst, headerRaftIndex, uint64(w.LogIndex))
	dst = appendHeader(dst, headerRaftTerm, w.Term)
	if p.chunked {
		dst = append(dst, "\r\nTransfer-Encoding: chunked"...)
	}
	if p.last {
		dst = append(dst, "\r\nConnection: close"...)
	}
	return append(dst, "\r\n\r\n"...)
}

// buffer is where an answer gathers until it is written.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func newBuffer() *buffer { return buffers.Get().(*buffer) }

func (b *buffer) release() {
	if b.bytes = b.bytes[:0]; cap(b.bytes) > maxPooled {
		b.bytes = nil
	}
	buffers.Put(b)
}
