package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

func replayFlags() []cli.Flag {
	return []cli.Flag{&cli.BoolFlag{Name: "other-module", Usage: "play the log although it was made with another module"}}
}

func replayLog(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error) {
	d, err := readLog(c)
	if err != nil {
		return 0, err
	}
	s, o, err := replayed(c, d)
	if err != nil {
		return 0, err
	}
	same := sim.ModuleHash(o.Module) == d.Module && (!d.Mixed() || sim.ModuleHash(o.Before) == d.Before)
	if d.Untouched {
		fmt.Fprintf(stdout, "log untouched: recorded with commit=%s hash=0x%016x verdict=%s\n", orUnknown(d.Commit), d.Hash, d.Verdict)
	} else {
		fmt.Fprintln(stdout, "log edited since it was written: this is another run")
	}
	rep, err := play(ctx, c, o, stdout, stderr)
	if err = writeReport(c.String("report"), s, o, rep, err); err != nil {
		return 0, err
	}
	compareHashes(stdout, d, rep, same && c.Uint64("until-step") == 0 && whole(rep))
	fmt.Fprintln(stdout, rep.Line())
	return rep.Verdict.ExitCode(), nil
}

// replayed reads the flags of a command that plays a log: with the log's own module, unless another one is wanted.
func replayed(c *cli.Command, d *sim.Decisions) (scenario, sim.Options, error) {
	s := scenario{seed: d.Seed, nodes: d.Plan.Nodes, module: c.String("module"), before: c.String("before"), cache: c.String("cache"), wall: c.Duration("wall")}
	if s.wall <= 0 {
		return s, sim.Options{}, usagef("wall: %v; choose a time above nought", s.wall)
	}
	o, err := s.options()
	if err != nil {
		return s, o, err
	}
	o.Decisions = d
	return s, o, sameModules(c, d, &o)
}

func readLog(c *cli.Command) (*sim.Decisions, error) {
	switch c.Args().Len() {
	case 0:
		return nil, usagef("log: none given; name the FILE that run --log wrote")
	case 1:
	default:
		return nil, usagef("argument: %q: not expected; %s takes one FILE", c.Args().Get(1), c.Name)
	}
	return openLog(c.Args().First())
}

func openLog(name string) (*sim.Decisions, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, usagef("log: %w; name the FILE that run --log wrote", err)
	}
	defer f.Close()
	d, err := sim.ReadDecisions(f)
	if err != nil {
		return nil, usagef("log: %s: %w", f.Name(), err)
	}
	return d, nil
}

// sameModules refuses to play a log with other modules than it was made with, unless that is asked for.
func sameModules(c *cli.Command, d *sim.Decisions, o *sim.Options) error {
	if hash := sim.ModuleHash(o.Module); hash != d.Module && !c.Bool("other-module") {
		return usagef("module: %s: its hash is %s and the log's is %s; name the log's module with --module, or play it with this one by --other-module",
			c.String("module"), hash, d.Module)
	}
	return sameBefore(c, d, o.Before)
}

// whole tells whether a run came to its end: one whose checkers did not end in time did, and its hash is what it is.
func whole(rep *sim.Report) bool {
	return rep.Verdict != sim.VerdictTimeout || rep.Fired == sim.FiredLimit
}

// compareHashes says whether this was the recorded run, where that can be said: not of another log, another module, or a run
// that ended earlier.
func compareHashes(w io.Writer, d *sim.Decisions, rep *sim.Report, comparable bool) {
	switch {
	case !d.Untouched || !comparable:
		fmt.Fprintln(w, "hash: nothing to hold it against: the log, the module or the end is another")
	case rep.Hash == d.Hash:
		fmt.Fprintln(w, "hash: the recorded one")
	default:
		fmt.Fprintf(w, "hash: not the recorded 0x%016x\n", d.Hash)
	}
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}
