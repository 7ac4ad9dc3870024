package sim

// Why a member is lost.
const (
	wiped  = "a wiped disk"
	rotten = "bit rot"
)

// mayDestroy tells whether the cluster can do without one more: a quorum of those whose disks are whole must be left, and
// be there to tell a wiped member that they know it.
func (n *nemesis) mayDestroy() bool {
	return n.lost < (len(n.s.members)-1)/2 && n.s.up() == len(n.s.members)-n.lost && len(n.undo) == 0 && n.clocksRun()
}

// clocksRun tells whether no member's clock stands still.
func (n *nemesis) clocksRun() bool {
	for _, m := range n.s.members {
		if m.clock.stalled && m.clock.limit.from > n.s.w.now {
			return false
		}
	}
	return true
}

// rot flips bits in what a member had made durable, while it is down. It may refuse to start then, and never be of use
// again; if it starts it must not have been deceived.
func (n *nemesis) rot(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	n.lost++
	m.cond.downUntil = n.s.w.now + f.For
	chance := n.chance(f)
	m.doom(0, func() {
		if !m.rot(chance) {
			n.lost-- // there was nothing yet: it is as good as before
			return
		}
		m.cond.lost = rotten
		n.s.w.hit(f)
	})
	return "a bit of its log flips while it is down", nil
}

// wipe takes a member's disk away. It must not come back as if it were new.
func (n *nemesis) wipe(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	n.lost++
	n.quietUntil = n.s.w.now + f.For + wipeQuiet
	for _, other := range n.s.members {
		other.cond.aim = nil // what was armed before must not break the quiet
	}
	m.cond.downUntil = n.s.w.now + f.For
	m.doom(0, func() {
		m.cond.lost = wiped
		m.disk.Wipe(m.name + ".data")
	})
	return "its disk is replaced by an empty one", nil
}

// destroyAgain is how soon a destruction is tried again that the cluster could not bear just now.
const destroyAgain = 300_000_000

// wipeQuiet is how long nothing happens to anybody after a wipe: the others must be there to say that they know it (see
// docs/recovery.md on members that cannot be told from new ones).
const wipeQuiet = 4_000_000_000
