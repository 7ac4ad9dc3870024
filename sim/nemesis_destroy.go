package sim

import "holdfast/sim/disk"

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
	if leader := n.s.w.leader; f.ofLast() && leader != nil {
		return n.rotOfLast(f, leader)
	}
	n.rotDown(m, f, f.For, (*machine).rot)
	return "a bit of its log flips while it is down", nil
}

// ofLast tells whether a fault is a rot of the last entries.
func (f *Fault) ofLast() bool { return f.Kind == "rot" && f.N%2 == 1 }

// rotDown kills a member, and flips bits before it comes back.
func (n *nemesis) rotDown(m *machine, f *Fault, down int64, flip func(*machine, disk.Chance) bool) {
	m.cond.downUntil = n.s.w.now + down
	chance := n.chance(f)
	m.doom(0, func() {
		if !flip(m, chance) {
			n.lost-- // there was nothing yet: it is as good as before
			return
		}
		m.cond.lost = rotten
		n.s.w.hit(f)
	})
}

// rotOfLast makes the last entries lie with no more than a majority, damages them where one of these keeps them, and then
// takes the leader away from those that never had them. The damaged member must not help to elect any of these: as the
// leader comes back with its disk whole, nothing is lost.
func (n *nemesis) rotOfLast(f *Fault, leader *machine) (string, func()) {
	w := n.s.w
	m := n.machine(f.Member)
	if m == leader {
		_, m = n.link(f)
		f.Member, f.Other = m.name, leader.name
	}
	down, struck := f.For, false
	behind := map[int]bool{} // by the member's index
	for i := 1; len(behind) < (len(n.s.members)-1)/2; i++ {
		if v := (m.index + i) % len(n.s.members); v != leader.index {
			behind[v] = true
		}
	}
	at := w.now + lastGathers
	mend, free := n.until(at, n.cutAll(func(from, to int) bool { return behind[from] != behind[to] })), func() {}
	w.at(at, func() {
		if struck {
			return
		}
		if struck = true; m.proc == nil || m.proc.doomed {
			n.lost-- // somebody else was faster
			return
		}
		n.rotDown(m, f, min(down, lastGathers), (*machine).rotTail)
		free = n.cutAll(func(from, to int) bool { return from == leader.index || to == leader.index })
	})
	f.For = lastGathers + lastAlone
	return "what only it and a majority with it have of the log flips while it is down, and then the leader is away", func() {
		if !struck {
			struck = true
			n.lost--
		}
		mend()
		free()
	}
}

// How long the last entries gather, and how long the leader is then away: time for a start and an election.
const (
	lastGathers = 700_000_000
	lastAlone   = 1_900_000_000
)

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
