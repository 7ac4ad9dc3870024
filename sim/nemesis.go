package sim

import (
	"fmt"
	"time"

	"holdfast/sim/disk"
)

// nemesis plays a schedule of faults, each as an event of virtual time, and takes note of whom each really struck.
type nemesis struct {
	s      *scenario
	struck []Fault // resolved, in the order in which they struck
	// undo takes back what lasts, by the fault's number.
	undo map[int]func()
	// quietUntil: until then nobody is struck, since somebody is asking who they are.
	quietUntil int64
	// cuts and clogs count, for each direction, the faults that hold it cut or clogged, so that two of them may overlap.
	cuts, clogs map[[2]int]int
	// holder is the number of the fault that last set something that lasts (see kind.holds).
	holder map[held]int
	// lost counts the members that were destroyed.
	lost int
}

func newNemesis(s *scenario, faults []Fault) *nemesis {
	n := &nemesis{s: s, undo: map[int]func(){}, cuts: map[[2]int]int{}, clogs: map[[2]int]int{}, holder: map[held]int{}}
	for _, f := range faults {
		s.w.at(f.At, func() { n.strike(f) })
	}
	return n
}

// held is what one fault at a time can set: by its kind, the member and the far end of the link.
type held struct{ kind, member, other string }

// strike lets one fault happen, if it can, and plans its end.
func (n *nemesis) strike(f Fault) { n.attempt(f, f.At) }

// attempt strikes with a fault that came up first at a moment. That moment is what the log holds of a destruction that was
// put off: what is done to make it possible belongs to it.
func (n *nemesis) attempt(f Fault, first int64) {
	w := n.s.w
	k := faultKind(f.Kind)
	if f.Leader && w.leader != nil {
		f.Member = w.leader.name
		if f.Other == f.Member {
			f.Other = memberName((w.leader.index + 1) % w.plan.Nodes)
		}
	}
	if k.destroys && !n.mayDestroy() {
		if w.plan.CalmAtNanos-f.At < destroyLast {
			n.s.mend() // it is nearly time for that, and else nobody would be destroyed any more
		}
		if f.At += destroyAgain; f.At+f.For < w.plan.CalmAtNanos {
			w.at(f.At, func() { n.attempt(f, first) }) // as soon as the cluster can do without one more
		}
		return
	}
	f.Leader = false
	logged := f
	logged.At = first
	n.struck = append(n.struck, logged)
	if w.now < n.quietUntil {
		return
	}
	detail, undo := k.strike(n, &f)
	w.recording.struck(f, detail)
	if detail == "" {
		return // it could not be
	}
	if !k.armed {
		w.hit(&f)
	}
	w.tell(f.Member, f.Kind, detail+" "+f.String())
	if undo == nil {
		return
	}
	n.undo[f.ID] = undo
	if k.holds != nothing {
		n.undo[f.ID] = n.heldBy(&f, k.holds, undo)
	}
	w.at(f.At+f.For, func() {
		if undo := n.undo[f.ID]; undo != nil {
			delete(n.undo, f.ID)
			w.tell(f.Member, "mend", fmt.Sprintf("%s #%d", f.Kind, f.ID))
			w.recording.mended(f.ID, w.now)
			undo()
		}
	})
}

// heldBy makes a fault take back only what no later fault has set.
func (n *nemesis) heldBy(f *Fault, of hold, undo func()) func() {
	what := held{kind: f.Kind, member: f.Member}
	if of == ofLink {
		what.other = f.Other
	}
	n.holder[what] = f.ID
	return func() {
		if n.holder[what] == f.ID {
			undo()
		}
	}
}

// healAll ends whatever lasts, in the order of the faults.
func (n *nemesis) healAll() {
	for i := range n.struck {
		id := n.struck[i].ID
		if undo := n.undo[id]; undo != nil {
			delete(n.undo, id)
			n.s.w.recording.mended(id, n.s.w.now)
			undo()
		}
	}
}

// hit counts a fault that takes effect.
func (w *world) hit(f *Fault) {
	w.counts.fault(f.Kind)
	w.recording.hit(f.ID, w.now)
}

// member is the machine that a fault strikes; nil if nothing runs there that could be struck.
func (n *nemesis) member(f *Fault) *machine {
	m := n.machine(f.Member)
	if m == nil || m.proc == nil || m.proc.doomed || m.cond.lost != "" {
		return nil
	}
	return m
}

func (n *nemesis) machine(name string) *machine {
	for _, m := range n.s.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

// chance gives a fault 64-bit draws of its own.
func (n *nemesis) chance(f *Fault) disk.Chance {
	d, id := n.s.w.draws, uint64(f.ID)
	return func(n uint64) uint64 { return d.at(forFault, id, n) }
}

// kill ends a process at one of its next host calls.
func (n *nemesis) kill(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	m.cond.downUntil = n.s.w.now + f.For
	m.doom(f.N, nil)
	return fmt.Sprintf("at its host call %d from now", f.N), nil
}

// powerCut takes the machine away with what its disk had not made durable.
func (n *nemesis) powerCut(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	n.cutPower(m, f, f.For)
	return fmt.Sprintf("at its host call %d from now", f.N), nil
}

func (n *nemesis) cutPower(m *machine, f *Fault, down int64) {
	m.cond.downUntil = n.s.w.now + down
	chance := n.chance(f)
	m.doom(f.N, func() { m.powerCut(chance) })
}

// aimedKill waits for a process to work on a file of some kind: two writes that belong together are rarely parted by chance.
func (n *nemesis) aimedKill(f *Fault) (string, func()) { return n.aimed(f, killAims, nil) }

func (n *nemesis) aimedCut(f *Fault) (string, func()) {
	chance := n.chance(f)
	return n.aimed(f, cutAims, func(m *machine) { m.powerCut(chance) })
}

// aimed waits for as long as it takes: elections, which write the files that matter most, are rare.
func (n *nemesis) aimed(f *Fault, aims []target, and func(*machine)) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	at := aims[f.N%256%int64(len(aims))]
	if at.path == logFiles && m == n.s.w.leader {
		// What a follower tears may be committed all the same, by the others: what it makes of it then counts.
		if other := n.machine(f.Other); other.proc != nil && !other.proc.doomed && other.cond.lost == "" {
			m, f.Member, f.Other = other, f.Other, f.Member
		}
	}
	a := &aim{path: at.path, op: at.op, tears: at.tears, calls: (f.N >> 8) % at.calls, skip: (f.N >> 8) / at.calls % (at.skip + 1), down: f.For, fault: f}
	if and != nil {
		a.die = func() { and(m) }
	}
	m.cond.aim = a
	return fmt.Sprintf("%d host calls after it works on %s", a.calls, a.path), nil
}

// voteKill makes an election, and lets one of those whom the leader leaves behind die when it has hardly written its vote.
func (n *nemesis) voteKill(f *Fault) (string, func()) {
	voter := n.member(&Fault{Member: f.Other})
	if voter == nil {
		return "", nil
	}
	a := &aim{path: stableFiles, op: disk.OpRename, skip: 1, calls: f.N / 2, down: f.For / 4, fault: f}
	if f.N%2 == 1 {
		chance := n.chance(f)
		a.die = func() { voter.powerCut(chance) }
	}
	voter.cond.aim = a
	_, mend := n.isolate(f)
	return fmt.Sprintf("from all other members, and %s dies %d host calls after its vote", voter.name, a.calls), mend
}

// blackout cuts everybody's power; each comes back in its own time.
func (n *nemesis) blackout(f *Fault) (string, func()) {
	d := n.s.w.draws
	for i, m := range n.s.members {
		if m.proc == nil || m.proc.doomed {
			if m.cond.lost == "" { // who is down stays so for as long
				m.cond.downUntil = max(m.cond.downUntil, n.s.w.now+1)
			}
			continue
		}
		one := *f
		one.ID = blackoutID + f.ID*MaxNodes + i
		n.cutPower(m, &one, d.between(forFault, uint64(one.ID), ^uint64(0), f.For/2, f.For+1))
	}
	return "everybody", nil
}

// blackoutID is beyond the numbers of all faults: each member's part of a blackout draws under one of its own.
const blackoutID = 1 << 40

// pause takes all turns from a process, as SIGSTOP does.
func (n *nemesis) pause(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	m.cond.pausedUntil = max(m.cond.pausedUntil, n.s.w.now+f.For)
	return "no turns", nil
}

func (n *nemesis) slowProcess(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	m.cond.lagNanos = f.N * 1000
	return fmt.Sprintf("each turn %v late", time.Duration(m.cond.lagNanos)), func() { m.cond.lagNanos = 0 }
}

// slowStart kills a process and has it back at once, before its leader is missed, but slow, as one is whose caches are cold:
// what others ask of it meanwhile lies there, in one heap with what it has to catch up with. A leader that dies is succeeded in
// another term, behind which all that a member had ever served lies: it strikes others.
func (n *nemesis) slowStart(f *Fault) (string, func()) {
	m := n.member(f)
	if m != nil && m == n.s.w.leader {
		f.Member, f.Other, f.Leader = f.Other, f.Member, false
		m = n.member(f)
	}
	if m == nil {
		return "", nil
	}
	m.cond.downUntil, m.cond.lagNanos = n.s.w.now+slowStartDown, f.N*1000
	m.doom(0, nil)
	return fmt.Sprintf("killed, back at once, then each turn %v late", time.Duration(m.cond.lagNanos)), func() { m.cond.lagNanos = 0 }
}

// slowStartDown is how long it is away.
const slowStartDown = int64(50 * time.Millisecond)

func (n *nemesis) slowDisk(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	m.cond.syncFactor = f.N
	return fmt.Sprintf("fsync takes %d times longer", f.N), func() { m.cond.syncFactor = 0 }
}

// hungDisk holds the next fsync up. A log whose fsync hangs for longer than it may gives up.
func (n *nemesis) hungDisk(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	m.cond.hungUntil = n.s.w.now + f.For
	return "fsync does not return", nil
}

// diskError fails one operation. What the member does then is its own affair, as long as it does not go on.
func (n *nemesis) diskError(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	m.cond.failing, m.cond.failAfter, m.cond.chance, m.cond.failure = true, f.N, n.chance(f), f
	return fmt.Sprintf("disk operation %d from now fails", f.N), func() { m.cond.failing = false }
}

func (n *nemesis) fullDisk(f *Fault) (string, func()) {
	m := n.member(f)
	if m == nil {
		return "", nil
	}
	m.cond.full = true
	m.disk.SetCapacity(m.disk.Used() + f.N)
	return fmt.Sprintf("%d bytes left", f.N), func() {
		m.cond.full = false
		m.disk.SetCapacity(disk.MaxBytes)
	}
}
