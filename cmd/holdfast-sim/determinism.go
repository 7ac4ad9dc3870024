package main

import (
	"context"
	"fmt"
	"io"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// proveDeterminism plays each seed twice, in one process, and stops at the first that is not the same run again. It counts
// those of which a checker did not end in time; their steps were compared all the same.
func proveDeterminism(ctx context.Context, c *cli.Command, stdout, _ io.Writer) (int, error) {
	r, err := readRange(c)
	if err != nil {
		return 0, err
	}
	if err := warm(ctx, inChild("run"), r.scenario); err != nil {
		return 0, err
	}
	return sameTwice(ctx, r, inChild("smoke"), stdout)
}

func sameTwice(ctx context.Context, r seedRange, play player, stdout io.Writer) (int, error) {
	next, equal, undecided, bad := uint64(0), 0, 0, (*outcome)(nil)
	each(ctx, r.jobs,
		func() (scenario, bool) {
			if next == r.seeds || bad != nil {
				return scenario{}, false
			}
			next++
			return r.scenario.with(r.from + next - 1), true
		},
		func(s scenario) outcome { return play(ctx, s) },
		func(o outcome) {
			if ctx.Err() != nil { // it was stopped half-way
				return
			}
			if o.verdict() == sim.VerdictOK || o.report != nil && o.verdict() == sim.VerdictTimeout && o.report.Fired == sim.FiredLimit {
				equal++
				note := ""
				if n := o.report.CheckTimeouts; n > 0 {
					undecided++
					note = fmt.Sprintf(", checkers that did not end in time: %d", n)
				}
				fmt.Fprintf(stdout, "seed=0x%x nodes=%d steps=%d hash=0x%016x twice%s\n", o.scenario.seed, o.scenario.nodes, o.report.Counts.Steps, uint64(o.report.Hash), note)
				return
			}
			fmt.Fprintf(stdout, "seed=0x%x nodes=%d verdict=%s\n%s\n", o.scenario.seed, o.scenario.nodes, o.verdict(), indent(o.detail()))
			if bad == nil || o.scenario.seed < bad.scenario.seed {
				bad = &o
			}
		}, func() {})
	if err := context.Cause(ctx); err != nil {
		return 0, fmt.Errorf("after %d equal seeds: %w", equal, err)
	}
	verdict := sim.VerdictOK
	if bad != nil {
		verdict = bad.verdict()
	}
	fmt.Fprintf(stdout, "determinism from=0x%x seeds=%d equal=%d undecided=%d module=%s verdict=%s\n", r.from, r.seeds, equal, undecided, r.module, verdict)
	return verdict.ExitCode(), nil
}
