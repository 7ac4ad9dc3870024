package jepsen

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// The error codes of the v2 API that the register model understands.
const (
	codeKeyNotFound = 100
	codeTestFailed  = 101
)

// maxAnswerBytes bounds what a client reads of one answer.
const maxAnswerBytes = 4 << 20

// ErrAnswer is wrapped by errors about answers that are not the API's.
var ErrAnswer = errors.New("answer not understood")

// Client performs operations, one at a time, over HTTP.
type Client struct {
	// Process is written into each operation.
	Process int
	// HTTP carries the requests; its transport may be a simulated one.
	HTTP *http.Client
	// Endpoint is the member asked, such as http://127.0.0.1:2379.
	Endpoint string
	// Timeout bounds one operation; zero means only the context does.
	Timeout time.Duration
	// Now returns nanoseconds since the origin shared by all clients of the
	// history.
	Now func() int64
}

// Do performs o, of which Op, Key, Arg and Prev count, and returns it with the
// rest filled in. It never returns early without an outcome: what went wrong
// is in Outcome and Error.
func (c *Client) Do(ctx context.Context, o Operation) Operation {
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	o.Process, o.Member = c.Process, c.Endpoint
	o.Call = c.Now()
	c.perform(ctx, &o)
	o.Return = c.Now()
	return o
}

// perform sends the request and classifies its end.
func (c *Client) perform(ctx context.Context, o *Operation) {
	// The trace runs on the transport's goroutines.
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := c.request(ctx, o)
	if err != nil {
		o.Outcome, o.Error = Fail, err.Error()
		return
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		o.Error = err.Error()
		o.Outcome = unconfirmed(o.Op)
		if !connected.Load() {
			o.Outcome = Fail // without a connection nothing was sent
		}
		return
	}
	defer resp.Body.Close()
	if err := c.answer(o, resp); err != nil {
		o.Outcome, o.Error = unconfirmed(o.Op), err.Error()
	}
}

// unconfirmed is the outcome of an operation whose answer is lost: reads have
// no effect, so they failed; changes may have happened.
func unconfirmed(k Kind) Outcome {
	if k == Read || k == LocalRead {
		return Fail
	}
	return Unknown
}

func (c *Client) request(ctx context.Context, o *Operation) (*http.Request, error) {
	target := strings.TrimRight(c.Endpoint, "/") + "/v2/keys" + (&url.URL{Path: o.Key}).EscapedPath()
	method, form := http.MethodPut, url.Values{}
	switch o.Op {
	case Read:
		method, target = http.MethodGet, target+"?quorum=true"
	case LocalRead:
		method = http.MethodGet
	case Write:
		form.Set("value", o.Arg)
	case CAS:
		form.Set("value", o.Arg)
		form.Set("prevValue", o.Prev)
	case Delete:
		method = http.MethodDelete
	default:
		return nil, fmt.Errorf("build request: op %q: not known", o.Op)
	}
	var body io.Reader
	if len(form) > 0 {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, nil
}

// reply is what the client reads of an answer's body.
type reply struct {
	Node      *replyNode `json:"node"`
	PrevNode  *replyNode `json:"prevNode"`
	ErrorCode int        `json:"errorCode"`
	Message   string     `json:"message"`
	Cause     string     `json:"cause"`
}

type replyNode struct {
	Value         string `json:"value"`
	ModifiedIndex uint64 `json:"modifiedIndex"`
}

// answer fills in o from a response; an error means that it confirms nothing.
func (c *Client) answer(o *Operation, resp *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	for _, h := range []struct {
		name string
		to   *uint64
	}{{"X-Etcd-Index", &o.EtcdIndex}, {"X-Raft-Index", &o.RaftIndex}, {"X-Raft-Term", &o.RaftTerm}} {
		// Absent on some answers, and then zero.
		*h.to, _ = strconv.ParseUint(resp.Header.Get(h.name), 10, 64)
	}
	var r reply
	if err := json.Unmarshal(b, &r); err != nil {
		return fmt.Errorf("%w: status %d: %w", ErrAnswer, resp.StatusCode, err)
	}
	o.ErrorCode = r.ErrorCode
	switch {
	case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated:
		if r.Node == nil {
			return fmt.Errorf("%w: status %d without a node", ErrAnswer, resp.StatusCode)
		}
		o.success(&r)
		return nil
	case resp.StatusCode >= 400 && resp.StatusCode < 500 && r.ErrorCode != 0:
		o.refusal(&r)
		return nil
	}
	return fmt.Errorf("%w: status %d, code %d, %s (%s)", ErrAnswer, resp.StatusCode, r.ErrorCode, r.Message, r.Cause)
}

func (o *Operation) success(r *reply) {
	o.Outcome, o.ModifiedIndex = OK, r.Node.ModifiedIndex
	switch {
	case o.Op == Read || o.Op == LocalRead:
		o.Result = r.Node.Value
	case r.PrevNode != nil && o.Op != Write:
		o.Result = r.PrevNode.Value
	}
}

// refusal fills in an answer that is an error of the API. A read that finds
// nothing is a success: it learned something.
func (o *Operation) refusal(r *reply) {
	o.Outcome, o.Error = Fail, r.Message
	if r.ErrorCode == codeKeyNotFound {
		o.Missing = true
		if o.Op == Read || o.Op == LocalRead {
			o.Outcome, o.Error = OK, ""
		}
	}
	if r.ErrorCode == codeTestFailed && o.Op == CAS {
		// The cause reads "[expected != actual]".
		met, ok := strings.CutPrefix(r.Cause, "["+o.Prev+" != ")
		if ok {
			o.Result = strings.TrimSuffix(met, "]")
		}
	}
}
