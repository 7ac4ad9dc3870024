package jepsen

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// The error codes of the v2 API that the client and the register model
// understand.
const (
	codeKeyNotFound = 100
	codeTestFailed  = 101
)

// maxAnswerBytes bounds what a client reads of one answer; a stream that long
// is hung up on. What it tells fits into a history's line (MaxLineBytes).
const maxAnswerBytes = 512 << 10

// Client performs operations, one at a time, over HTTP/1.1. It keeps one
// connection to each endpoint it has talked to until Close, and never sends a
// request twice. It is not for use by several goroutines at once.
type Client struct {
	// Process is written into each operation.
	Process int
	// Dial connects to "host:port"; nil: over TCP. It must heed its context.
	Dial func(ctx context.Context, addr string) (net.Conn, error)
	// Endpoint is the member asked, such as http://127.0.0.1:2379. It may be
	// changed between operations.
	Endpoint string
	// Timeout bounds one operation; zero means only the context does.
	Timeout time.Duration
	// WatchTimeout does so for watches and streams; zero means Timeout.
	WatchTimeout time.Duration
	// Now returns nanoseconds since the origin shared by all clients of the
	// history.
	Now func() int64

	links []*link // one an endpoint, in the order of their making
	out   []byte  // the request being made
	form  []byte  // its parameters
	resp  fasthttp.Response
	// unreached says that no connection could be made for the last operation.
	unreached bool
}

// Do performs o, of which the fields that ask count (Op, Key, Arg, Prev,
// PrevIndex, TTL, WaitIndex and Recursive), and returns it with the rest filled
// in. It never returns early without an outcome: what went wrong is in Outcome,
// ErrorCode and Error.
//
// A change failed if the API refused it (4xx with an errorCode), or if no
// connection could be made; with any other end but success it is unknown, even
// if an old connection turned out to be dead. Reads whose answer is lost failed.
// A read or a listing that finds nothing is ok, and Missing.
//
// A watch ends with its event, a stream only with its time or by the server's
// will. When the time is up or the server ends the answer in good order, either
// is ok, with the events it saw, perhaps none; if that happens before the head
// of the answer came, nothing is known of the watch and it failed. A connection
// that breaks makes it a failure only if it had seen nothing.
func (c *Client) Do(ctx context.Context, o Operation) Operation {
	o.Process, o.Member = c.Process, c.Endpoint
	o.Call = c.Now()
	c.perform(ctx, &o)
	o.Return = c.Now()
	return o
}

// Close hangs up. The client can be used again.
func (c *Client) Close() {
	for _, l := range c.links {
		_ = l.conn.Close() // nothing under way could be lost
	}
	c.links = nil
}

// perform sends the request and classifies its end.
func (c *Client) perform(ctx context.Context, o *Operation) {
	until := c.until(ctx, o.Op)
	err := c.build(o)
	var l *link
	c.unreached = false
	if err == nil {
		l, err = c.reach(ctx, until)
		c.unreached = err != nil
	}
	if err != nil { // nothing was sent
		o.Outcome, o.Error = Fail, err.Error()
		return
	}
	release := l.hold(ctx, until)
	again, err := c.exchange(l, o)
	if !release() || !again {
		c.drop(l)
	}
	if err != nil {
		o.Error = err.Error()
		o.Outcome = unconfirmed(o)
	}
}

// until is when an operation that begins now has to end; zero: open.
func (c *Client) until(ctx context.Context, k Kind) time.Time {
	limit, end := c.Timeout, time.Time{}
	if watches(k) && c.WatchTimeout > 0 {
		limit = c.WatchTimeout
	}
	if limit > 0 {
		end = time.Now().Add(limit)
	}
	if at, ok := ctx.Deadline(); ok && (end.IsZero() || at.Before(end)) {
		end = at
	}
	return end
}

func watches(k Kind) bool { return k == Watch || k == Stream }

// unconfirmed is the outcome of an operation whose answer is lost: reads have
// no effect, so they failed, unless they are watches that saw something;
// changes may have happened.
func unconfirmed(o *Operation) Outcome {
	switch {
	case !o.Op.Reads():
		return Unknown
	case len(o.Events) > 0:
		return OK
	}
	return Fail
}

// exchange sends the request and reads the answer. It says whether the
// connection is good for another one; an error means that nothing was
// confirmed.
func (c *Client) exchange(l *link, o *Operation) (again bool, err error) {
	if _, err := l.conn.Write(c.out); err != nil {
		return false, fmt.Errorf("send request: %w", err)
	}
	c.resp.StreamBody = watches(o.Op)
	if err := c.resp.ReadLimitBody(l.reader, maxAnswerBytes); err != nil {
		return false, fmt.Errorf("read answer: %w", err)
	}
	o.indices(&c.resp.Header)
	again = !c.resp.ConnectionClose()
	if !c.resp.StreamBody {
		return again, o.answer(c.resp.StatusCode(), c.resp.Body())
	}
	complete, err := c.watch(l, o)
	if !complete {
		// Before the body is let go of, which reads up to its end.
		_ = l.conn.Close()
	}
	if closed := c.resp.CloseBodyStream(); closed != nil {
		complete = false
	}
	return again && complete, err
}
