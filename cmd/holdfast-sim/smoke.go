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

// twice plays the same run twice. The second one's report counts, unless the first was already no good.
func twice(ctx context.Context, c *cli.Command, o sim.Options, stdout io.Writer) (*sim.Report, error) {
	o.Record = true
	first, err := once(ctx, c, o, stdout)
	if err != nil || first.Verdict != sim.VerdictOK {
		return first, err
	}
	fmt.Fprintln(stdout, "again, held against the first run")
	o.Record, o.Against = false, first.Trace
	again, err := withinWall(ctx, c, o)
	if err == nil {
		printEnd(stdout, again)
	}
	return again, err
}
