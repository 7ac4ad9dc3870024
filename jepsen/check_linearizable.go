package jepsen

import (
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// checkLinearizable searches for an order that explains all answers: per key
// where a key lives a life of its own (no time to live, no removed directory
// above it), and for the whole tree where the history is short. What is longer
// than the limits is passed over and not counted; a search that does not end in
// time gives the verdict timeout.
//
// The order does not come from the indices that answers state, but has to fit
// them: the modifiedIndex of confirmed changes rises in it (per key, or over the
// whole tree), a read shows that of the change it saw, and a compare with an
// index is judged by it; on the whole tree the replaced index counts, too. So
// wrong indices alone can make the search fail. An index that an answer leaves
// out asks for nothing, though one confirmed change without makes the tree be
// passed over. At createdIndex and X-Etcd-Index the search does not look.
//
// A committed log is believed in what happened and by when. With a whole one
// nothing is left unknown: an unknown change that is in the log happened by the
// time somebody applied it, any other never did. A confirmed one had happened by
// then, too, if its answer came later.
func checkLinearizable(r *Run, lim Limits) Result {
	lim = lim.orDefaults()
	c := &collector{checker: "linearizable"}
	s := &search{run: r, c: c, lim: lim, until: time.Now().Add(lim.Total)}
	l := newEventLog(r, nil)
	h := resolve(r, l)
	byKey := map[string]History{}
	for i := range h {
		byKey[h[i].Key] = append(byKey[h[i].Key], h[i])
	}
	apart := newApart(h, l)
	keys := make([]string, 0, len(byKey))
	for k := range byKey {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if apart.holds(k, byKey[k]) {
			s.key(k, registerOperations(dropUnobserved(byKey[k].byCall())))
		}
	}
	if ops, ok := treeOperations(h, l, lim.TreeOperations); ok {
		s.tree(ops)
	}
	res := c.result()
	if s.timedOut != "" && res.Verdict == Legal {
		res.Verdict = Timeout
		res.Findings = []Finding{{Checker: c.checker, Detail: s.timedOut}}
	}
	return res
}

type search struct {
	run      *Run
	c        *collector
	lim      Limits
	until    time.Time
	timedOut string
}

// left is the time for the next search, no if it is up.
func (s *search) left() (time.Duration, bool) {
	left := min(time.Until(s.until), s.lim.PerKey)
	return left, left > 0
}

func (s *search) late(key string, n int) {
	if s.timedOut == "" {
		s.timedOut = key + ": no verdict on " + uintString(uint64(n)) + " operations in the time allowed; use shorter histories, more keys, or a longer limit"
	}
}

func (s *search) key(key string, ops []porcupine.Operation) {
	if len(ops) == 0 || len(ops) > s.lim.KeyOperations {
		return
	}
	left, ok := s.left()
	if !ok {
		s.late(key, len(ops))
		return
	}
	switch v, detail := checkOneRegister(ops, left); v {
	case Illegal:
		s.c.operations += len(ops)
		s.c.add(key, lastReturn(ops), "no order of the operations on %s explains all answers (times in ns): %s", key, detail)
	case Timeout:
		s.late(key, len(ops))
	default:
		s.c.operations += len(ops)
	}
}

func (s *search) tree(ops []porcupine.Operation) {
	left, ok := s.left()
	if !ok {
		s.late("the whole tree", len(ops))
		return
	}
	switch res, info := porcupine.CheckOperationsVerbose(treeModel(), ops, left); res {
	case porcupine.Illegal:
		s.c.operations += len(ops)
		s.c.add("", lastReturn(ops), "no order of the operations on the whole tree explains all answers: %s", s.explainTree(ops, info))
	case porcupine.Ok:
		s.c.operations += len(ops)
	default:
		s.late("the whole tree", len(ops))
	}
}

func lastReturn(ops []porcupine.Operation) (at int64) {
	for i := range ops {
		if ops[i].Return != openEnd {
			at = max(at, ops[i].Return)
		}
	}
	return at
}

// resolve turns unknown changes into what the committed log says of them, and
// adds changes that the log has and a history that was cut off has not.
func resolve(r *Run, l *eventLog) History {
	complete := len(r.Commits) > 0 && l.gap == 0
	m := findCauses(r, l, nil)
	var h History
	for i := range r.History {
		o := r.History[i]
		if g := l.at(m.event[i]); g != nil && o.Outcome == OK {
			o.Return = max(o.Call, min(o.Return, g.At)) // it was there by then
		}
		if o.Outcome == Unknown && !o.Op.Reads() {
			g := l.at(m.event[i])
			if g == nil && complete {
				continue
			}
			if g != nil {
				o.Outcome, o.ModifiedIndex, o.Return = OK, g.Index, max(o.Call, g.At)
				if o.Op == InOrder {
					o.Node = g.Key
				}
			}
		}
		h = append(h, o)
	}
	for i := range m.of {
		g := l.at(uint64(i) + 1)
		if m.of[i] >= 0 || g == nil || g.Action == actionExpire || g.Action == actionInternal {
			continue
		}
		o := Operation{
			Process: -1 - i, Return: g.At, Op: kindOf[g.Action], Key: g.Key, Arg: g.Value, PrevIndex: g.PrevIndex,
			Outcome: OK, ModifiedIndex: g.Index, Dir: g.Dir,
		}
		if g.Refresh {
			o.Op = Refresh
		}
		if g.Dir { // nothing more is known of how it was asked for
			o.Op = RemoveAll
		}
		h = append(h, o)
	}
	return h
}

var kindOf = map[string]Kind{
	actionSet: Write, actionCreate: Create, actionUpdate: Update, actionCAS: CAS, actionDelete: Delete, actionCAD: CAD,
}

// apart knows the keys on which only requests for just that key act. Dirs are
// those whose removal takes others along, above those with something below
// them, which a write there makes; posted those in which requests make keys
// that they do not name.
type apart struct{ dirs, timed, above, posted map[string]bool }

func newApart(h History, l *eventLog) *apart {
	a := &apart{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for i := range h {
		o := &h[i]
		if !o.Op.Reads() {
			for path := parent(o.Key); path != "/" && !a.above[path]; path = parent(path) {
				a.above[path] = true
			}
		}
		if o.Op == InOrder {
			a.posted[o.Key] = true
		}
		if o.TTL != 0 || o.Op == Refresh {
			a.timed[o.Key] = true
		}
		if o.Op == RemoveAll || o.Op == RemoveDir || o.TTL != 0 {
			a.dirs[o.Key] = true
		}
	}
	for i := range l.events {
		if g := l.at(uint64(i) + 1); g != nil && removes(g.Action) && (g.Dir || g.Action == actionExpire) {
			a.dirs[g.Key] = true
		}
	}
	return a
}

func (a *apart) holds(key string, h History) bool {
	if a.timed[key] || a.above[key] || a.posted[parent(key)] {
		return false
	}
	for path := key; path != "/"; path = parent(path) {
		if a.dirs[path] {
			return false
		}
	}
	for i := range h {
		switch h[i].Op {
		case InOrder, MakeDir, RemoveDir, RemoveAll, Refresh:
			return false
		}
		if h[i].Dir || h[i].ErrorCode == codeNotDir || h[i].ErrorCode == codeNotFile {
			return false
		}
	}
	return true
}
