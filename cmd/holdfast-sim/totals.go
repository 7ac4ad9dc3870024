package main

import (
	"fmt"
	"io"
	"slices"
	"time"

	"holdfast/sim"
)

// totals adds up what happened in the seeds of a sweep.
type totals struct {
	green, red int
	// undecided seeds are those on which a checker's search did not end in time, and nothing else is wrong: never green.
	undecided int
	virtual   time.Duration
	cpu       time.Duration

	ok, failed, unknown   int
	checks, checkTimeouts int
	faults                map[string]int // that struck, by kind
	leaderChanges         []int          // of each seed that left a report
	// Seeds in which it happened at least once.
	installs, lossyPowerCuts, wrappedWatches, lateExpiries int
	probes                                                 probes
}

// add counts one seed. One that left no report is red and nothing else.
func (t *totals) add(o *outcome) {
	t.cpu += o.cpu
	switch {
	case o.verdict() == sim.VerdictOK:
		t.green++
	case o.undecided():
		t.undecided++
	default:
		t.red++
	}
	r := o.report
	if r == nil {
		return
	}
	t.virtual += time.Duration(r.VirtualNanos)
	t.ok, t.failed, t.unknown = t.ok+r.OK, t.failed+r.Failed, t.unknown+r.Unknown
	t.checks, t.checkTimeouts = t.checks+r.Checks, t.checkTimeouts+r.CheckTimeouts
	if t.faults == nil {
		t.faults = map[string]int{}
	}
	for kind, n := range r.Counts.Faults { // added up: no order matters
		t.faults[kind] += n
	}
	t.leaderChanges = append(t.leaderChanges, r.Stats.LeaderChanges)
	once := func(counter *int, n int) {
		if n > 0 {
			*counter++
		}
	}
	once(&t.installs, r.Stats.Installs)
	once(&t.lossyPowerCuts, r.Stats.LossyPowerCuts)
	once(&t.wrappedWatches, r.Stats.WrappedWatches)
	once(&t.lateExpiries, r.Stats.LateExpiries)
	if t.probes == nil {
		t.probes = probes{}
	}
	t.probes.add(uint64(r.Seed), r.Probes)
}

func (t *totals) played() int { return t.green + t.red + t.undecided }

// speed is in virtual seconds per CPU second.
func (t *totals) speed() float64 { return ratio(t.virtual.Seconds(), t.cpu.Seconds()) }

func (t *totals) medianLeaderChanges() float64 {
	if len(t.leaderChanges) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t.leaderChanges))
	return float64(sorted[(len(sorted)-1)/2]+sorted[len(sorted)/2]) / 2
}

func ratio(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// percent is of two counts.
func percent(part, whole int) float64 { return 100 * ratio(float64(part), float64(whole)) }

// fact is a figure of the totals that has to be high enough, or low enough.
type fact struct {
	name        string
	have, bound float64
	atMost      bool
	unit        string
}

func (f fact) holds() bool {
	if f.atMost {
		return f.have <= f.bound
	}
	return f.have >= f.bound
}

// requiredFrom is how many seeds a sweep must have played for its totals to be held against the requirements.
const requiredFrom = 20

// facts are what a sweep must have seen to be worth its verdict: seeds in which nothing rare happens are green for nothing.
func (t *totals) facts() []fact {
	seeds, all := len(t.leaderChanges), t.ok+t.failed+t.unknown
	share := func(name string, n int) fact {
		return fact{name: "seeds with " + name, have: percent(n, seeds), bound: 10, unit: " %"}
	}
	return []fact{
		{name: "median leader changes a seed", have: t.medianLeaderChanges(), bound: 2},
		share("a snapshot install", t.installs),
		share("a power cut that lost unsynced bytes", t.lossyPowerCuts),
		share("a ring wrapped under a watch", t.wrappedWatches),
		share("an expiry across a fail-over", t.lateExpiries),
		{name: "operations ok", have: percent(t.ok, all), bound: 60, unit: " %"},
		{name: "operations unknown", have: percent(t.unknown, all), bound: 20, atMost: true, unit: " %"},
	}
}

// decided is a fact, too, but one that has nothing to do with what seeds choose or how many there are: a seed on which
// nothing was concluded is no evidence, and sweeps of few seeds cannot do without any of theirs.
func (t *totals) decided() fact {
	return fact{name: "seeds undecided", have: percent(t.undecided, t.played()), bound: 1, atMost: true, unit: " %"}
}

// missing names those facts that are not as they have to be, with figures.
func missing(facts ...fact) []string {
	var out []string
	for _, f := range facts {
		if f.holds() {
			continue
		}
		word := "least"
		if f.atMost {
			word = "most"
		}
		out = append(out, fmt.Sprintf("%s: %.1f%s; expect %g%s at %s", f.name, f.have, f.unit, f.bound, f.unit, word))
	}
	return out
}

// write writes the table of totals.
func (t *totals) write(w io.Writer) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-48s "+format+"\n", append([]any{name}, args...)...)
	}
	row("seeds", "%d played, %d green, %d red, %d undecided", t.played(), t.green, t.red, t.undecided)
	row("virtual time", "%v", t.virtual.Round(time.Second))
	row("CPU time", "%v", t.cpu.Round(100*time.Millisecond))
	row("virtual s per CPU s", "%.1f", t.speed())
	all, changes := t.ok+t.failed+t.unknown, 0
	row("operations", "%d: %d ok (%.1f %%), %d failed (%.1f %%), %d unknown (%.1f %%)", all,
		t.ok, percent(t.ok, all), t.failed, percent(t.failed, all), t.unknown, percent(t.unknown, all))
	row("checks", "%d, %d timed out (%.1f %%)", t.checks, t.checkTimeouts, percent(t.checkTimeouts, t.checks))
	for _, n := range t.leaderChanges {
		changes += n
	}
	row("leader changes", "%d, median %.1f a seed", changes, t.medianLeaderChanges())
	for _, f := range t.facts()[1:5] {
		row(f.name, "%.1f %%", f.have)
	}
	row("faults", "%d", sum(t.faults))
	for _, kind := range sim.FaultKinds() {
		row("  "+kind, "%d", t.faults[kind])
	}
}
