package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// action is what a subcommand does: it gives the exit status, or an error that decides it.
type action func(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error)

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	code := 0
	sub := func(name, usage string, act action, flags ...[]cli.Flag) *cli.Command {
		c := &cli.Command{Name: name, Usage: usage, OnUsageError: asUsage}
		for _, some := range flags {
			c.Flags = append(c.Flags, some...)
		}
		c.Action = func(ctx context.Context, c *cli.Command) (err error) {
			code, err = act(ctx, c, stdout, stderr)
			return err
		}
		return c
	}
	worker := sub("worker", "carry out the command lines that come in, a line of JSON each", work)
	worker.Hidden = true // for sweep, mutants and bench
	replay := sub("replay", "play a decision log again, as it was written or edited", replayLog, replayFlags(), moduleFlags(), beforeFlags(), outputFlags())
	shrunk := sub("shrink", "take away from a failing run's decision log whatever its failure does not need", shrinkLog, replayFlags(), shrinkFlags(), moduleFlags(), beforeFlags())
	prove := sub("shrunk", "shrink the logs that mutants --keep has left, and see that they are as small as they should be", proveShrinking, shrunkFlags(), moduleFlags())
	replay.ArgsUsage, shrunk.ArgsUsage, prove.ArgsUsage = "FILE", "FILE", "DIRECTORY"
	report := sub("report", "play a decision log and tell it: the story as text, and a page with a picture", reportLog, reportFlags(), replayFlags(), moduleFlags(), beforeFlags())
	report.ArgsUsage = "FILE"
	diff := sub("diff", "tell where two decision logs part and, with modules, where the runs do", diffLogs, diffFlags())
	diff.ArgsUsage = "A [B]"
	corpus := sub("corpus", "choose of the seeds of ledgers, which sweep --resume writes, few that reach every probe", writeCorpus, corpusFlags())
	corpus.ArgsUsage = "LEDGER..."
	root := &cli.Command{
		Name: "holdfast-sim", Usage: "play Holdfast clusters through seeds, deterministically",
		Writer: stdout, ErrWriter: stderr, HideVersion: true,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // judged below
		OnUsageError:   asUsage,
		Action:         noCommand,
		Commands: []*cli.Command{
			sub("run", "play one seed once; the last line and the exit status give the verdict", runOnce,
				seedFlags(), scenarioFlags(3, defaultDuration), moduleFlags(), beforeFlags(), outputFlags()),
			sub("smoke", "play one seed twice and hold the second run against the first, step by step", runTwice,
				seedFlags(), scenarioFlags(3, defaultDuration), moduleFlags(), beforeFlags(), quietFlags()),
			sub("sweep", "play many seeds, in processes that each play one after the other, and add up what happened", sweepSeeds,
				manyFlags(), sweepFlags(), scenarioFlags(0, sweepDuration), moduleFlags(), beforeFlags()),
			corpus,
			replay,
			shrunk,
			prove,
			report,
			diff,
			sub("determinism", "play many seeds as smoke does, each in a process of its own; stop at the first that differs", proveDeterminism,
				manyFlags(), scenarioFlags(0, determinismDuration), moduleFlags(), beforeFlags()),
			sub("mutants", "build the guest with each of the planted faults and see that seeds find it", huntMutants,
				mutantFlags(), scenarioFlags(0, mutantDuration), moduleFlags()),
			sub("bench", "measure virtual seconds per CPU second, at work and idle", measure, moduleFlags(), benchFlags()),
			worker,
			sub("guest", "build the guest module", buildGuest, guestFlags()),
		},
	}
	err := root.Run(ctx, args)
	if err == nil {
		return code
	}
	fmt.Fprintf(stderr, "holdfast-sim: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) || errors.Is(err, sim.ErrOptions) || errors.Is(err, sim.ErrDecisions) {
		return exitUsage
	}
	return exitFailed
}

func asUsage(_ context.Context, _ *cli.Command, err error, _ bool) error { return usageError{err} }

func noCommand(_ context.Context, c *cli.Command) error {
	if c.Args().Present() {
		return usagef("command: %q: there is none such; see holdfast-sim --help", c.Args().First())
	}
	return usagef("command: none given; see holdfast-sim --help")
}

// noArguments refuses what is neither a flag nor a flag's value.
func noArguments(c *cli.Command) error {
	if c.Args().Present() {
		return usagef("argument: %q: not expected; see holdfast-sim %s --help", c.Args().First(), c.Name)
	}
	return nil
}

// create opens an output file; no name, no file.
func create(name string) (io.Writer, func() error, error) {
	if name == "" {
		return nil, func() error { return nil }, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, nil, usagef("output file: %w; name one that can be written", err)
	}
	return f, f.Close, nil
}
