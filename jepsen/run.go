package jepsen

import (
	"fmt"
	"strings"
	"time"
)

// Run is all that is known of one run: what its clients saw, and what its
// members said they did. Times are true (or virtual) nanoseconds on one clock.
type Run struct {
	History History
	// Commits, Roles and Votes are in the order of time. Without Commits (a run
	// against real processes) checkers hold clients against each other only.
	Commits []Commit
	Roles   []Role
	Votes   []Vote
	// Ring is the capacity of the event ring; 0: not known.
	Ring int
	// Rho bounds the rate error of every clock (0.01 is 1 %).
	Rho float64
	// Tick is how often the leader looks for what has expired.
	Tick time.Duration
	// Stalls are the times in which a member's monotonic clock was made to stand
	// still: what lives then may live so much longer.
	Stalls []Stall
	// CalmAt is the time from which there are no faults; at End everything had
	// stopped.
	CalmAt, End int64
	// Addrs gives the member's name for its peer address ("10.0.0.1:2380") and
	// for its client URL ("http://10.0.0.1:2379").
	Addrs map[string]string
	// Absent has the names of the members that were destroyed: nobody need ever
	// hear of them again.
	Absent map[string]bool
	// Whole says that the clients finished, so that History holds every
	// operation that was begun.
	Whole bool
}

// Stall is a time, on the clock of the history, in which some member's
// monotonic clock stood still.
type Stall struct{ From, To int64 }

// member names the member that an address belongs to.
func (r *Run) member(addr string) string {
	if name, ok := r.Addrs[addr]; ok {
		return name
	}
	if name, ok := r.Addrs[strings.TrimRight(addr, "/")]; ok {
		return name
	}
	return addr
}

// Finding is one violation, told so that somebody who was not there
// understands what contradicts what.
type Finding struct {
	Checker string `json:"checker"`
	// Key is the key that it is about, empty if it is about none.
	Key string `json:"key,omitempty"`
	// At is the true time at which it came to light, in nanoseconds.
	At     int64  `json:"at"`
	Detail string `json:"detail"`
}

// Result is what one checker concludes about a run.
type Result struct {
	Checker string  `json:"checker"`
	Verdict Verdict `json:"verdict"`
	// Operations counts the operations, or the reports of members where the
	// checker looks at no operations, that the verdict rests on.
	Operations int `json:"operations"`
	// Findings has the first few violations; if there were more, the last says
	// how many.
	Findings []Finding `json:"findings,omitempty"`
}

// Checker holds runs against one promise.
type Checker struct {
	Name  string
	Check func(*Run, Limits) Result
}

// Limits bound the checkers that search. Zero fields mean the defaults.
type Limits struct {
	// PerKey bounds the search on one key, Total all searches of a checker, in
	// real time. Defaults: 500 ms and 2 s.
	PerKey, Total time.Duration
	// KeyOperations and TreeOperations bound what is searched at all: longer
	// histories of one key, or of the whole tree, are passed over. Defaults:
	// 400 and 60.
	KeyOperations, TreeOperations int
}

func (l Limits) orDefaults() Limits {
	if l.PerKey <= 0 {
		l.PerKey = 500 * time.Millisecond
	}
	if l.Total <= 0 {
		l.Total = 2 * time.Second
	}
	if l.KeyOperations <= 0 {
		l.KeyOperations = 400
	}
	if l.TreeOperations <= 0 {
		l.TreeOperations = 60
	}
	return l
}

// maxFindings is how many findings of one checker are kept.
const maxFindings = 10

// collector gathers a checker's findings. A nil collector gathers nothing.
type collector struct {
	checker    string
	operations int
	findings   []Finding
	more       int
}

func (c *collector) add(key string, at int64, format string, args ...any) {
	if c == nil {
		return
	}
	if len(c.findings) == maxFindings {
		c.more++
		return
	}
	c.findings = append(c.findings, Finding{Checker: c.checker, Key: key, At: at, Detail: fmt.Sprintf(format, args...)})
}

// full tells whether further findings are only counted.
func (c *collector) full() bool { return len(c.findings) == maxFindings }

func (c *collector) result() Result {
	res := Result{Checker: c.checker, Verdict: Legal, Operations: c.operations, Findings: c.findings}
	if len(c.findings) > 0 {
		res.Verdict = Illegal
	}
	if c.more > 0 {
		res.Findings[len(res.Findings)-1].Detail += fmt.Sprintf(" (and %d more findings)", c.more)
	}
	return res
}

// sec shows a time.
func sec(ns int64) string { return fmt.Sprintf("%.6f s", float64(ns)/1e9) }

// tell shows an operation in one line, with times and the member asked.
func (r *Run) tell(o *Operation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "p%d's %s of %s", o.Process, o.Op, o.Key)
	switch {
	case o.PrevIndex != 0 && o.Prev != "":
		fmt.Fprintf(&b, " (if %q at index %d)", o.Prev, o.PrevIndex)
	case o.PrevIndex != 0:
		fmt.Fprintf(&b, " (if at index %d)", o.PrevIndex)
	case o.Prev != "":
		fmt.Fprintf(&b, " (if %q)", o.Prev)
	}
	if o.Arg != "" {
		fmt.Fprintf(&b, " = %q", o.Arg)
	}
	fmt.Fprintf(&b, " through %s from %s to %s", r.member(o.Member), sec(o.Call), sec(o.Return))
	switch {
	case o.Outcome != OK && o.ErrorCode != 0:
		fmt.Fprintf(&b, " (%s, code %d)", o.Outcome, o.ErrorCode)
	case o.Outcome != OK:
		fmt.Fprintf(&b, " (%s)", o.Outcome)
	}
	return b.String()
}
