package main

import (
	"context"
	"fmt"
	"io"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

func runTwice(ctx context.Context, c *cli.Command, stdout, _ io.Writer) (int, error) {
	o, s, err := readRun(c)
	if err != nil {
		return 0, err
	}
	rep, err := twice(ctx, c, o, stdout)
	if err = writeReport(c.String("report"), s, o, rep, err); err != nil {
		return 0, err
	}
	fmt.Fprintln(stdout, rep.Line())
	return rep.Verdict.ExitCode(), nil
}

// twice plays the same run twice, see sameRun.
func twice(ctx context.Context, c *cli.Command, o sim.Options, stdout io.Writer) (*sim.Report, error) {
	return sameRun(o, stdout,
		func(o sim.Options) (*sim.Report, error) { return once(ctx, c, o, stdout) },
		func(o sim.Options) (*sim.Report, error) { return withinWall(ctx, c, o) })
}

// sameRun plays a run, and again, held against the first time. The second report counts, unless the first was already no
// good. A checker that does not end in real time says nothing about the steps, which are what is compared: the run is played
// again all the same, and its verdict stays what it is.
func sameRun(o sim.Options, stdout io.Writer, play, replay func(sim.Options) (*sim.Report, error)) (*sim.Report, error) {
	o.Record = true
	first, err := play(o)
	if err != nil || !steady(first) {
		return first, err
	}
	fmt.Fprintln(stdout, "again, held against the first run")
	o.Record, o.Against = false, first.Trace
	again, err := replay(o)
	if err != nil {
		return again, err
	}
	printEnd(stdout, again)
	if again.CheckTimeouts = max(again.CheckTimeouts, first.CheckTimeouts); again.Verdict == sim.VerdictOK {
		again.Verdict, again.Fired = first.Verdict, first.Fired
	}
	return again, nil
}

// steady tells whether a run may be held against another one: it came to its end, and nothing bad was found.
func steady(rep *sim.Report) bool {
	return rep.Verdict == sim.VerdictOK || rep.Verdict == sim.VerdictTimeout && whole(rep)
}
