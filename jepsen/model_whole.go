package jepsen

import (
	"fmt"
	"sort"
	"strings"

	"github.com/anishathalye/porcupine"
)

// whole is the state of the model of the whole tree for porcupine.
type whole struct {
	tree  *tree
	index uint64 // the modifiedIndex of the last change
	key   string // both, written out, to compare states by
}

func (n *leaf) write(b *strings.Builder) {
	names := make([]string, 0, len(n.children))
	for name := range n.children {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		child := n.children[name]
		fmt.Fprintf(b, "%q=%q@%d+%d{", name, child.value, child.modified, child.created)
		child.write(b)
		b.WriteByte('}')
	}
}

func newWhole(t *tree, index uint64) whole {
	var b strings.Builder
	fmt.Fprintf(&b, "%d:", index)
	t.root.write(&b)
	return whole{t, index, b.String()}
}

// treeModel is the sequential meaning of the whole tree for porcupine; inputs
// are [Operation] values, none of them unknown, none with a time to live.
func treeModel() porcupine.Model {
	return porcupine.Model{
		Init:              func() any { return newWhole(newTree(), 0) },
		Step:              func(state, input, _ any) (bool, any) { return state.(whole).step(input.(Operation)) },
		Equal:             func(a, b any) bool { return a.(whole).key == b.(whole).key },
		DescribeOperation: func(input, _ any) string { return input.(Operation).String() },
		DescribeState:     func(s any) string { return s.(whole).key },
	}
}

func (w whole) step(o Operation) (bool, whole) {
	code := w.tree.answer(&o)
	if o.Outcome == Fail {
		return code == o.ErrorCode, w
	}
	if o.Missing {
		return code == codeKeyNotFound, w
	}
	if code != 0 {
		return false, w
	}
	n := w.tree.get(o.Key)
	if o.Op == Read || o.Op == List {
		return showsNode(&o, n, w.tree), w
	}
	if o.ModifiedIndex <= w.index || o.Op != InOrder && !replaces(&o, n) {
		return false, w
	}
	e := Event{Index: o.ModifiedIndex, Action: actionOf[o.Op], Key: o.Key, Value: o.Arg, Dir: o.Op == MakeDir, CreatedIndex: o.ModifiedIndex}
	if o.Op == InOrder {
		e.Key = o.Node
	}
	if n != nil && (o.Op == Update || o.Op == CAS) {
		e.CreatedIndex, e.Dir = n.created, n.dir
	}
	next := w.tree.clone()
	next.apply(&e)
	return true, newWhole(next, o.ModifiedIndex)
}

// replaces tells whether what an answer says of the node before it is true;
// what it does not say is the order checker's business.
func replaces(o *Operation, n *leaf) bool {
	if n == nil {
		return o.Result == "" && o.PrevModified == 0
	}
	return (o.Result == "" || o.Result == n.value) && (o.PrevModified == 0 || o.PrevModified == n.modified)
}

func showsNode(o *Operation, n *leaf, t *tree) bool {
	if !n.dir && o.Result != n.value || o.ModifiedIndex != 0 && o.ModifiedIndex != n.modified {
		return false
	}
	if o.Op != List || !n.dir {
		return true
	}
	for i := range o.Nodes {
		shown := t.get(o.Nodes[i].Key)
		if shown == nil || shown.value != o.Nodes[i].Value || shown.dir != o.Nodes[i].Dir || shown.modified != o.Nodes[i].ModifiedIndex {
			return false
		}
	}
	return len(o.Nodes) == n.visible()
}

// treeOperations gives what the model of the whole tree can be asked about; no
// if that is nothing, too much, or more than it knows.
func treeOperations(h History, l *eventLog, limit int) (ops []porcupine.Operation, ok bool) {
	for i := range l.events {
		if g := l.at(uint64(i) + 1); g == nil || g.Action == actionExpire || g.Dir && g.Action == actionSet {
			return nil, false
		}
	}
	for i := range h {
		o := h[i]
		changes := !o.Op.Reads()
		switch {
		case o.TTL != 0, o.Op == Refresh, changes && o.Outcome == Unknown, o.Process < 0,
			changes && o.Outcome == OK && o.ModifiedIndex == 0, o.Op == InOrder && o.Outcome == OK && o.Node == "":
			return nil, false
		case changes && o.Outcome == OK,
			(o.Op == Read || o.Op == List) && o.Outcome == OK,
			o.Outcome == Fail && refusesByState(o.ErrorCode) && o.Op != LocalRead && o.Op != LocalList:
			ops = append(ops, porcupine.Operation{ClientId: o.Process, Input: o, Output: o, Call: o.Call, Return: o.Return})
		}
	}
	return ops, len(ops) > 0 && len(ops) <= limit
}

// explainTree tells how far the longest order came and what was left.
func (s *search) explainTree(ops []porcupine.Operation, info porcupine.LinearizationInfo) string {
	longest := longestOrder(info)
	placed := map[called]bool{}
	state := newWhole(newTree(), 0)
	for _, p := range longest {
		o := p.Input.(Operation)
		placed[calledBy(&o)] = true
		_, state = state.step(o)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "the longest order explains %d of %d and ends at index %d; none of the next can follow:", len(longest), len(ops), state.index)
	const shown = 5
	n := 0
	for _, p := range ops {
		o := p.Input.(Operation)
		if placed[calledBy(&o)] || n == shown {
			continue
		}
		if ok, _ := state.step(o); !ok {
			n++
			fmt.Fprintf(&b, "\n  %s", s.run.tell(&o))
		}
	}
	return b.String()
}
