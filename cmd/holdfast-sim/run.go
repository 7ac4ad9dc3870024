package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"holdfast/jepsen"
	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

func quietFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "quiet", Usage: "no timeline"},
		&cli.StringFlag{Name: "report", Usage: "write how it ended to `FILE`, as JSON"},
	}
}

// outputFlags are about what a single run writes where.
func outputFlags() []cli.Flag {
	return append(quietFlags(),
		&cli.StringFlag{Name: "hash-log", Usage: "write a line per step to `FILE`"},
		&cli.StringFlag{Name: "history", Usage: "write the clients' history, JSON lines, to `FILE`"},
		&cli.StringFlag{Name: "log", Usage: "write the decision log, which replay takes, to `FILE`"},
		&cli.Uint64Flag{Name: "until-step", Usage: "stop after step `N` and tell where everybody stands; not with --log"},
		&cli.BoolFlag{Name: "logs", Usage: "print what the processes print, to stderr"},
	)
}

func runOnce(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error) {
	o, s, err := readRun(c)
	if err != nil {
		return 0, err
	}
	rep, err := play(ctx, c, o, stdout, stderr)
	if err = writeReport(c.String("report"), s, o, rep, err); err != nil {
		return 0, err
	}
	fmt.Fprintln(stdout, rep.Line())
	return rep.Verdict.ExitCode(), nil
}

// readRun reads the flags that run and smoke share.
func readRun(c *cli.Command) (sim.Options, scenario, error) {
	if err := noArguments(c); err != nil {
		return sim.Options{}, scenario{}, err
	}
	s, err := readScenario(c)
	if err != nil {
		return sim.Options{}, s, err
	}
	if s.seed, err = readSeed(c, "seed"); err != nil {
		return sim.Options{}, s, err
	}
	o, err := s.options()
	return o, s, err
}

// play plays a run that has outputFlags and tells all of it but its last line.
func play(ctx context.Context, c *cli.Command, o sim.Options, stdout, stderr io.Writer) (*sim.Report, error) {
	o.UntilStep = c.Uint64("until-step")
	if o.UntilStep > 0 && c.String("log") != "" { // before the file loses what it held
		return nil, usagef("log: %s: a decision log is of a whole run, and this one is to stop at step %d; leave out --until-step or --log",
			c.String("log"), o.UntilStep)
	}
	if c.Bool("logs") {
		o.Logs = stderr
	}
	var closers []func() error
	open := func(flag string, to *io.Writer) error {
		w, closeFile, err := create(c.String(flag))
		if err == nil {
			*to, closers = w, append(closers, closeFile)
		}
		return err
	}
	o.Commit = commit()
	err := errors.Join(open("hash-log", &o.HashLog), open("history", &o.History), open("log", &o.Log))
	var rep *sim.Report
	if err == nil {
		rep, err = once(ctx, c, o, stdout)
	}
	for _, closeFile := range closers {
		err = errors.Join(err, closeFile())
	}
	return rep, err
}

// once plays one run and tells all of it but its last line.
func once(ctx context.Context, c *cli.Command, o sim.Options, stdout io.Writer) (*sim.Report, error) {
	if !c.Bool("quiet") {
		o.Timeline = stdout
	}
	printHead(stdout, &o)
	rep, err := withinWall(ctx, c, o)
	if err == nil {
		printEnd(stdout, rep)
	}
	return rep, err
}

// withinWall runs on one thread only: of all processes of a run one runs at a time, and to hand over between threads would
// cost a sixth of the time.
func withinWall(ctx context.Context, c *cli.Command, o sim.Options) (*sim.Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Duration("wall"), sim.ErrWallTime)
	defer cancel()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var err error
	if o.Engine, err = shelved(ctx, &o); err != nil {
		return nil, err
	}
	return sim.Run(ctx, o)
}

// printHead tells everything that was decided before the run.
func printHead(w io.Writer, o *sim.Options) {
	seed, plan, faults := o.Seed, sim.Plan{}, []sim.Fault(nil)
	if d := o.Decisions; d != nil {
		seed, plan, faults = d.Seed, d.Plan, d.Faults
	} else {
		plan = sim.Derive(*o)
		faults = sim.Schedule(*o, &plan)
	}
	modules := sim.ModuleHash(o.Module)
	if len(plan.Upgrades) > 0 {
		modules += " before=" + sim.ModuleHash(o.Before)
	}
	fmt.Fprintf(w, "seed=0x%x module=%s commit=%s nodes=%d duration=%v\n",
		seed, modules, commit(), plan.Nodes, time.Duration(plan.EndNanos))
	for _, line := range plan.Lines() {
		fmt.Fprintln(w, line)
	}
	scheduled := map[string]int{} // read by key only
	for i := range faults {
		scheduled[faults[i].Kind]++
	}
	fmt.Fprintf(w, "faults scheduled=%d%s\n", len(faults), perKind(scheduled))
}

// perKind lists how many faults there are of each kind, in the order of the catalogue, after a space each.
func perKind(counts map[string]int) string {
	var b strings.Builder
	for _, kind := range sim.FaultKinds() {
		if n := counts[kind]; n > 0 {
			fmt.Fprintf(&b, " %s=%d", kind, n)
		}
	}
	return b.String()
}

// commit names the sources that this program was built from.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	revision, dirty := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+changes"
		}
	}
	return revision + dirty
}

func printEnd(w io.Writer, rep *sim.Report) {
	n, s := &rep.Counts, &rep.Stats
	fmt.Fprintf(w, "virtual=%.3fs steps=%d turns=%d starts=%d kills=%d power-cuts=%d partitions=%d leaders=%d disk-errors=%d refusals=%d held-up=%d\n",
		float64(rep.VirtualNanos)/1e9, n.Steps, n.Turns, n.Starts, n.Kills, n.PowerCuts, n.Partitions, n.Leaders, n.DiskErrors, n.Refusals, n.HeldUp)
	fmt.Fprintf(w, "faults struck=%d%s\n", sum(n.Faults), perKind(n.Faults))
	fmt.Fprintf(w, "leader-changes=%d installs=%d lossy-power-cuts=%d wrapped-watches=%d expiries=%d late-expiries=%d\n",
		s.LeaderChanges, s.Installs, s.LossyPowerCuts, s.WrappedWatches, s.Expiries, s.LateExpiries)
	fmt.Fprintf(w, "operations ok=%d failed=%d unknown=%d\n", rep.OK, rep.Failed, rep.Unknown)
	fmt.Fprintf(w, "checks=%d timeouts=%d%s\n", len(rep.Checks), rep.CheckTimeouts, perCheck(rep.Checks))
	if rep.Fired != "" {
		fmt.Fprintf(w, "fired=%s\n", rep.Fired)
	}
	if rep.Detail != "" {
		fmt.Fprintln(w, rep.Detail)
	}
}

func perCheck(checks []jepsen.Result) string {
	var b strings.Builder
	for i := range checks {
		fmt.Fprintf(&b, " %s=%v", checks[i].Checker, checks[i].Verdict)
	}
	return b.String()
}

func sum(counts map[string]int) int {
	all := 0
	for _, n := range counts {
		all += n
	}
	return all
}
