package jepsen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// ErrAnswer is wrapped by errors about answers that are not the API's.
var ErrAnswer = errors.New("answer not understood")

// reply is what the client reads of an answer's body.
type reply struct {
	Action    string     `json:"action"`
	Node      *replyNode `json:"node"`
	PrevNode  *replyNode `json:"prevNode"`
	ErrorCode int        `json:"errorCode"`
	Message   string     `json:"message"`
	Cause     string     `json:"cause"`
	Index     uint64     `json:"index"`
}

type replyNode struct {
	Key           string      `json:"key"`
	Value         string      `json:"value"`
	Dir           bool        `json:"dir"`
	TTL           int64       `json:"ttl"`
	ModifiedIndex uint64      `json:"modifiedIndex"`
	CreatedIndex  uint64      `json:"createdIndex"`
	Nodes         []replyNode `json:"nodes"`
}

// status is the HTTP status that the documents of the v2 API give to the answer.
func (r *reply) status() int {
	switch r.ErrorCode {
	case 0:
		if r.Action == actionCreate || r.Action == actionSet && r.PrevNode == nil {
			return fasthttp.StatusCreated
		}
		return fasthttp.StatusOK
	case codeKeyNotFound:
		return fasthttp.StatusNotFound
	case codeNotFile, codeDirNotEmpty:
		return fasthttp.StatusForbidden
	case codeTestFailed, codeNodeExist:
		return fasthttp.StatusPreconditionFailed
	}
	if internal(r.ErrorCode) {
		return fasthttp.StatusInternalServerError
	}
	return fasthttp.StatusBadRequest
}

// internal tells the codes of a member that could not (300: no leader, no time
// left, and the like) from those of one that refuses.
func internal(code int) bool { return code >= 300 && code < 400 }

// indices notes the answer's X- headers; what is absent stays zero.
func (o *Operation) indices(h *fasthttp.ResponseHeader) {
	for _, x := range [...]struct {
		name string
		to   *uint64
	}{{"X-Etcd-Index", &o.EtcdIndex}, {"X-Raft-Index", &o.RaftIndex}, {"X-Raft-Term", &o.RaftTerm}} {
		*x.to, _ = strconv.ParseUint(string(h.Peek(x.name)), 10, 64)
	}
}

// answer fills in o from a whole answer; an error means that it confirms
// nothing.
func (o *Operation) answer(status int, body []byte) error {
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		o.Status = status
		return fmt.Errorf("%w: status %d: %w", ErrAnswer, status, err)
	}
	o.ErrorCode = r.ErrorCode
	if status != r.status() {
		o.Status = status
	}
	switch {
	case r.ErrorCode == 0 && (status == fasthttp.StatusOK || status == fasthttp.StatusCreated):
		if r.Node == nil {
			o.Status = status
			return fmt.Errorf("%w: status %d without a node", ErrAnswer, status)
		}
		o.success(&r)
		return nil
	case r.ErrorCode != 0 && status >= 400 && status < 500:
		o.refusal(&r)
		return nil
	}
	return fmt.Errorf("%w: status %d, code %d, %s (%s)", ErrAnswer, status, r.ErrorCode, r.Message, r.Cause)
}

func (o *Operation) success(r *reply) {
	n := r.Node
	if n.Key == "" {
		n.Key = "/" // the root goes without
	}
	o.Outcome, o.Action, o.Dir = OK, r.Action, n.Dir
	o.ModifiedIndex, o.CreatedIndex, o.TTLLeft = n.ModifiedIndex, n.CreatedIndex, n.TTL
	if n.Key != o.Key {
		o.Node = n.Key
	}
	if r.PrevNode != nil {
		o.PrevModified = r.PrevNode.ModifiedIndex
	}
	switch {
	case o.Op == List || o.Op == LocalList:
		o.Result, o.Nodes, o.Unsorted = n.Value, n.flatten(nil), !n.sorted()
		slices.SortFunc(o.Nodes, func(a, b Node) int { return strings.Compare(a.Key, b.Key) })
	case o.Op.Reads():
		o.Result = n.Value
	default:
		if r.PrevNode != nil {
			o.Result = r.PrevNode.Value
		}
		if n.Value != o.written() {
			o.Shown = &n.Value
		}
	}
}

// written is the value that the node of a change's answer has to show.
func (o *Operation) written() string {
	switch {
	case writes(o.Op):
		return o.Arg
	case o.Op == Refresh:
		return o.Result
	}
	return ""
}

// flatten appends what lies below a node, at any depth.
func (n *replyNode) flatten(to []Node) []Node {
	for i := range n.Nodes {
		m := &n.Nodes[i]
		to = append(to, Node{
			Key: m.Key, Value: m.Value, Dir: m.Dir, ModifiedIndex: m.ModifiedIndex, CreatedIndex: m.CreatedIndex, TTLLeft: m.TTL,
		})
		to = m.flatten(to)
	}
	return to
}

// sorted tells whether the children of a node, and theirs, come in the order of
// their keys.
func (n *replyNode) sorted() bool {
	return slices.IsSortedFunc(n.Nodes, func(a, b replyNode) int { return strings.Compare(a.Key, b.Key) }) &&
		!slices.ContainsFunc(n.Nodes, func(m replyNode) bool { return !m.sorted() })
}

// refusal fills in an answer that is an error of the API. A read that finds
// nothing is a success: it learned something.
func (o *Operation) refusal(r *reply) {
	o.Outcome, o.Error = Fail, r.Message
	if o.EtcdIndex == 0 {
		o.EtcdIndex = r.Index
	}
	if r.ErrorCode == codeKeyNotFound {
		o.Missing = true
		if o.Op.Reads() && !watches(o.Op) {
			o.Outcome, o.Error = OK, ""
		}
	}
	if r.ErrorCode == codeTestFailed {
		o.met(r.Cause)
	}
}

// met notes what a compare met instead of what it expected: a value in Result,
// an index in PrevModified. The cause reads "[expected != actual]", for the value,
// the index, or one after the other.
func (o *Operation) met(cause string) {
	expected := strconv.FormatUint(o.PrevIndex, 10)
	if rest, value := strings.CutPrefix(cause, "["+o.Prev+" != "); value && o.Prev != "" {
		// No value of a workload has such an end; of one that has, all is taken.
		at := len(rest)
		if i := strings.LastIndex(rest, "] ["+expected+" != "); i >= 0 && o.PrevIndex != 0 {
			at = i + 1
		}
		o.Result, cause = strings.TrimSuffix(rest[:at], "]"), strings.TrimPrefix(rest[at:], " ")
	}
	if actual, index := strings.CutPrefix(cause, "["+expected+" != "); index && o.PrevIndex != 0 {
		o.PrevModified, _ = strconv.ParseUint(strings.TrimSuffix(actual, "]"), 10, 64) // zero, as if it were not told
	}
}

// watch reads the body of an answer to a watch as it comes. Complete says that
// it was read to its end in good order.
func (c *Client) watch(l *link, o *Operation) (complete bool, err error) {
	stream := c.resp.BodyStream()
	if stream == nil {
		o.Status = c.resp.StatusCode()
		return false, fmt.Errorf("%w: status %d without a body", ErrAnswer, c.resp.StatusCode())
	}
	body := &io.LimitedReader{R: stream, N: maxAnswerBytes}
	if c.resp.StatusCode() != fasthttp.StatusOK {
		b, err := io.ReadAll(body)
		if err != nil {
			return false, fmt.Errorf("read answer: %w", err)
		}
		return true, o.answer(c.resp.StatusCode(), b)
	}
	chunked := c.resp.Header.ContentLength() == -1 // or the end of the connection may be that of the body
	for events := json.NewDecoder(body); ; {
		var r reply
		err := events.Decode(&r)
		switch {
		case err == nil && r.Node == nil:
			o.Status = c.resp.StatusCode()
			return false, fmt.Errorf("%w: an event without a node", ErrAnswer)
		case err == nil:
			o.Events = append(o.Events, r.event())
			if o.Op == Stream {
				o.EventsAt = append(o.EventsAt, c.Now())
			}
		case garbled(err):
			o.Status = c.resp.StatusCode()
			return false, fmt.Errorf("%w: %w", ErrAnswer, err)
		case l.expired, body.N == 0: // the client's own will
			o.Outcome = OK
			return false, nil
		case errors.Is(err, io.EOF) && l.ended && chunked:
			return false, fmt.Errorf("read events: %w", io.ErrUnexpectedEOF)
		case errors.Is(err, io.EOF):
			o.Outcome = OK
			return true, nil
		default:
			return false, fmt.Errorf("read events: %w", err)
		}
	}
}

// garbled tells an error about text that is no JSON, or none of the API's, from
// one about text that ended too soon.
func garbled(err error) bool {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	return errors.As(err, &syntax) || errors.As(err, &kind)
}

func (r *reply) event() Event {
	e := Event{
		Index: r.Node.ModifiedIndex, Action: r.Action, Key: r.Node.Key, Dir: r.Node.Dir, Value: r.Node.Value,
		CreatedIndex: r.Node.CreatedIndex,
	}
	if r.PrevNode != nil {
		e.PrevIndex, e.PrevValue = r.PrevNode.ModifiedIndex, r.PrevNode.Value
	}
	return e
}
