package jepsen

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
)

// Limits on a history that is read from outside.
const (
	// MaxLineBytes bounds one line of a history file.
	MaxLineBytes = 1 << 20
	// MaxOperations bounds the number of operations in one history file.
	MaxOperations = 5_000_000
)

// ErrHistory is wrapped by every error about a history that is not well formed.
var ErrHistory = errors.New("malformed history")

// Kind is what an operation did.
type Kind string

// The kinds of operations.
const (
	Read      Kind = "read"       // quorum read of one key
	LocalRead Kind = "local-read" // read of one member's own view
	Write     Kind = "write"      // unconditional set
	CAS       Kind = "cas"        // set if the value is Prev
	Delete    Kind = "delete"     // unconditional delete
)

// Outcome is how an operation ended, as far as its client can tell.
type Outcome string

// The three ends of an operation.
const (
	OK      Outcome = "ok"      // the server confirmed it
	Fail    Outcome = "fail"    // it certainly had no effect
	Unknown Outcome = "unknown" // it may take effect at any later time, or never
)

// Operation is one line of a history: one operation of one client.
type Operation struct {
	// Process is the client, which has at most one operation under way.
	Process int `json:"process"`
	// Call and Return are nanoseconds since an origin all clients share, in
	// real or in virtual time. For an unknown outcome Return is the time the
	// client gave up, not the end of the operation.
	Call   int64 `json:"call"`
	Return int64 `json:"return"`

	Op  Kind   `json:"op"`
	Key string `json:"key"`
	// Arg is the value to be written.
	Arg string `json:"arg,omitempty"`
	// Prev is the value a CAS expects.
	Prev string `json:"prev,omitempty"`

	Outcome Outcome `json:"outcome"`
	// Result is the value a read returned, the value a delete or a CAS
	// replaced, or, for a CAS that failed with code 101, the value it met.
	Result string `json:"result,omitempty"`
	// Missing says that the answer told the key was absent.
	Missing bool `json:"missing,omitempty"`
	// ErrorCode is the errorCode of the answer, 0 if it had none.
	ErrorCode int `json:"error_code,omitempty"`
	// Error is what a failed or unknown operation ran into, for people.
	Error string `json:"error,omitempty"`

	// ModifiedIndex is the answer's node.modifiedIndex, 0 if there was none.
	ModifiedIndex uint64 `json:"modified_index,omitempty"`
	// EtcdIndex, RaftIndex and RaftTerm are the X- headers of the answer.
	EtcdIndex uint64 `json:"etcd_index,omitempty"`
	RaftIndex uint64 `json:"raft_index,omitempty"`
	RaftTerm  uint64 `json:"raft_term,omitempty"`
	// Member is the endpoint that was asked.
	Member string `json:"member,omitempty"`
}

// History is a list of operations, in no particular order.
type History []Operation

// validate reports what makes one operation unusable for a checker.
func (o *Operation) validate() error {
	switch o.Op {
	case Read, LocalRead, Write, CAS, Delete:
	default:
		return fmt.Errorf("unknown op %q", o.Op)
	}
	switch o.Outcome {
	case OK, Fail, Unknown:
	default:
		return fmt.Errorf("unknown outcome %q", o.Outcome)
	}
	if o.Key == "" {
		return errors.New("no key")
	}
	if o.Return < o.Call {
		return fmt.Errorf("returns at %d, before its call at %d", o.Return, o.Call)
	}
	return nil
}

// Validate reports whether checkers may be asked about the history: each
// operation is complete and no process has two under way at once. The error
// wraps [ErrHistory].
func (h History) Validate() error {
	sorted := h.byCall()
	last := map[int]Operation{}
	for i := range sorted {
		o := sorted[i]
		if err := o.validate(); err != nil {
			return fmt.Errorf("%w: process %d, call %d: %w; record it anew", ErrHistory, o.Process, o.Call, err)
		}
		if p, ok := last[o.Process]; ok && o.Call < p.Return {
			return fmt.Errorf("%w: process %d: calls at %d while its operation of %d is under way until %d; give concurrent clients different numbers",
				ErrHistory, o.Process, o.Call, p.Call, p.Return)
		}
		last[o.Process] = o
	}
	return nil
}

// byCall returns a copy ordered by call, then return, then process.
func (h History) byCall() History {
	s := append(History(nil), h...)
	sort.SliceStable(s, func(i, j int) bool {
		a, b := &s[i], &s[j]
		if a.Call != b.Call {
			return a.Call < b.Call
		}
		if a.Return != b.Return {
			return a.Return < b.Return
		}
		return a.Process < b.Process
	})
	return s
}

// Encode writes the history as JSON lines.
func (h History) Encode(w io.Writer) error {
	r := NewRecorder(w)
	for _, o := range h {
		if err := r.Record(o); err != nil {
			return err
		}
	}
	return nil
}

// ReadHistory decodes JSON lines and validates the result. Blank lines and
// lines that begin with # are passed over. It reads at most [MaxOperations]
// operations of [MaxLineBytes] bytes; errors about the content wrap
// [ErrHistory] and name the line.
func ReadHistory(r io.Reader) (History, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 64<<10), MaxLineBytes)
	var h History
	for line := 1; sc.Scan(); line++ {
		b := sc.Bytes()
		if len(b) == 0 || b[0] == '#' {
			continue
		}
		if len(h) == MaxOperations {
			return nil, fmt.Errorf("%w: line %d: more than %d operations; split the file", ErrHistory, line, MaxOperations)
		}
		var o Operation
		if err := json.Unmarshal(b, &o); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w; expect one JSON object a line", ErrHistory, line, err)
		}
		h = append(h, o)
	}
	if err := sc.Err(); err != nil {
		if errors.Is(err, bufio.ErrTooLong) {
			return nil, fmt.Errorf("%w: a line is longer than %d bytes; shorten its values", ErrHistory, MaxLineBytes)
		}
		return nil, fmt.Errorf("read history: %w", err)
	}
	return h, h.Validate()
}

// Recorder appends operations to a history, from any number of goroutines.
type Recorder struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

// NewRecorder returns a Recorder that writes each operation as one JSON line,
// in a single Write, to w.
func NewRecorder(w io.Writer) *Recorder { return &Recorder{w: w} }

// Record appends one operation. After the first error it returns that error
// for good, so that a history with a hole is never taken for a whole one.
func (r *Recorder) Record(o Operation) error {
	b, err := json.Marshal(o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	if err == nil {
		_, err = r.w.Write(append(b, '\n'))
	}
	if err != nil {
		r.err = fmt.Errorf("record operation: %w", err)
	}
	return r.err
}
