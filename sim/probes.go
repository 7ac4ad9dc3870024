package sim

import (
	"holdfast/jepsen"
	"holdfast/kernel/replica"
)

// Probes of the host, beside those that a member has of its own.
const (
	probeInstallDuringExpiry = "install during expiry"
	probeWrappedWatch        = "ring wrapped under a parked watch"
	probeLateExpiry          = "expiry in another session than the setting"
	probeTornWrite           = "power cut in the middle of a write"
	probeTwoLeaders          = "two members that lead at one time"
	probeQuickElections      = "leader deposed before it committed anything"
	probeRotFound            = "flipped bit refused at the start"
	probeWipedStart          = "wiped member started again"
	probeHalfOpen            = "half-open connection"
	probeSecondInstall       = "second install in one life"
	probeRestartFromSnapshot = "start from a snapshot alone"
)

// Probes lists the names of all rare states that runs are asked for, in the order in which tables have them. A sweep that does
// not reach one of them shows nothing of it.
func Probes() []string {
	var out []string
	for _, p := range replica.Probes() {
		out = append(out, string(p))
	}
	return append(out, probeInstallDuringExpiry, probeWrappedWatch, probeLateExpiry, probeTornWrite, probeTwoLeaders, probeQuickElections,
		probeRotFound, probeWipedStart, probeHalfOpen, probeSecondInstall, probeRestartFromSnapshot)
}

// reached counts a rare state.
func (w *world) reached(probe string) { w.reachedTimes(probe, 1) }

func (w *world) reachedTimes(probe string, times int) {
	if times <= 0 {
		return
	}
	if w.probes == nil {
		w.probes = map[string]int{}
	}
	w.probes[probe] += times
}

// lookBack finds the rare states that only the whole run shows.
func (w *world) lookBack(run *jepsen.Run, s *Stats) {
	w.reachedTimes(probeWrappedWatch, s.WrappedWatches)
	w.reachedTimes(probeLateExpiry, s.LateExpiries)
	w.lookAtRoles(run.Roles)
	w.lookAtCommits(run)
}

// lookAtRoles finds leaders of whose term nothing was committed.
func (w *world) lookAtRoles(roles []jepsen.Role) {
	led := map[uint64]bool{}       // terms with a leader; read by key and counted
	committed := map[uint64]bool{} // read by key only
	for _, c := range w.commits {
		committed[c.Term] = true
	}
	for _, r := range roles {
		if r.State == "leader" {
			led[r.Term] = true
		}
	}
	for term := range led { // counted: no order matters
		if !committed[term] {
			w.reached(probeQuickElections)
		}
	}
}

// lookAtCommits finds installs beside expiries, second installs, and lives that began with nothing but a snapshot.
func (w *world) lookAtCommits(run *jepsen.Run) {
	type life struct {
		member string
		n      int
	}
	begun, installs, seen := map[life]int64{}, map[life]int{}, map[life]bool{} // read by key only
	for _, r := range run.Roles {
		if at := (life{r.Member, r.Life}); begun[at] == 0 {
			begun[at] = r.At
		}
	}
	var expired []int64 // when members applied expiries
	for _, c := range run.Commits {
		for i := range c.Events {
			if c.Events[i].Action == "expire" {
				expired = append(expired, c.At)
				break
			}
		}
	}
	next := 0
	for _, c := range run.Commits {
		at := life{c.Member, c.Life}
		first := !seen[at]
		seen[at] = true
		if !c.Restored {
			continue
		}
		if first && (begun[at] == 0 || c.At <= begun[at]) {
			w.reached(probeRestartFromSnapshot)
			continue
		}
		if installs[at]++; installs[at] == 2 {
			w.reached(probeSecondInstall)
		}
		near := int64(run.Tick)
		for next < len(expired) && expired[next] < c.At-near {
			next++
		}
		if next < len(expired) && expired[next] <= c.At+near {
			w.reached(probeInstallDuringExpiry)
		}
	}
}
