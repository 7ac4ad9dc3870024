package jepsen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// Explanation is why no order of the operations on a key, or on the whole tree, explains all answers.
type Explanation struct {
	// Key is empty if it is about the whole tree.
	Key string `json:"key"`
	// Ops is what the model was asked about, by call: an unknown change that the committed log has is ok in it, at its index.
	// Open says of each whether it may take effect at any time after its call.
	Ops  []Operation `json:"ops"`
	Open []bool      `json:"open"`
	// Order is the longest order that could be found, as indices of Ops, and States the state after each of it.
	Order  []int    `json:"order"`
	States []string `json:"states"`
	// Next are those that have to follow now, as nothing that has not been placed ended before they began, and why none of
	// them can; the one that ended first comes first. Whatever is left of Ops comes later than one of them.
	Next []Refusal `json:"next"`
}

// Refusal is an operation that cannot follow, and why.
type Refusal struct {
	Op  int    `json:"op"` // an index of Explanation.Ops
	Why string `json:"why"`
}

// Explain searches once more for the order that the checker of linearizability did not find, of one key or, with an empty
// one, of the whole tree. It gives nil if there is such an order after all, if there was nothing to search, or if the search
// does not end within limit, in real time.
func Explain(r *Run, key string, limit time.Duration) *Explanation {
	l := newEventLog(r, nil)
	h := resolve(r, l)
	if key == "" {
		ops, ok := treeOperations(h, l, len(h))
		if !ok {
			return nil
		}
		return explanation(key, ops, treeModel(), limit, whole.refusal)
	}
	of := slices.DeleteFunc(h, func(o Operation) bool { return o.Key != key })
	return explanation(key, registerOperations(dropUnobserved(of.byCall())), RegisterModel(), limit, register.refusal)
}

// explanation asks a model, whose states are S, and why says what keeps an operation from following.
func explanation[S fmt.Stringer](key string, ops []porcupine.Operation, m porcupine.Model, limit time.Duration, why func(S, *Operation) string) *Explanation {
	if len(ops) == 0 {
		return nil
	}
	slices.SortStableFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	res, info := porcupine.CheckOperationsVerbose(m, ops, limit)
	if res != porcupine.Illegal {
		return nil
	}
	e := &Explanation{Key: key}
	at := map[called][]int{} // read by key only
	for i := range ops {
		o := ops[i].Input.(Operation)
		e.Ops, e.Open = append(e.Ops, o), append(e.Open, ops[i].Return == openEnd)
		at[calledBy(&o)] = append(at[calledBy(&o)], i)
	}
	state, placed := m.Init(), make([]bool, len(ops))
	for _, p := range longestOrder(info) {
		o := p.Input.(Operation)
		same := at[calledBy(&o)]
		i := same[0]
		at[calledBy(&o)], placed[i] = same[1:], true
		_, state = m.Step(state, o, o)
		e.Order, e.States = append(e.Order, i), append(e.States, state.(S).String())
	}
	first := int64(openEnd) // of what has not been placed, the end of the first to end
	for i := range ops {
		if !placed[i] {
			first = min(first, ops[i].Return)
		}
	}
	for i := range ops {
		if placed[i] || ops[i].Call > first {
			continue
		}
		if ok, _ := m.Step(state, ops[i].Input, ops[i].Output); !ok {
			e.Next = append(e.Next, Refusal{i, why(state.(S), &e.Ops[i])})
		}
	}
	slices.SortStableFunc(e.Next, func(a, b Refusal) int { return cmp.Compare(ops[a.Op].Return, ops[b.Op].Return) })
	return e
}

// called tells a client's operations apart.
type called struct {
	process int
	call    int64
}

func calledBy(o *Operation) called { return called{o.Process, o.Call} }

// longestOrder is the order that came furthest.
func longestOrder(info porcupine.LinearizationInfo) (longest []porcupine.Operation) {
	for _, part := range info.PartialLinearizationsOperations() {
		for _, p := range part {
			if len(p) > len(longest) {
				longest = p
			}
		}
	}
	return longest
}

// refusal says why step does not take the operation in this state.
func (r register) refusal(o *Operation) string {
	if o.Outcome == Fail {
		return r.refusedFailure(o)
	}
	changes := o.Op != Read
	switch {
	case changes && o.Result != "" && (!r.exists || r.value != o.Result):
		return fmt.Sprintf("its answer says that it replaced %q; here the key is %s", o.Result, r)
	case o.Op == Read && o.Missing:
		return fmt.Sprintf("it found the key absent; here it is %s", r)
	case o.Op == Read && (!r.exists || r.value != o.Result):
		return fmt.Sprintf("it returned %q; here the key is %s", o.Result, r)
	case o.Op == Read:
		return fmt.Sprintf("it returned index %d; here the key is %s", o.ModifiedIndex, r)
	case o.Op == Create && r.exists:
		return fmt.Sprintf("it created the key; here that is %s", r)
	case (o.Op == CAS || o.Op == CAD) && !r.mayEqual(o), o.Op != Write && o.Op != Create && !r.exists:
		return fmt.Sprintf("it succeeded on the condition of %s; here the key is %s", condition(o), r)
	}
	return fmt.Sprintf("it has index %d; here the last change had one of %d at least", o.ModifiedIndex, r.index)
}

func (r register) refusedFailure(o *Operation) string {
	switch {
	case o.ErrorCode == codeKeyNotFound:
		return fmt.Sprintf("it was refused because the key was absent; here it is %s", r)
	case o.ErrorCode == codeNodeExist:
		return "it was refused because the key existed; here it is absent"
	case !r.exists || o.Result != "" && r.value != o.Result:
		return fmt.Sprintf("it was refused because it met %q; here the key is %s", o.Result, r)
	}
	return fmt.Sprintf("it was refused, expecting %s; here the key is %s, and it would have been done", condition(o), r)
}

// condition is what a change expects.
func condition(o *Operation) string {
	switch {
	case o.PrevIndex != 0:
		return fmt.Sprintf("index %d", o.PrevIndex)
	case o.Op == CAS || o.Op == CAD:
		return fmt.Sprintf("%q", o.Prev)
	}
	return "an existing key"
}

// refusal says why step does not take the operation in this state.
func (w whole) refusal(o *Operation) string {
	code, n := w.tree.answer(o), w.tree.get(o.Key)
	here := "absent"
	switch {
	case n != nil && n.dir:
		here = fmt.Sprintf("a directory with %s below it", strings.Join(append(n.paths(o.Key), "nothing more"), ", "))
	case n != nil:
		here = fmt.Sprintf("%q of index %d", n.value, n.modified)
	}
	switch {
	case o.Outcome == Fail && code == 0:
		return fmt.Sprintf("it was refused with code %d; here %s is %s, and it would have been done", o.ErrorCode, o.Key, here)
	case o.Outcome == Fail:
		return fmt.Sprintf("it was refused with code %d; here %s is %s, which is code %d", o.ErrorCode, o.Key, here, code)
	case o.Missing:
		return fmt.Sprintf("it found nothing; here %s is %s", o.Key, here)
	case code != 0:
		return fmt.Sprintf("it succeeded; here %s is %s, which is code %d", o.Key, here, code)
	case o.Op == List:
		return fmt.Sprintf("it shows %s; here %s is %s", listed(o.Nodes), o.Key, here)
	case o.Op == Read:
		return fmt.Sprintf("it returned %q of index %d; here %s is %s", o.Result, o.ModifiedIndex, o.Key, here)
	case o.ModifiedIndex <= w.index:
		return fmt.Sprintf("it has index %d; here the last change had %d", o.ModifiedIndex, w.index)
	}
	return fmt.Sprintf("its answer says that it replaced %q of index %d (0: nothing); here %s is %s", o.Result, o.PrevModified, o.Key, here)
}

// listed names what a listing shows.
func listed(nodes []Node) string {
	names := make([]string, 0, len(nodes)+1)
	for i := range nodes {
		names = append(names, nodes[i].Key)
	}
	return strings.Join(append(names, "nothing more"), ", ")
}

// String tells the index, and how much there is.
func (w whole) String() string {
	return fmt.Sprintf("%d nodes (index = %d)", w.tree.root.visible(), w.index)
}

// Mentioned gives the operations that a finding tells of, as indices of the history, in the order in which it does.
func (r *Run) Mentioned(f *Finding) []int {
	type mention struct{ op, at int }
	var found []mention
	for i := range r.History {
		o := &r.History[i]
		if at := max(strings.Index(f.Detail, r.tell(o)), strings.Index(f.Detail, o.String())); at >= 0 {
			found = append(found, mention{i, at})
		}
	}
	slices.SortStableFunc(found, func(a, b mention) int { return cmp.Compare(a.at, b.at) })
	out := make([]int, 0, len(found))
	for _, m := range found {
		out = append(out, m.op)
	}
	return out
}
