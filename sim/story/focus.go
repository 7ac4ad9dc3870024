package story

import (
	"strings"
	"time"

	"holdfast/jepsen"
	"holdfast/sim"
)

// Source is what a story is made of: a run that has ended, and where it came from.
type Source struct {
	Log       string // the name of its decision log; empty: it has none
	Commit    string // of the simulator that played it
	Report    *sim.Report
	Recording *sim.Recording
}

// focus is what a red run is about.
type focus struct {
	finding jepsen.Finding
	// ops are the operations that the finding tells of, as indices of the history; main is the one that could not be, -1 if it
	// is about none.
	ops  []int
	main int
	// explanation is there if the history is not linearizable, whether that or something graver decided the verdict.
	explanation *jepsen.Explanation
	from, to    int64 // the time in which it happened
}

// linearizable is the checker that searches for an order.
const linearizable = "linearizable"

// unordered tells whether the verdict rests on there being no order, and why is known.
func (f *focus) unordered() bool { return f.finding.Checker == linearizable && f.explanation != nil }

// explainLimit bounds, in real time, the search for why there is no order.
const explainLimit = 5 * time.Second

// focusOn finds out what the verdict rests on; nil of a green run.
func focusOn(src *Source) *focus {
	rep, rec := src.Report, src.Recording
	if rep.Verdict == sim.VerdictOK {
		return nil
	}
	f := &focus{main: -1, finding: jepsen.Finding{Checker: rep.Fired, Detail: rep.Detail, At: rep.VirtualNanos}}
	for _, c := range rep.Checks {
		if c.Checker == rep.Fired && len(c.Findings) > 0 {
			f.finding = c.Findings[0]
		}
		if c.Checker == linearizable && c.Verdict == jepsen.Illegal && rec.Run != nil {
			f.explanation = jepsen.Explain(rec.Run, c.Findings[0].Key, explainLimit)
		}
	}
	switch rep.Fired {
	case "host":
		f.finding.At = lastAct(rec, "violation", f.finding.At)
	case "crash":
		f.finding.At = lastAct(rec, "exit", f.finding.At)
	}
	f.findOps(rec)
	f.from, f.to = f.finding.At, f.finding.At
	if rep.Fired == "progress" {
		f.from = rep.Plan.CalmAtNanos // since then it was due
	}
	for _, i := range f.ops {
		f.from, f.to = min(f.from, rec.History[i].Call), max(f.to, rec.History[i].Return)
	}
	return f
}

// lastAct is when something last happened, or else a moment.
func lastAct(rec *sim.Recording, what string, otherwise int64) int64 {
	for i := len(rec.Acts) - 1; i >= 0; i-- {
		if rec.Acts[i].What == what {
			return rec.Acts[i].At
		}
	}
	return otherwise
}

// findOps looks up the operations that the finding is about: those that its explanation refuses, or its text tells of.
func (f *focus) findOps(rec *sim.Recording) {
	var told []int
	switch {
	case f.unordered():
		for _, n := range f.explanation.Next {
			o := &f.explanation.Ops[n.Op]
			if i := find(rec.History, o.Process, o.Call); i >= 0 {
				told = append(told, i)
			}
		}
	case rec.Run != nil:
		for _, i := range rec.Run.Mentioned(&f.finding) {
			o := &rec.Run.History[i]
			if i := find(rec.History, o.Process, o.Call); i >= 0 {
				told = append(told, i)
			}
		}
	}
	if f.ops = told; len(told) == 0 {
		return
	}
	f.main = told[0]
	if f.unordered() {
		return
	}
	for _, i := range told { // what somebody saw is more of a contradiction than what somebody did
		if rec.History[i].Op.Reads() {
			f.main = i
			break
		}
	}
}

func find(h jepsen.History, process int, call int64) int {
	for i := range h {
		if h[i].Process == process && h[i].Call == call {
			return i
		}
	}
	return -1
}

// concerns tells whether an operation has to do with a key: it names it, or a directory above or below it.
func concerns(o *jepsen.Operation, key string) bool {
	return key != "" && (o.Key == key || o.Node == key || strings.HasPrefix(o.Key, key+"/") ||
		strings.HasPrefix(key, strings.TrimSuffix(o.Key, "/")+"/") && !(o.Op.Reads() && !o.Recursive && o.Op != jepsen.List))
}
