package httpd

import (
	"errors"
	"os"
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
	q := &x.request
	// The watcher outlives the request's memory, in which the path lies.
	path := strings.Clone(q.command.Path)
	w, err := s.replica.Watch(path, q.recursive, q.stream, kernel.StoreIndex(q.waitIndex))
	if err != nil {
		s.sendRefusal(ctx, x, refusalOf(err))
		return
	}
	setIndices(&ctx.Response.Header, w.Index, w.LogIndex, w.Term)
	p := &poll{server: s, watcher: w, stream: q.stream, chunked: ctx.Request.Header.IsHTTP11()}
	p.out = appendHead(nil, ctx, p.chunked)
	s.takeOver(ctx, p.run, w.Close)
}

// poll is one watch on its connection.
type poll struct {
	server  *Server
	watcher *replica.Watcher
	number  uint64 // in the order of parking
	stream  bool
	chunked bool
	sent    bool   // an event is in out, or was
	out     []byte // not yet written

	done chan struct{} // closed when the client left or the server stops
	once sync.Once
	gone atomic.Bool // the client left
}

func (p *poll) end() { p.once.Do(func() { close(p.done) }) }

// run sends events until the watch ends, then the end of the body.
func (p *poll) run(t *taken) (inOrder bool) {
	defer p.watcher.Close()
	// What lay in the ring goes with the head.
	if p.gather(t, p.watcher.Next(passed)) != nil {
		return false
	}
	if p.sent && !p.stream {
		return p.finish(t)
	}
	if p.flush(t) != nil {
		return false
	}
	p.done = make(chan struct{})
	if !p.server.park(p) {
		p.end()
	}
	defer p.server.unpark(p)
	ear := listen(t, p)
	err := p.follow(t)
	return ear.stop() && err == nil && p.finish(t)
}

// passed is a moment that has come already.
var passed = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// gather puts events into out, and writes what has become long. The events may
// be large and many, and as many clients may be behind: each holds, beside the
// events that all share, little more than one of them. A client that takes them
// piece by piece has as long for all as one who is sent a long listing.
func (p *poll) gather(t *taken, events []*replica.Notice) error {
	var until time.Time
	for i, e := range events {
		p.out = appendChunk(p.out, e.Encoded(encodeEvent), p.chunked)
		p.sent = true
		events[i] = nil // an event from the ring is encoded for this watch alone
		if len(p.out) <= maxPooled || !p.stream {
			continue
		}
		if until.IsZero() {
			until = time.Now().Add(listingTimeout)
		}
		if err := p.flushUntil(t, until); err != nil {
			return err
		}
		select {
		case <-p.done:
			return errPollEnded
		default:
		}
	}
	return nil
}

// errPollEnded says that a watch ended while its events were being sent. Those that
// were end the body in order, and the client goes on behind them.
var errPollEnded = errors.New("watch ended")

// follow sends events as they come; those that have gathered go in one write.
// The one event of a poll that is no stream is left to finish.
func (p *poll) follow(t *taken) error {
	for {
		events := p.watcher.Next(p.done)
		if len(events) == 0 {
			return nil
		}
		if err := p.gather(t, events); errors.Is(err, errPollEnded) {
			return nil
		} else if err != nil || !p.stream {
			return err
		}
		if err := p.flush(t); err != nil {
			return err
		}
	}
}

// finish ends the body; without chunks the end of the connection does so.
func (p *poll) finish(t *taken) (inOrder bool) {
	if p.chunked {
		p.out = append(p.out, lastChunk...)
	}
	return p.flush(t) == nil && p.chunked
}

// flush writes what has gathered. A client that does not read for so long
// loses its connection, and its watch with it.
func (p *poll) flush(t *taken) error { return p.flushUntil(t, time.Time{}) }

// flushUntil is flush that must be done by a time, if it is not zero.
func (p *poll) flushUntil(t *taken, until time.Time) error {
	if len(p.out) == 0 {
		return nil
	}
	deadline := time.Now().Add(p.server.limits.WriteTimeout)
	if !until.IsZero() && until.Before(deadline) {
		deadline = until
	}
	if err := t.SetWriteDeadline(deadline); err != nil {
		return err
	}
	_, err := t.Write(p.out)
	if p.out = p.out[:0]; cap(p.out) > maxPooled {
		p.out = nil
	}
	return err
}

// ear listens on a watch's connection for the client's hang-up. What else
// comes is the client's next request, and kept.
type ear struct {
	taken    *taken
	poll     *poll
	stopping atomic.Bool
	done     chan struct{}
}

func listen(t *taken, p *poll) *ear {
	e := &ear{taken: t, poll: p, done: make(chan struct{})}
	go e.run()
	return e
}

func (e *ear) run() {
	defer close(e.done)
	buffer := make([]byte, hangupBuffer)
	for {
		n, err := e.taken.Read(buffer)
		e.taken.ahead = append(e.taken.ahead, buffer[:n]...)
		if e.stopping.Load() && errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil || len(e.taken.ahead) > maxPipelined {
			e.poll.gone.Store(true)
			e.poll.end()
			return
		}
	}
}

// stop ends the listening; it says no if the client has gone.
func (e *ear) stop() bool {
	e.stopping.Store(true)
	if e.taken.SetReadDeadline(time.Unix(1, 0)) != nil {
		_ = e.taken.link.Close() // wakes the reader, if nothing else does
		e.poll.gone.Store(true)
	}
	<-e.done
	return !e.poll.gone.Load() && e.taken.SetReadDeadline(time.Time{}) == nil
}
