package story

import (
	"fmt"
	"strings"

	"holdfast/jepsen"
	"holdfast/sim"
)

// finding says what cannot be, and why.
func (t *teller) finding() []string {
	f := t.focus
	var out []string
	if f.unordered() && f.main >= 0 {
		out = t.unexplained(f.explanation)
	} else {
		if f.main >= 0 {
			o := &t.src.Recording.History[f.main]
			out = append(out, fmt.Sprintf("%s, called at %s; %s: that cannot be.", t.asks(o), seconds(o.Call), t.came(o)))
		}
		out = append(out, strings.Split(squeeze(f.finding.Detail), "\n")...)
		if f.finding.Checker == sim.FiredLimit || f.finding.Checker == "" {
			return out
		}
	}
	if p := promises[f.finding.Checker]; p != "" {
		out = append(out, p)
	}
	if e := f.explanation; e != nil && !f.unordered() {
		of := e.Key
		if of == "" {
			of = "the whole tree"
		}
		out = append(out, fmt.Sprintf("No order of the operations on %s explains all answers, either: %d of %d can be placed.", of, len(e.Order), len(e.Ops)))
	}
	return out
}

// unexplained says why no order explains all answers.
func (t *teller) unexplained(e *jepsen.Explanation) []string {
	h := t.src.Recording.History
	o := &h[t.focus.main]
	of := e.Key
	if of == "" {
		of = "the whole tree"
	}
	out := []string{fmt.Sprintf("%s, called at %s; %s: no order of the operations on %s allows that.", t.asks(o), seconds(o.Call), t.came(o), of)}
	state := "nothing"
	if n := len(e.States); n > 0 {
		state = e.States[n-1]
	}
	out = append(out, fmt.Sprintf("The longest order explains %d of %d operations, and ends in %s. Nothing can follow:", len(e.Order), len(e.Ops), state))
	for _, n := range e.Next {
		out = append(out, fmt.Sprintf("- %s at %s: %s.", t.asks(&e.Ops[n.Op]), seconds(e.Ops[n.Op].Call), n.Why))
	}
	return out
}

func seconds(nanos int64) string { return fmt.Sprintf("%.6f s", float64(nanos)/1e9) }
