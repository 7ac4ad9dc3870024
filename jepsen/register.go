package jepsen

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Verdict is what a checker concludes.
type Verdict string

// The verdicts. Only Legal is green.
const (
	Legal   Verdict = "ok"      // some order of the operations explains every answer
	Illegal Verdict = "illegal" // no order does
	Timeout Verdict = "timeout" // the search did not end in time: nothing is known
)

// Report is the conclusion of a checker.
type Report struct {
	Verdict Verdict
	// Keys and Operations count what the verdict rests on.
	Keys       int
	Operations int
	// Key is the first key, in lexical order, that is not ok; empty if none.
	Key string
	// Detail tells people what was refused and after what.
	Detail string
	// TimedOut lists the keys whose search did not end in time.
	TimedOut []string
}

// CheckRegister decides for every key whether its reads, writes, creates,
// updates, swaps and deletes are linearizable. Each key has at most perKey of real time; zero
// means no limit. Local reads promise less and are left out.
//
// Beyond values the model holds the answers' modifiedIndex against the order:
// indices of one key's changes rise, and a read shows the index of the change
// it saw. So a write applied twice is caught though its value is the same.
//
// The error is that of [History.Validate].
func CheckRegister(h History, perKey time.Duration) (Report, error) {
	if err := h.Validate(); err != nil {
		return Report{}, err
	}
	byKey := map[string]History{}
	for _, o := range h.byCall() {
		byKey[o.Key] = append(byKey[o.Key], o)
	}
	keys := make([]string, 0, len(byKey))
	for k := range byKey {
		keys = append(keys, k)
	}
	sort.Strings(keys)

	rep := Report{Verdict: Legal, Keys: len(keys)}
	for _, k := range keys {
		ops := registerOperations(dropUnobserved(byKey[k]))
		rep.Operations += len(ops)
		switch v, detail := checkOneRegister(ops, perKey); v {
		case Illegal:
			if rep.Verdict != Illegal {
				rep.Verdict, rep.Key, rep.Detail = Illegal, k, detail
			}
		case Timeout:
			rep.TimedOut = append(rep.TimedOut, k)
			if rep.Verdict == Legal {
				rep.Verdict, rep.Key = Timeout, k
				rep.Detail = fmt.Sprintf("key %s: no verdict on %d operations within %v; use shorter histories or more keys", k, len(ops), perKey)
			}
		}
	}
	return rep, nil
}

func checkOneRegister(ops []porcupine.Operation, limit time.Duration) (Verdict, string) {
	res, info := porcupine.CheckOperationsVerbose(RegisterModel(), ops, limit)
	switch res {
	case porcupine.Ok:
		return Legal, ""
	case porcupine.Illegal:
		return Illegal, explain(ops, info)
	default:
		return Timeout, ""
	}
}

// openEnd is the return time of an operation that may happen at any time.
const openEnd = math.MaxInt64

// registerOperations makes the checker's operations of one key's history.
//
// An unknown operation stays open for ever. Nothing more is needed for "never
// applied": an order in which it comes after everything else is that case.
func registerOperations(h History) []porcupine.Operation {
	var ops []porcupine.Operation
	for i := range h {
		o := h[i]
		if !constrains(&o) {
			continue
		}
		end := o.Return
		if o.Outcome == Unknown {
			end = openEnd
		}
		ops = append(ops, porcupine.Operation{ClientId: o.Process, Input: o, Output: o, Call: o.Call, Return: end})
	}
	return ops
}

// constrains tells whether an operation can change the state or says anything
// about it.
func constrains(o *Operation) bool {
	switch {
	case o.Op == LocalRead:
		return false
	case o.Op == Read:
		return o.Outcome == OK
	case o.Op.Reads():
		return false
	case o.Outcome == Fail:
		switch o.ErrorCode {
		case codeKeyNotFound:
			return true
		case codeTestFailed:
			return o.Op == CAS || o.Op == CAD
		case codeNodeExist:
			return o.Op == Create
		}
		return false
	}
	return true
}

// dropUnobserved leaves out unknown writes whose value no answer ever showed
// and no swap ever expected. If an order with such a write in the middle
// exists, so does one with it at the very end, for every operation that could
// tell the difference would have shown the value. It keeps the search short
// when many writes time out.
func dropUnobserved(h History) History {
	seen := map[string]bool{}
	blind := map[string]int{} // how many operations write this value
	for i := range h {
		o := &h[i]
		switch o.Op {
		case Write, Create, Update, CAS:
			blind[o.Arg]++
		}
		if o.Op == CAS {
			seen[o.Prev] = true
		}
		if tellsNoValue(o) {
			return h
		}
		if !o.Missing {
			seen[o.Result] = true
		}
	}
	var out History
	for i := range h {
		o := &h[i]
		if o.Op == Write && o.Outcome == Unknown && !seen[o.Arg] && blind[o.Arg] == 1 {
			continue
		}
		out = append(out, *o)
	}
	return out
}

// tellsNoValue is true of operations that depend on the value of the key
// without showing it. Any unknown delete is one: it tells absent from present.
func tellsNoValue(o *Operation) bool {
	switch {
	case o.Op == Create, o.Op == Update, o.Op == CAD, o.PrevIndex != 0:
		return true
	case o.Op == Delete && o.Outcome == Unknown:
		return true
	case o.Op == Delete && o.Outcome == OK, o.Op == CAS && o.Outcome == Fail && o.ErrorCode == codeTestFailed:
		return o.Result == "" && !o.Missing
	}
	return false
}

// register is the model's state: one key.
type register struct {
	exists bool
	value  string
	// index is the modifiedIndex of the last change; if not exact, the last
	// change is an unknown one and index is what it must exceed.
	index uint64
	exact bool
}

// RegisterModel is the sequential meaning of one key for porcupine; inputs and
// outputs are [Operation] values of a single key.
func RegisterModel() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return register{} },
		Step: func(state, input, _ any) (bool, any) {
			return state.(register).step(input.(Operation))
		},
		Equal:             func(a, b any) bool { return a == b },
		DescribeOperation: func(input, _ any) string { return input.(Operation).String() },
		DescribeState:     func(s any) string { return s.(register).String() },
	}
}

func (r register) step(o Operation) (bool, register) {
	if o.Outcome == Fail {
		switch o.ErrorCode {
		case codeKeyNotFound:
			return !r.exists, r
		case codeNodeExist:
			return r.exists, r
		}
		shown := o.Result == "" || r.value == o.Result
		return r.exists && r.mayDiffer(&o) && shown, r
	}
	if o.Outcome == Unknown {
		return true, r.stepUnknown(o)
	}
	if o.Result != "" && o.Op != Read && (!r.exists || r.value != o.Result) {
		return false, r // it replaced or took away something else
	}
	switch o.Op {
	case Read:
		return r.read(o)
	case Write:
		return r.change(o, true)
	case Create:
		if r.exists {
			return false, r
		}
		return r.change(o, true)
	case Update:
		if !r.exists {
			return false, r
		}
		return r.change(o, true)
	case CAS:
		if !r.exists || !r.mayEqual(&o) {
			return false, r
		}
		return r.change(o, true)
	default:
		if !r.exists || o.Op == CAD && !r.mayEqual(&o) {
			return false, r
		}
		return r.change(o, false)
	}
}

// mayEqual tells whether the key may be what a compare expects, mayDiffer
// whether it may be something else; of an index that is not exact both may be.
func (r register) mayEqual(o *Operation) bool {
	return !o.otherValue(r.value) && (o.PrevIndex == 0 || r.exact && r.index == o.PrevIndex || !r.exact && r.index < o.PrevIndex)
}

func (r register) mayDiffer(o *Operation) bool {
	return o.otherValue(r.value) || o.PrevIndex != 0 && (!r.exact || r.index != o.PrevIndex)
}

func (r register) read(o Operation) (bool, register) {
	if o.Missing {
		return !r.exists, r
	}
	if !r.exists || r.value != o.Result {
		return false, r
	}
	if o.ModifiedIndex == 0 {
		return true, r
	}
	if r.exact {
		return r.index == o.ModifiedIndex, r
	}
	if o.ModifiedIndex <= r.index {
		return false, r
	}
	r.index, r.exact = o.ModifiedIndex, true
	return true, r
}

// change applies a confirmed change; an answer without an index is believed.
func (r register) change(o Operation, exists bool) (bool, register) {
	next := register{exists: exists, index: r.index}
	if exists {
		next.value = o.Arg
	}
	if o.ModifiedIndex != 0 {
		if o.ModifiedIndex <= r.index {
			return false, r
		}
		next.index, next.exact = o.ModifiedIndex, true
	}
	return true, next
}

// stepUnknown applies an unknown change if it can take effect here. Where that
// is open it does: the order in which it comes last is the other case.
func (r register) stepUnknown(o Operation) register {
	switch {
	case o.Op == Write, o.Op == Create && !r.exists, o.Op == Update && r.exists, o.Op == CAS && r.exists && r.mayEqual(&o):
		return register{exists: true, value: o.Arg, index: r.index}
	case o.Op == Delete && r.exists, o.Op == CAD && r.exists && r.mayEqual(&o):
		return register{index: r.index}
	}
	return r
}

// String shows the state for reports.
func (r register) String() string {
	sign := ">"
	if r.exact {
		sign = "="
	}
	if !r.exists {
		return fmt.Sprintf("absent (index %s %d)", sign, r.index)
	}
	return fmt.Sprintf("%q (index %s %d)", r.value, sign, r.index)
}

// String shows the operation in one line for reports.
func (o Operation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "p%d [%d,%d] %s", o.Process, o.Call, o.Return, o.Op)
	switch o.Op {
	case Write, Create, Update:
		fmt.Fprintf(&b, " %q", o.Arg)
	case CAS, CAD:
		expected := fmt.Sprintf("%q", o.Prev)
		switch {
		case o.PrevIndex != 0 && o.Prev == "":
			expected = fmt.Sprintf("@%d", o.PrevIndex)
		case o.PrevIndex != 0:
			expected += fmt.Sprintf("@%d", o.PrevIndex)
		}
		fmt.Fprintf(&b, " %s to %q", expected, o.Arg)
	}
	fmt.Fprintf(&b, " %s", o.Outcome)
	switch {
	case o.Missing:
		b.WriteString(", absent")
	case o.Result != "" || (o.Op == Read && o.Outcome == OK):
		fmt.Fprintf(&b, ", saw %q", o.Result)
	}
	if o.ModifiedIndex != 0 {
		fmt.Fprintf(&b, " @%d", o.ModifiedIndex)
	}
	if o.ErrorCode != 0 {
		fmt.Fprintf(&b, " code %d", o.ErrorCode)
	}
	return b.String()
}

// explain tells how far the longest order came and what could not follow.
func explain(ops []porcupine.Operation, info porcupine.LinearizationInfo) string {
	longest := longestOrder(info)
	state := register{}
	placed := map[called]int{}
	for _, p := range longest {
		o := p.Input.(Operation)
		_, state = state.step(o)
		placed[calledBy(&o)]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the longest order explains %d of %d operations and ends in %s; none of the next can follow:", len(longest), len(ops), state)
	const shown = 5
	n := 0
	for _, p := range ops {
		o := p.Input.(Operation)
		if at := calledBy(&o); placed[at] > 0 {
			placed[at]--
			continue
		}
		if ok, _ := state.step(o); ok {
			continue
		}
		if n++; n <= shown {
			fmt.Fprintf(&b, "\n  %s", o)
		}
	}
	return b.String()
}
