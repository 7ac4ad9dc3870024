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

// The kinds of operations, with the request each of them is. Quorum reads ask
// for quorum=true, local ones do not.
const (
	Read      Kind = "read"       // quorum GET of one key
	LocalRead Kind = "local-read" // GET of one key from one member's own view
	List      Kind = "list"       // quorum GET, recursive and sorted, of a directory
	LocalList Kind = "local-list" // the same from one member's own view
	Write     Kind = "write"      // PUT value, unconditional
	Create    Kind = "create"     // PUT value, prevExist=false
	Update    Kind = "update"     // PUT value, prevExist=true
	CAS       Kind = "cas"        // PUT value, prevValue=Prev, prevIndex=PrevIndex, or both
	Refresh   Kind = "refresh"    // PUT refresh=true, prevExist=true, ttl=TTL
	Delete    Kind = "delete"     // DELETE of a key
	CAD       Kind = "cad"        // DELETE, prevValue=Prev, prevIndex=PrevIndex, or both
	InOrder   Kind = "in-order"   // POST value to a directory; the key made is Node
	MakeDir   Kind = "make-dir"   // PUT dir=true, prevExist=false
	RemoveDir Kind = "remove-dir" // DELETE dir=true: of an empty directory
	RemoveAll Kind = "remove-all" // DELETE recursive=true
	Watch     Kind = "watch"      // GET wait=true: one long poll; at most one event
	Stream    Kind = "stream"     // GET wait=true, stream=true, until the client hangs up or the server ends it
)

// Reads tells whether operations of the kind change nothing.
func (k Kind) Reads() bool {
	switch k {
	case Read, LocalRead, List, LocalList, Watch, Stream:
		return true
	}
	return false
}

func (k Kind) known() bool {
	switch k {
	case Write, Create, Update, CAS, Refresh, Delete, CAD, InOrder, MakeDir, RemoveDir, RemoveAll:
		return true
	}
	return k.Reads()
}

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
	// Prev is the value a CAS or CAD expects, if it is not empty, and PrevIndex
	// the modifiedIndex, if it is not 0.
	Prev      string `json:"prev,omitempty"`
	PrevIndex uint64 `json:"prev_index,omitempty"`
	// TTL is the time to live asked for, in seconds; 0: none.
	TTL int64 `json:"ttl,omitempty"`
	// WaitIndex is where a watch begins (0: with what comes next), Recursive
	// whether it sees below its key.
	WaitIndex uint64 `json:"wait_index,omitempty"`
	Recursive bool   `json:"recursive,omitempty"`

	Outcome Outcome `json:"outcome"`
	// Result is the value a read returned, the value that a change replaced or
	// took away, or, for a compare that failed with code 101, the value it met.
	Result string `json:"result,omitempty"`
	// Shown is the value that a confirmed change's answer shows for its node, if
	// that is not the one to be expected: Arg, of a refresh Result.
	Shown *string `json:"shown,omitempty"`
	// Missing says that the answer told the key was absent.
	Missing bool `json:"missing,omitempty"`
	// ErrorCode is the errorCode of the answer, 0 if it had none.
	ErrorCode int `json:"error_code,omitempty"`
	// Status is the answer's HTTP status, if that does not go with the rest of
	// the answer, or if the answer was not understood.
	Status int `json:"status,omitempty"`
	// Error is what a failed or unknown operation ran into, for people.
	Error string `json:"error,omitempty"`

	// Action is the answer's action; Node the key of its node, if that is not
	// Key ("/" if it shows none: only the root has none); Dir says that the node is a directory.
	Action string `json:"action,omitempty"`
	Node   string `json:"node,omitempty"`
	Dir    bool   `json:"dir,omitempty"`
	// ModifiedIndex and CreatedIndex are the answer's node's, PrevModified its
	// prevNode's modifiedIndex, 0 if there was none.
	ModifiedIndex uint64 `json:"modified_index,omitempty"`
	CreatedIndex  uint64 `json:"created_index,omitempty"`
	PrevModified  uint64 `json:"prev_modified,omitempty"`
	// TTLLeft is the ttl that the answer's node shows, in seconds.
	TTLLeft int64 `json:"ttl_left,omitempty"`
	// Nodes is what a listing found below its key, at any depth, sorted by key.
	Nodes []Node `json:"nodes,omitempty"`
	// Unsorted says that the answer had them in another order, though the request
	// asked for sorted ones.
	Unsorted bool `json:"unsorted,omitempty"`
	// Events is what a watch saw, in the order in which it came.
	Events []Event `json:"events,omitempty"`
	// EventsAt is when each of Events came, if a stream's client noted it.
	EventsAt []int64 `json:"events_at,omitempty"`
	// EtcdIndex, RaftIndex and RaftTerm are the X- headers of the answer; of a
	// refusal EtcdIndex is the index that it states.
	EtcdIndex uint64 `json:"etcd_index,omitempty"`
	RaftIndex uint64 `json:"raft_index,omitempty"`
	RaftTerm  uint64 `json:"raft_term,omitempty"`
	// Member is the endpoint that was asked.
	Member string `json:"member,omitempty"`
}

// Node is one node that a listing shows.
type Node struct {
	Key           string `json:"key"`
	Value         string `json:"value,omitempty"`
	Dir           bool   `json:"dir,omitempty"`
	ModifiedIndex uint64 `json:"modified_index"`
	CreatedIndex  uint64 `json:"created_index"`
	TTLLeft       int64  `json:"ttl_left,omitempty"`
}

// Event is one mutation of the store, as a watch shows it or as the committed
// log holds it (see [Commit]).
type Event struct {
	// Index is the store index that it took, the node's modifiedIndex.
	Index  uint64 `json:"index"`
	Action string `json:"action"`
	Key    string `json:"key,omitempty"`
	Dir    bool   `json:"dir,omitempty"`
	Value  string `json:"value,omitempty"`
	// CreatedIndex is the node's.
	CreatedIndex uint64 `json:"created_index,omitempty"`
	// PrevIndex is the modifiedIndex of the node before it, 0 if there was
	// none; PrevValue its value.
	PrevIndex uint64 `json:"prev_index,omitempty"`
	PrevValue string `json:"prev_value,omitempty"`
	// The rest is known of committed events only. Refresh marks a mere renewal
	// of a time to live, which wakes no watcher; Deadline is the node's, in
	// cluster time, 0 if it lives for ever.
	Refresh  bool  `json:"refresh,omitempty"`
	Deadline int64 `json:"deadline,omitempty"`
}

// History is a list of operations, in no particular order.
type History []Operation

// validate reports what makes one operation unusable for a checker.
func (o *Operation) validate() error {
	if !o.Op.known() {
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
