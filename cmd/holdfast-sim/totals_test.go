package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
)

// green is what a child leaves of a seed in which everything rare happened.
func green(seed uint64) outcome {
	return outcome{
		scenario: scenario{seed: seed, nodes: 3, duration: sweepDuration, module: "m.wasm"},
		cpu:      5 * time.Second,
		report: &report{
			Seed: hex(seed), Verdict: sim.VerdictOK, OK: 80, Failed: 15, Unknown: 5, Checks: 9,
			Stats:        sim.Stats{LeaderChanges: 3, Installs: 2, LossyPowerCuts: 1, WrappedWatches: 4, LateExpiries: 1},
			Counts:       sim.Counts{Faults: map[string]int{"kill": 2, "rot": 1}},
			VirtualNanos: int64(time.Minute),
		},
	}
}

// undecided is a seed on which a checker did not end in time.
func undecided(seed uint64) outcome {
	o := green(seed)
	o.code, o.report.Verdict, o.report.Fired, o.report.CheckTimeouts = sim.VerdictTimeout.ExitCode(), sim.VerdictTimeout, sim.FiredLimit, 1
	o.report.Detail = "no verdict in time by: linearizable"
	return o
}

// red is a seed whose history a checker refused.
func red(seed uint64, verdict sim.Verdict) outcome {
	o := green(seed)
	o.code, o.report.Verdict, o.report.Fired, o.report.Detail = verdict.ExitCode(), verdict, "order", "checker order:\n  lost"
	return o
}

func TestTotalsAddUp(t *testing.T) {
	var all totals
	for _, o := range []outcome{
		green(1), green(2), red(3, sim.VerdictSafety),
		{code: -1, cpu: time.Second, err: errors.New("killed")},
		{code: 1, report: &report{Verdict: sim.VerdictOK}}, // it failed after its report: not green
	} {
		all.add(&o)
	}
	assert.Equal(t, 2, all.green)
	assert.Equal(t, 3, all.red)
	assert.Equal(t, 3*time.Minute, all.virtual)
	assert.Equal(t, 16*time.Second, all.cpu)
	assert.Equal(t, []int{3, 3, 3, 0}, all.leaderChanges)
	assert.Equal(t, 3, all.installs)
	assert.Equal(t, map[string]int{"kill": 6, "rot": 3}, all.faults)
	assert.InDelta(t, 180.0/16, all.speed(), 1e-9)

	var b bytes.Buffer
	all.write(&b)
	for _, want := range []string{"5 played, 2 green, 3 red", "240 ok (80.0 %)", "9, median 3.0 a seed", "75.0 %", "  kill "} {
		assert.Contains(t, b.String(), want)
	}
	b.Reset()
	(&totals{}).write(&b)
	assert.NotContains(t, b.String(), "NaN", "of nothing too")
}

func TestMedianLeaderChanges(t *testing.T) {
	for want, list := range map[float64][]int{0: nil, 3: {3}, 2.5: {4, 1, 3, 2}, 2: {9, 2, 0}} {
		assert.InDelta(t, want, (&totals{leaderChanges: list}).medianLeaderChanges(), 0, "%v", list)
	}
}

// Every requirement is asked, each by itself, and exactly at its bound it holds.
func TestRequirements(t *testing.T) {
	enough := func() totals {
		return totals{
			green: 20, ok: 60, failed: 20, unknown: 20, checks: 100, checkTimeouts: 1,
			leaderChanges: []int{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0},
			installs:      2, lossyPowerCuts: 2, wrappedWatches: 2, lateExpiries: 2,
		}
	}
	held := func(t *totals) []string { return missing(append(t.facts(), t.decided())...) }
	all := enough()
	assert.Empty(t, held(&all))
	for want, spoil := range map[string]func(*totals){
		"median leader changes a seed: 1.0; expect 2 at least":                         func(t *totals) { t.leaderChanges[0] = 0 },
		"seeds with a snapshot install: 5.0 %; expect 10 % at least":                   func(t *totals) { t.installs = 1 },
		"seeds with a power cut that lost unsynced bytes: 5.0 %; expect 10 % at least": func(t *totals) { t.lossyPowerCuts = 1 },
		"seeds with a ring wrapped under a watch: 0.0 %; expect 10 % at least":         func(t *totals) { t.wrappedWatches = 0 },
		"seeds with an expiry across a fail-over: 5.0 %; expect 10 % at least":         func(t *totals) { t.lateExpiries = 1 },
		"operations ok: 59.0 %; expect 60 % at least":                                  func(t *totals) { t.ok, t.failed = 59, 21 },
		"operations unknown: 21.0 %; expect 20 % at most":                              func(t *totals) { t.unknown, t.failed = 21, 19 },
		"seeds undecided: 4.8 %; expect 1 % at most":                                   func(t *totals) { t.undecided = 1 },
	} {
		all := enough()
		spoil(&all)
		assert.Equal(t, []string{want}, held(&all))
	}
}

func TestProgressLine(t *testing.T) {
	var all totals
	assert.Equal(t, "[....................] 0/8 seeds 0.00/s, 0s virtual, 0.0 virtual s/CPU s, 0 faults", all.line(8, 0, nil))
	first := red(0x1f, sim.VerdictSafety)
	for _, o := range []outcome{green(1), green(2), first} {
		all.add(&o)
	}
	assert.Equal(t, "[#######.............] 3/8 seeds 0.30/s, 3m0s virtual, 12.0 virtual s/CPU s, 9 faults, 1 red, first 0x1f safety",
		all.line(8, 10*time.Second, &first))
}

// On a terminal one line is redrawn; anywhere else lines follow each other, not too many.
func TestProgressShown(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b)
	assert.False(t, p.terminal)
	p.show("soon")
	p.clear()
	assert.Empty(t, b.String())
	p.shown = p.shown.Add(-plainEvery)
	p.show("later")
	p.show("at once")
	assert.Equal(t, "later\n", b.String())

	b.Reset()
	p = &progress{w: &b, terminal: true}
	p.show("one")
	p.show("two")
	p.clear()
	p.clear()
	assert.Equal(t, clearLine+"one"+clearLine+"two"+clearLine, b.String())
}
