package sim

import (
	"fmt"
	"strings"
	"time"
)

// A run of mixed versions is one with a guest of an earlier version beside the present one: some members begin with it, and
// are upgraded, each at its own time, with their disks. What one version writes to its disk or sends to others, the other has
// to understand.

// Never, in Plan.Upgrades, leaves a member with the earlier version.
const Never = -1

// Of so many of a hundred members it is drawn that they have the present version from the start, or keep the earlier one in a
// run in which some do.
const (
	newShare  = 15
	keepShare = 35
)

// How long it takes to start an upgraded member again.
const (
	upgradeShortest = 20_000_000
	upgradeLongest  = 1_000_000_000
)

// The counters of a member's draws, and of those for all, which are machine 0's.
const (
	drawUpgradeShare = iota
	drawUpgradeAt
	drawUpgradePause
	drawUpgradeWho
	drawUpgradeKeeps
)

// drawUpgrades draws when members are upgraded: before the closing fault, which has its time for itself. At least one is; in
// every other run another one never is, so that the two versions have to get on when all is healed, too.
func drawUpgrades(d draws, p *Plan) []int64 {
	who := d.between(forUpgrades, 0, drawUpgradeWho, 0, int64(p.Nodes))
	keeps := int64(Never)
	if n := d.between(forUpgrades, 0, drawUpgradeKeeps, 0, 2*int64(p.Nodes-1)); n < int64(p.Nodes-1) {
		keeps = (who + 1 + n) % int64(p.Nodes)
	}
	out := make([]int64, p.Nodes)
	for i := range out {
		at := d.between(forUpgrades, uint64(i), drawUpgradeAt, firstFault, p.CalmAtNanos-closingLongest)
		switch share := d.between(forUpgrades, uint64(i), drawUpgradeShare, 0, 100); {
		case int64(i) == who:
			out[i] = at
		case int64(i) == keeps || keeps >= 0 && share < keepShare:
			out[i] = Never
		case share < 100-newShare:
			out[i] = at
		}
	}
	return out
}

// checkUpgrades refuses times that no run has.
func (p *Plan) checkUpgrades() error {
	if n := len(p.Upgrades); n != 0 && n != p.Nodes {
		return fmt.Errorf("%w: plan: upgrades: %d of them; expect one of each member, %d, or none", ErrDecisions, n, p.Nodes)
	}
	for i, at := range p.Upgrades {
		if at < Never || at > int64(MaxDuration) {
			return fmt.Errorf("%w: plan: upgrades: %d of %s; expect %d to %d", ErrDecisions, at, memberName(i), Never, int64(MaxDuration))
		}
	}
	return nil
}

// Upgraded tells for people when members are upgraded; empty: there is one version only.
func (p *Plan) Upgraded() string {
	parts := make([]string, 0, len(p.Upgrades))
	for i, at := range p.Upgrades {
		when := "at " + time.Duration(at).String()
		switch at {
		case 0:
			when = "before"
		case Never:
			when = "never"
		}
		parts = append(parts, memberName(i)+" "+when)
	}
	return strings.Join(parts, ", ")
}

// Mixed tells whether members are of an earlier version, or were to be.
func (d *Decisions) Mixed() bool { return len(d.Plan.Upgrades) > 0 }

// of is the module of a version.
func (e *Engine) of(earlier bool) *readyModule {
	if earlier {
		return &e.before
	}
	return &e.module
}

// earlier tells whether a process that starts now on the machine is of the earlier version.
func (m *machine) earlier() bool {
	all := m.w.plan.Upgrades
	if m.index >= len(all) { // there is none, or these are the clients
		return false
	}
	at := all[m.index]
	return at == Never || m.w.now < at
}

// startsAs tells of which version the machine's next process is, in runs that have two.
func (m *machine) startsAs() string {
	switch all := m.w.plan.Upgrades; {
	case m.index >= len(all):
		return ""
	case m.earlier():
		return ", the earlier version"
	case m.earlierLives > 0 && m.earlierLives == m.incarnation:
		return ", upgraded"
	}
	return ", the present version"
}

// version is the process's in its first step.
func (p *process) version() uint64 {
	if p.earlier {
		return 1
	}
	return 0
}

// upgraded tells whether a process is the first of the present version on a disk of the earlier one.
func (p *process) upgraded() bool {
	return !p.earlier && p.m.earlierLives > 0 && p.m.earlierLives == p.m.incarnation-1
}

// planUpgrades plans the end of each member's last process of the earlier version.
func (n *nemesis) planUpgrades() {
	for i, at := range n.s.w.plan.Upgrades {
		if at > 0 {
			n.s.w.at(at, func() { n.upgrade(n.s.members[i]) })
		}
	}
}

// upgrade ends a member's process of the earlier version, unless it is down: then its next one is of the present version, too.
func (n *nemesis) upgrade(m *machine) {
	w := n.s.w
	switch {
	case w.now >= w.plan.CalmAtNanos: // nothing happens to anybody any more
	case w.now < n.quietUntil:
		w.at(n.quietUntil, func() { n.upgrade(m) })
	case n.member(&Fault{Member: m.name}) != nil && m.proc.earlier:
		down := w.draws.between(forUpgrades, uint64(m.index), drawUpgradePause, upgradeShortest, upgradeLongest)
		down = min(down, w.plan.CalmAtNanos-w.now)
		m.cond.downUntil = w.now + down
		m.doom(0, nil)
		w.tell(m.name, "upgrade", fmt.Sprintf("its process of the earlier version ends, and the next one begins %v later", time.Duration(down).Round(time.Microsecond)))
	}
}

// Probes of runs of mixed versions.
const (
	probeEarlierStart    = "start of the earlier version"
	probeUpgrade         = "upgrade with a disk of the earlier version"
	probeVoteAcross      = "vote of the earlier version read back"
	probeSnapshotAcross  = "snapshot of the earlier version read back"
	probeUpgradedLeader  = "upgraded member that leads"
	probeEarlierLeads    = "earlier version leads the present one"
	probePresentLeads    = "present version leads the earlier one"
	probeInstallForward  = "install across, by the present version"
	probeInstallBackward = "install across, by the earlier version"
)

// MixedProbes lists the names of what runs of mixed versions are asked for beside [Probes].
func MixedProbes() []string {
	return []string{
		probeEarlierStart, probeUpgrade, probeVoteAcross, probeSnapshotAcross, probeUpgradedLeader, probeEarlierLeads, probePresentLeads,
		probeInstallForward, probeInstallBackward,
	}
}

// mixedRole looks at a role that a process has noted.
func (w *world) mixedRole(p *process, state string) {
	if len(w.plan.Upgrades) == 0 {
		return
	}
	if !p.tookRole && p.upgraded() {
		w.reached(probeUpgrade)
	}
	if p.tookRole = true; state != "leader" {
		return
	}
	if !p.earlier && p.m.earlierLives > 0 {
		w.reached(probeUpgradedLeader)
	}
	for _, m := range w.machines[:w.plan.Nodes] {
		if m.proc == nil || m.proc.earlier == p.earlier {
			continue
		}
		probe := probePresentLeads
		if p.earlier {
			probe = probeEarlierLeads
		}
		w.reached(probe)
		return
	}
}

// mixedVote looks at a vote. One that the first process of the present version reads back was written by the earlier one.
func (w *world) mixedVote(p *process, readBack bool) {
	if readBack && !p.tookRole && p.upgraded() {
		w.reached(probeVoteAcross)
	}
}

// mixedCommit looks at a state that a process has taken over: before it has a role, from its disk; then from whoever leads.
func (w *world) mixedCommit(p *process, restored bool) {
	switch {
	case !restored || len(w.plan.Upgrades) == 0:
	case !p.tookRole:
		if p.upgraded() {
			w.reached(probeSnapshotAcross)
		}
	case w.leader == nil || w.leader == p.m || w.leader.proc.earlier == p.earlier:
	case p.earlier:
		w.reached(probeInstallBackward)
	default:
		w.reached(probeInstallForward)
	}
}

// mixedStart counts a process of the earlier version.
func (p *process) mixedStart() {
	if p.earlier {
		p.m.earlierLives++
		p.m.w.reached(probeEarlierStart)
	}
}
