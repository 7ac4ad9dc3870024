package sim

import (
	"fmt"
	"slices"
	"time"
)

// lookEvery is how soon a new leader is noticed.
const lookEvery = 1_000_000

// How reigns end, one after the other: at some time, often before what it begins with has reached anybody, and when anybody
// applies something new. The first leaves something with its leader alone, and so does the second, in a later term; the third may be
// the first one's leader again, and what it brings to others then is of its own earlier term at first: that must not count as
// committed, for the second one's leader comes next and takes it away.
const (
	reignTimed = iota
	reignNipped
	reignFirstCommit
	reignEnds
)

// nipped is how many times sooner a reign is over that is to leave nothing with anybody.
const nipped = 40

// shortReigns cuts each leader off soon after it was elected, until the next one is cut off: again and again somebody leads whose
// log has what nobody else's has, and comes back among those who have gone on without it (the Raft paper's figure 8).
func (n *nemesis) shortReigns(f *Fault) (string, func()) {
	w := n.s.w
	if w.leader == nil {
		return "", nil
	}
	var reigns uint64
	var seen, fallsAtCommit *machine
	over, mend := false, func() {}
	depose := func(m *machine) {
		if over || w.leader != m {
			return
		}
		mend()
		w.timeline.line(w.now, m.name, "short-reigns", fmt.Sprintf("cut off #%d", f.ID))
		mend = n.cutAll(func(from, to int) bool { return from == m.index || to == m.index })
	}
	var look func()
	look = func() {
		if over {
			return
		}
		if m := w.leader; m != seen {
			seen, fallsAtCommit = m, nil
			if m != nil {
				reigns++
				limit := f.N * 1000
				switch (reigns - 1) % reignEnds {
				case reignFirstCommit:
					fallsAtCommit = m
				case reignNipped:
					limit /= nipped
					fallthrough
				case reignTimed:
					w.at(w.now+w.draws.between(forFault, uint64(f.ID), reigns, 0, limit), func() { depose(m) })
				}
			}
		}
		w.at(w.now+lookEvery, look)
	}
	w.applying = append(w.applying, applyWatch{f.ID, func() {
		if m := fallsAtCommit; m != nil {
			fallsAtCommit = nil
			depose(m)
		}
	}})
	look()
	return fmt.Sprintf("and whoever leads after it are cut off within %v of their election, or at the first commit", time.Duration(f.N)*time.Microsecond), func() {
		over = true
		w.applying = slices.DeleteFunc(w.applying, func(one applyWatch) bool { return one.fault == f.ID })
		mend()
	}
}
