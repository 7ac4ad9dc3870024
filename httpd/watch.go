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
	out       *buffer    // events gather here
	rest      []byte     // not yet written: of out, or of an event that all watches share
	closing   bool       // the end of the body is in rest
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
	if p.compose(events, ended) != nil {
		return false
	}
	if _, err := p.write(true); err != nil {
		return false
	}
	if !ended {
		p.server.park(p)
		p.watcher.Deliver(p)
	}
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
func (p *poll) Receive(events []*replica.Notice, ended, mayWait bool) (done bool) {
	if mayWait {
		p.mu.Lock()
	} else if !p.mu.TryLock() {
		return false
	}
	defer p.mu.Unlock()
	if p.over {
		return true
	}
	defer func() {
		if fault := recover(); fault != nil {
			p.server.logPanic(fault)
			p.fail()
			done = true
		}
	}()
	done, err := p.advance(events, ended, mayWait)
	switch {
	case err != nil:
		p.fail()
		return true
	case p.over && p.again && p.pipelined:
		p.woken = true
		p.taken.wakeReader()
	}
	return done
}

// advance sends events and, if the watch has ended, the end of the body. What an
// earlier call has left goes first; then the events are in it.
func (p *poll) advance(events []*replica.Notice, ended, mayWait bool) (done bool, err error) {
	if len(p.rest) > 0 {
		if done, err := p.write(mayWait); err != nil || !done || p.over || !ended {
			return done, err
		}
		events = nil
	}
	if !mayWait && p.long(events) {
		return false, nil
	}
	if p.sharesOne(events) {
		f := framed(events[0].Encoded(encodeFramed)) // as all watches have it
		if p.rest = f.chunk(); ended {
			p.end()
			p.rest = f.whole()
		}
		return p.write(mayWait)
	}
	if err := p.compose(events, ended); err != nil {
		return true, err
	}
	return p.write(mayWait)
}

// compose puts events and the end of the body into rest, as far as they have not
// been written for their length.
func (p *poll) compose(events []*replica.Notice, ended bool) error {
	if err := p.gather(events); errors.Is(err, errPollEnded) {
		ended = true
	} else if err != nil {
		return err
	}
	if ended {
		p.end()
	}
	if p.out != nil {
		p.rest = p.out.bytes
	}
	return nil
}

// long tells whether events do not go in one write, so that gather would wait for
// the client. It encodes no more of them than such a write takes.
func (p *poll) long(events []*replica.Notice) bool {
	if !p.stream || p.sharesOne(events) {
		return false
	}
	size := 0
	if p.out != nil {
		size = len(p.out.bytes)
	}
	for _, e := range events {
		if size += len(p.piece(e)); size > maxPooled {
			return true
		}
	}
	return false
}

// sharesOne tells whether what is to be written is one event, as all watches have
// it.
func (p *poll) sharesOne(events []*replica.Notice) bool {
	return len(events) == 1 && p.chunked && p.out == nil
}

// fail ends a watch in disorder: its connection is closed, which its goroutine
// sees.
func (p *poll) fail() {
	p.over, p.again = true, false
	p.watcher.Close()
	p.server.unpark(p)
	_ = p.taken.link.Close()
}

// stop ends the watch as the server stops, behind what is being written.
func (p *poll) stop() {
	p.ending.Store(true)
	p.watcher.Close()
	go p.Receive(nil, true, true)
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

// end adds the end of the body to out; without chunks the end of the connection
// ends it. From here on a shutdown may close the connection, but for what is being
// written, and but for a request that came meanwhile.
func (p *poll) end() {
	l := p.taken.link
	p.server.unpark(p)
	p.closing = true
	l.answering.Store(true)
	if !p.pipelined {
		l.asked.Store(false)
	}
	if !p.chunked || p.out == nil && len(p.rest) > 0 {
		return // an event is there already, with its end
	}
	if p.out == nil {
		p.out = newBuffer()
	}
	p.out.bytes = append(p.out.bytes, lastChunk...)
}

// ended is behind end, when that is written.
func (p *poll) ended() {
	l := p.taken.link
	l.answering.Store(false)
	p.endedAt = time.Now()
	p.over, p.again = true, !p.last
	if p.last || p.server.stopping() && (p.pipelined || !l.asked.Load()) {
		p.fail()
	}
}

// write writes what is left, all of it if it may wait. A client that does not read
// for so long loses its connection, and its watch with it.
func (p *poll) write(mayWait bool) (done bool, err error) {
	if n := len(p.rest); n > 0 {
		if n, err = p.taken.writeUntil(p.rest, time.Now().Add(p.server.limits.WriteTimeout), mayWait); err != nil {
			return true, err
		}
		p.rest = p.rest[n:]
	}
	if len(p.rest) > 0 {
		return false, nil
	}
	p.rest = nil
	if p.out != nil {
		p.out.release()
		p.out = nil
	}
	if p.closing {
		p.ended()
	}
	return true, nil
}

// flushUntil writes out, of a watch that may wait, and has it done by a time.
func (p *poll) flushUntil(until time.Time) error {
	if next := time.Now().Add(p.server.limits.WriteTimeout); next.Before(until) {
		until = next
	}
	_, err := p.taken.writeUntil(p.out.bytes, until, true)
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
