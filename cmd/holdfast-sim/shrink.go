package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"holdfast/sim"
	"holdfast/sim/shrink"

	"github.com/urfave/cli/v3"
)

// defaultShrinkBudget is the CPU time after which a log is not made smaller any more.
const defaultShrinkBudget = 10 * time.Minute

// shrunkSuffix is what a shrunk log's name has more than the one it was made of.
const shrunkSuffix = ".shrunk"

func shrinkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "budget", Value: defaultShrinkBudget, Usage: "CPU time after which no further run is begun, but to see whether each fault is needed"},
		&cli.IntFlag{Name: "jobs", Value: 2, Usage: "runs at a time; the result does not depend on it"},
		&cli.StringFlag{Name: "out", Usage: "write the shrunk log to `FILE` (default: the log's name and " + shrunkSuffix + ")"},
		&cli.StringFlag{Name: "passes", Usage: "take only logs that the guest in `FILE` passes: of a fault that is in one build and not in the other"},
	}
}

// shrinking is one log on its way to a smaller one.
type shrinking struct {
	log      string   // its name
	scenario scenario // of every run but for the log that it plays
	passes   string   // a module that has to pass; empty: none
	budget   time.Duration
	jobs     int
	play     player
	clean    player // plays what has to pass: with workers of its own, which keep to their module
	dir      string // of the logs that are tried
	bar      *progress

	first outcome // of the log as it is
	tried atomic.Int64
	cpu   atomic.Int64 // nanoseconds
}

func shrinkLog(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error) {
	d, err := readLog(c)
	if err != nil {
		return 0, err
	}
	if _, _, err = replayed(c, d); err != nil {
		return 0, err
	}
	sh, err := readShrinking(c, c.Args().First(), d, stderr)
	if err != nil {
		return 0, err
	}
	out := c.String("out")
	if out == "" {
		out = sh.log + shrunkSuffix
	}
	if err := writable(out); err != nil { // not after minutes of work
		return 0, err
	}
	closeAll, err := sh.open()
	if err != nil {
		return 0, err
	}
	defer closeAll()
	small, err := sh.run(ctx, d, stdout)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(out, small.log, 0o644); err != nil {
		return 0, fmt.Errorf("write what it shrank to: %w", err)
	}
	fmt.Fprintf(stdout, "%s\nseed=%v module=%s hash=%v verdict=%s fired=%s\n", replayCommand(out, sh.scenario),
		text(small.report.Seed), small.report.Module, text(small.report.Hash), small.verdict(), small.fired())
	return 0, nil
}

// open gives the shrinking its workers and a directory, and what takes them away again.
func (sh *shrinking) open() (func(), error) {
	dir, err := os.MkdirTemp("", "holdfast-shrink")
	if err != nil {
		return nil, fmt.Errorf("directory of logs to be tried: %w", err)
	}
	failing, passing := &workers{}, &workers{}
	sh.dir, sh.play, sh.clean = dir, failing.play, passing.play
	return func() {
		failing.close()
		passing.close()
		_ = os.RemoveAll(dir) // logs of no use any more
	}, nil
}

func text(h hex) string {
	b, _ := h.MarshalText() // never fails
	return string(b)
}

// writable tells whether a file can be written, and leaves all as it was.
func writable(name string) error {
	_, missing := os.Lstat(name)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		err = f.Close()
		if missing != nil {
			err = errors.Join(err, os.Remove(name))
		}
	}
	if err != nil {
		return usagef("out: %w; name a file that can be written", err)
	}
	return nil
}

// readShrinking reads the flags that shrink and shrunk share.
func readShrinking(c *cli.Command, log string, d *sim.Decisions, stderr io.Writer) (*shrinking, error) {
	sh := &shrinking{
		log: log, passes: c.String("passes"), budget: c.Duration("budget"), bar: newProgress(stderr),
		scenario: scenario{seed: d.Seed, nodes: d.Plan.Nodes, module: c.String("module"), before: c.String("before"), cache: c.String("cache"), wall: c.Duration("wall")},
	}
	var err error
	if sh.jobs, err = readJobs(c); err != nil {
		return nil, err
	}
	switch {
	case sh.budget <= 0:
		return nil, usagef("budget: %v; choose a time above nought", sh.budget)
	case sh.scenario.wall <= 0:
		return nil, usagef("wall: %v; choose a time above nought", sh.scenario.wall)
	}
	if sh.passes != "" {
		_, err = readModule(sh.passes)
	}
	return sh, err
}

// run shrinks the log and gives what the last run of the result left: its log as it was written by that run.
func (sh *shrinking) run(ctx context.Context, d *sim.Decisions, stdout io.Writer) (*outcome, error) {
	var err error
	if sh.first, err = sh.try(ctx, sh.scenario.module, d); err != nil {
		return nil, err
	}
	fmt.Fprintf(stdout, "shrink %s: %s: verdict=%s fired=%s\n", sh.log, sizes(d), sh.first.verdict(), sh.first.fired())
	if !sh.red(&sh.first) {
		return nil, fmt.Errorf("log: %s: there is no failure to keep, for its run is %s; name a log whose run is red", sh.log, sh.first.verdict())
	}
	res, err := shrink.Shrinker{Test: sh.fails, Operations: sh.first.report.Operations, Jobs: sh.jobs, Spent: func() bool { return sh.spent() >= sh.budget }, Tell: sh.tell}.Run(ctx, d)
	sh.bar.clear()
	if err != nil {
		return nil, err
	}
	small, err := sh.try(ctx, sh.scenario.module, res.Decisions)
	switch {
	case err != nil:
		return nil, err
	case !sh.alike(&small) || len(small.log) == 0:
		return nil, fmt.Errorf("log: %s: shrunk it failed in %s, and played again it is %s; see holdfast-sim smoke", sh.log, sh.first.fired(), small.verdict())
	}
	end := "nothing more can be taken away"
	switch {
	case !res.Minimal && res.Needed:
		end = "the budget is spent, and more might go, but each fault is needed"
	case !res.Minimal:
		end = "the budget is spent, and more might go"
	}
	fmt.Fprintf(stdout, "%s\n%d runs, %.1f CPU s; %s\n", sizes(res.Decisions), sh.tried.Load(), sh.spent().Seconds(), end)
	return &small, nil
}

// fails is the shrinker's test.
func (sh *shrinking) fails(ctx context.Context, d *sim.Decisions) (shrink.Outcome, error) {
	o, err := sh.try(ctx, sh.scenario.module, d)
	if err != nil || !sh.alike(&o) {
		return shrink.Outcome{}, err
	}
	played, err := sim.ReadDecisions(bytes.NewReader(o.log))
	if err != nil {
		return shrink.Outcome{}, fmt.Errorf("log of a run that failed: %w", err)
	}
	came := shrink.Outcome{Fails: true, Operations: o.report.Operations, Faults: played.Faults}
	if sh.passes != "" {
		o, err = sh.try(ctx, sh.passes, d)
		came.Fails = err == nil && o.verdict() == sim.VerdictOK
	}
	return came, err
}

// try plays a log with a module. A run that the simulator itself could not finish is an outcome without a report.
func (sh *shrinking) try(ctx context.Context, module string, d *sim.Decisions) (outcome, error) {
	s := sh.scenario
	s.module, s.decisions = module, filepath.Join(sh.dir, fmt.Sprintf("%d.log", sh.tried.Add(1)))
	f, err := os.Create(s.decisions)
	if err == nil {
		unplayed := *d
		unplayed.Verdict, unplayed.Untouched = "", false // it is another run, or another module's
		err = errors.Join(unplayed.Write(f), f.Close())
	}
	if err != nil {
		return outcome{}, fmt.Errorf("log to be tried: %w", err)
	}
	play := sh.play
	if module != sh.scenario.module {
		play = sh.clean
	}
	o := play(ctx, s)
	sh.cpu.Add(int64(o.cpu))
	if err := os.Remove(s.decisions); err != nil {
		return o, fmt.Errorf("log that was tried: %w", err)
	}
	if o.report == nil {
		return o, o.err
	}
	return o, context.Cause(ctx)
}

func (sh *shrinking) spent() time.Duration { return time.Duration(sh.cpu.Load()) }

func (sh *shrinking) red(o *outcome) bool {
	return slices.Contains([]sim.Verdict{sim.VerdictSafety, sim.VerdictLiveness, sim.VerdictCrash}, o.verdict())
}

// alike tells whether a run failed as the first one did.
func (sh *shrinking) alike(o *outcome) bool {
	return sh.red(o) && o.verdict() == sh.first.verdict() && o.fired() == sh.first.fired()
}

func (sh *shrinking) tell(p shrink.Progress) {
	sh.bar.show(fmt.Sprintf("%d runs, %.0f of %.0f CPU s, taking away %s: %s", sh.tried.Load(), sh.spent().Seconds(), sh.budget.Seconds(), p.What, sizes(p.Smallest)))
}

// sizes tells how much there is in a log.
func sizes(d *sim.Decisions) string {
	work := make([]string, 0, len(d.Plan.Workloads))
	for _, w := range d.Plan.Workloads {
		work = append(work, fmt.Sprintf("%s×%d", w.Name, w.Clients))
	}
	return fmt.Sprintf("%d faults, %d clients (%s), %d operations a second, %d members, %v", len(d.Faults), countClients(d), strings.Join(work, ","),
		d.Plan.OpsPerSecond, d.Plan.Nodes, time.Duration(d.Plan.EndNanos).Round(time.Millisecond))
}
