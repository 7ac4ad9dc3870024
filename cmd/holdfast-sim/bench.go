package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// What is measured: the same seeds each time, one at a time. The module is loaded before.
const (
	benchSeeds    = 6
	benchFrom     = 0xbe0c4000
	benchDuration = sweepDuration
	// idleDuration is longer, for an idle run is over so soon that its start would be most of it.
	idleDuration = 10 * time.Minute
	benchOps     = 50 // a virtual second
)

// load is a kind of run that has to be fast enough.
type load struct {
	name     string
	scenario scenario
	least    float64 // virtual seconds per CPU second, on average
}

func measure(ctx context.Context, c *cli.Command, stdout, _ io.Writer) (int, error) {
	if err := noArguments(c); err != nil {
		return 0, err
	}
	s := scenario{
		nodes: 3, duration: benchDuration, ops: benchOps,
		module: c.String("module"), cache: c.String("cache"), wall: c.Duration("wall"),
	}
	if s.wall <= 0 {
		return 0, usagef("wall: %v; choose a time above nought", s.wall)
	}
	own, other, two, err := againstFlags(c)
	if err != nil {
		return 0, err
	}
	module, err := readModule(s.module)
	if err != nil {
		return 0, err
	}
	idle := s
	idle.ops, idle.duration, idle.workloads, idle.faults = 0, idleDuration, []string{}, []string{}
	loads := []load{{fmt.Sprintf("%d operations a virtual second, faults", benchOps), s, 8}, {"idle, no faults", idle, 60}}
	fmt.Fprintf(stdout, "module=%s commit=%s: %d seeds, 3 members; virtual seconds per CPU second\n",
		sim.ModuleHash(module), commit(), benchSeeds)
	if two {
		fmt.Fprintf(stdout, "held against %s, in turns; of each the best mean of %d\n", other.program, againstRounds)
		return holdAgainst(ctx, callBench(s.cache), own, other, loads, c.Float64("floor"), stdout)
	}
	ws := &workers{}
	defer ws.close()
	if err := warm(ctx, ws.play, s); err != nil {
		return 0, err
	}
	return bench(ctx, ws.play, stdout, loads)
}

// worked is the virtual time, in nanoseconds, during which a run has its load: reading back comes after it, and costs less.
func worked(s scenario) int64 {
	plan := sim.Derive(sim.Options{Seed: s.seed, Nodes: s.nodes, Duration: s.duration, Workloads: s.workloads, OpsPerSecond: s.ops})
	return plan.EndNanos
}

// bench measures each load and gives the exit status: exitFailed if one is too slow or a seed is not green.
func bench(ctx context.Context, play player, stdout io.Writer, loads []load) (int, error) {
	code := 0
	for _, l := range loads {
		speeds, all := make([]float64, 0, benchSeeds), totals{}
		for i := range uint64(benchSeeds) {
			s := l.scenario
			s.seed = benchFrom + i
			o := play(ctx, s)
			if o.report == nil {
				return 0, fmt.Errorf("%s: %w", l.name, o.err)
			}
			if o.verdict() != sim.VerdictOK { // it counts, for what it is, and is not what was to be measured
				fmt.Fprintf(stdout, "%s: seed=0x%x verdict=%s: see holdfast-sim run %s\n", l.name, s.seed, o.verdict(), strings.Join(s.args(), " "))
				code = exitFailed
			}
			o.report.VirtualNanos = min(o.report.VirtualNanos, worked(s))
			one := totals{}
			one.add(&o)
			all.add(&o)
			speeds = append(speeds, one.speed())
		}
		slices.Sort(speeds)
		word := "ok"
		if all.speed() < l.least {
			word, code = "too slow", exitFailed
		}
		fmt.Fprintf(stdout, "%-44s mean %.1f, min %.1f, median %.1f, max %.1f; expect %g at least: %s\n", l.name,
			all.speed(), speeds[0], (speeds[(benchSeeds-1)/2]+speeds[benchSeeds/2])/2, speeds[benchSeeds-1], l.least, word)
	}
	return code, nil
}
