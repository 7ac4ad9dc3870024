package sim

import (
	"fmt"
	"time"
)

// lookEvery is how soon a new leader is noticed.
const lookEvery = 1_000_000

// shortReigns cuts each leader off soon after it was elected, until the next one is: again and again somebody leads whose log
// has what nobody else's has, and comes back among those who have gone on without it (the Raft paper's figure 8).
func (n *nemesis) shortReigns(f *Fault) (string, func()) {
	w := n.s.w
	if w.leader == nil {
		return "", nil
	}
	var reigns uint64
	var seen *machine
	over, mend := false, func() {}
	depose := func(m *machine) {
		if over || w.leader != m {
			return
		}
		mend()
		mend = n.cutAll(func(from, to int) bool { return from == m.index || to == m.index })
	}
	var look func()
	look = func() {
		if over {
			return
		}
		if m := w.leader; m != seen {
			if seen = m; m != nil {
				reigns++
				w.at(w.now+w.draws.between(forFault, uint64(f.ID), reigns, 0, f.N*1000), func() { depose(m) })
			}
		}
		w.at(w.now+lookEvery, look)
	}
	look()
	return fmt.Sprintf("and whoever leads after it are cut off within %v of their election", time.Duration(f.N)*time.Microsecond), func() {
		over = true
		mend()
	}
}
