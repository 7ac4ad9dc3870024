package httpd

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// newWatchHead makes the headers that the answers to all watches have in common.
func (s *Server) newWatchHead() []byte {
	var head []byte
	for _, h := range []struct{ name, value []byte }{
		{[]byte("Content-Type"), []byte(typeJSON)},
		{headerAllowHeaders, corsHeaders}, {headerAllowMethods, corsMethods}, {headerAllowOrigin, corsOrigin},
		{headerClusterID, s.clusterID},
	} {
		head = append(append(append(append(head, "\r\n"...), h.name...), ": "...), h.value...)
	}
	return head
}

// listen reads the connection until the client's next request comes, behind the
// end of the watch, or the client is gone.
func (p *poll) listen() (again bool) {
	for {
		if over, again := p.look(); over {
			return again
		}
		err := p.taken.readMore()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// It is there for what follows the watch: while that lasts it is set again.
			p.taken.read.set = longAgo
		} else if err != nil {
			return false
		}
	}
}

// look is what the connection's goroutine does before it reads: it tells the watch
// what it has read, and sees whether there is anything to wait for.
func (p *poll) look() (over, again bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, now := p.taken, time.Now()
	since := now
	if p.woken {
		p.woken, t.read.set = false, longAgo
	}
	switch {
	case p.over && !p.again:
		return true, false
	case p.over && len(t.ahead) > 0:
		// It may have come before the answer's end said that there was nothing.
		t.asked.Store(true)
		return true, true
	case p.over:
		if since = p.endedAt; now.Sub(since) >= p.server.limits.IdleTimeout-p.server.deadlineSlack {
			return true, false
		}
	case len(t.ahead) > maxPipelined:
		return true, false
	default:
		p.pipelined = len(t.ahead) > 0
	}
	// With the lock held, so that who ends the watch can move it afterwards.
	if t.readUntil(since.Add(p.server.limits.IdleTimeout)) != nil {
		return true, false
	}
	return false, false
}

// nextPoll begins the watch that the client asks for next, if that is what it asks
// for, without a round through fasthttp's server, which would cost as much as the
// watch. It is nil for everything else, a watch that is refused included: that is
// fasthttp's, and nothing of it has been taken.
func (s *Server) nextPoll(t *taken) *poll {
	if !bytes.HasPrefix(t.ahead, pollPrefix) {
		return nil
	}
	r := requestReaders.Get().(*requestReader)
	defer requestReaders.Put(r)
	length, ok := r.read(t.ahead)
	if !ok {
		return nil
	}
	x := exchanges.Get().(*exchange)
	defer x.release()
	if !x.readWatch(&r.header) {
		return nil
	}
	p, err := s.newPoll(&r.header, x)
	if err != nil {
		return nil
	}
	t.ahead = t.ahead[:copy(t.ahead, t.ahead[length:])]
	s.requests.watch()
	return p
}

var pollPrefix = []byte("GET " + keysPrefix)

// requestReader reads a request's head with fasthttp's parser.
type requestReader struct {
	source   bytes.Reader
	buffered *bufio.Reader
	header   fasthttp.RequestHeader
	uri      fasthttp.URI
}

var requestReaders = sync.Pool{New: func() any {
	r := new(requestReader)
	r.buffered = bufio.NewReaderSize(&r.source, nextHeadBytes)
	return r
}}

// read reads the head at the beginning of b and gives its length. It says no to
// what is not complete or has a body.
func (r *requestReader) read(b []byte) (length int, ok bool) {
	r.source.Reset(b)
	r.buffered.Reset(&r.source)
	h := &r.header
	if h.Read(r.buffered) != nil || h.ContentLength() > 0 || h.ContentLength() == -1 || len(h.Peek("Expect")) > 0 ||
		r.uri.Parse(h.Host(), h.RequestURI()) != nil {
		return 0, false
	}
	return len(b) - r.source.Len() - r.buffered.Buffered(), true
}

// readWatch takes a request apart as handle does; no if it is not to watch.
func (x *exchange) readWatch(h *fasthttp.RequestHeader) (ok bool) {
	uri := h.RequestURI()
	escaped, query, ok := splitURI(uri)
	if !ok || len(uri) > MaxURIBytes {
		return false
	}
	x.path = appendUnescaped(x.path[:0], escaped, false)
	return isClean(x.path) && under(x.path, keysPrefix) &&
		readParams(&x.params, h, nil, query) == nil && x.request.parse(&x.params, keyOf(x.path), true) == nil &&
		x.request.watches()
}
