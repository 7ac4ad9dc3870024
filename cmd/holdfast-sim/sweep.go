package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

func sweepFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "time", Usage: "real time after which no further seed is begun (default: no limit)"},
		&cli.StringFlag{Name: "keep", Value: "bin/sim-failures", Usage: "`DIRECTORY` for decision logs and last output of failing seeds"},
		&cli.BoolFlag{Name: "stop-at-first", Usage: "begin no further seed after the first that fails"},
		&cli.StringFlag{Name: "resume", Usage: "keep the green seeds in `FILE`, and do not play those again that are there already"},
		&cli.BoolFlag{Name: "corpus", Usage: "play the seeds first that are known to reach rare states"},
		&cli.BoolFlag{Name: "every-probe", Usage: "fail unless each probe, a rare state, was reached by some seed"},
	}
}

// sweep is a range of seeds being played.
type sweep struct {
	scenario    scenario // of every seed, but for the seed
	module      string   // its hash, and that of the earlier version if there is one
	corpus      []kept   // played before the range
	from, seeds uint64
	jobs        int
	limit       time.Duration // 0: none
	keep        string
	stopAtFirst bool
	everyProbe  bool
	ledger      *ledger // nil: none is kept
	play        player
	stdout      io.Writer
	bar         *progress

	begun  time.Time
	next   uint64 // of all, the corpus first
	totals totals
	first  *outcome // the first failing one that came in, and in the end that with the lowest seed
	err    error    // of the sweep itself
}

func sweepSeeds(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (code int, err error) {
	r, err := readRange(c)
	if err != nil {
		return 0, err
	}
	if c.Duration("time") < 0 {
		return 0, usagef("time: %v; choose a time above nought, or leave it out", c.Duration("time"))
	}
	ws := &workers{}
	defer ws.close()
	sw := &sweep{
		scenario: r.scenario, module: r.module, from: r.from, seeds: r.seeds, jobs: r.jobs,
		limit: c.Duration("time"), keep: c.String("keep"), stopAtFirst: c.Bool("stop-at-first"), everyProbe: c.Bool("every-probe"),
		play: ws.play, stdout: stdout, bar: newProgress(stderr),
	}
	if c.Bool("corpus") {
		if s := r.scenario; s.workloads != nil || s.faults != nil || s.ops != 0 || s.pace != 0 || s.nodes != 0 || s.schedule != "" || s.before != "" {
			return 0, usagef("corpus: its seeds reach what they do by their own choice; leave out --corpus, or --workload, --faults, --ops, --pace, --nodes, --schedule and --before")
		}
		if sw.corpus, err = readCorpus(corpusText); err != nil {
			return 0, err
		}
	}
	if name := c.String("resume"); name != "" {
		if sw.ledger, err = openLedger(name, sw.head(), sw.scenario.duration); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, sw.ledger.close()) }()
	}
	fmt.Fprintf(stdout, "sweep from=0x%x seeds=%d corpus=%d module=%s commit=%s duration=%v\n",
		sw.from, sw.seeds, len(sw.corpus), sw.module, commit(), sw.scenario.duration)
	if err := warm(ctx, sw.play, sw.scenario); err != nil {
		return 0, err
	}
	return sw.run(ctx)
}

// seedRange is what the manyFlags say.
type seedRange struct {
	scenario    scenario
	module      string // its hash, and that of the earlier version if there is one
	from, seeds uint64
	jobs        int
}

func readRange(c *cli.Command) (r seedRange, err error) {
	if err = noArguments(c); err != nil {
		return r, err
	}
	if r.scenario, err = readScenario(c); err != nil {
		return r, err
	}
	if r.from, err = readSeed(c, "from"); err != nil {
		return r, err
	}
	if r.jobs, err = readJobs(c); err != nil {
		return r, err
	}
	if n := c.Int("seeds"); n < 1 || n > maxSeeds {
		return r, usagef("seeds: %d; choose 1 to %d", n, maxSeeds)
	}
	r.seeds = uint64(c.Int("seeds"))
	if r.from+(r.seeds-1) < r.from {
		return r, usagef("from: 0x%x: %d seeds from there go beyond 64 bits; choose a lower one", r.from, r.seeds)
	}
	r.module, err = r.scenario.hashes()
	return r, err
}

// run plays the seeds and tells how it went: the exit status, or an error of the sweep itself.
func (sw *sweep) run(ctx context.Context) (int, error) {
	sw.begun = time.Now()
	each(ctx, sw.jobs, sw.take,
		func(s scenario) outcome {
			if o, done := sw.ledger.outcome(s); done {
				return o
			}
			return sw.play(ctx, s)
		},
		func(o outcome) { sw.collect(ctx, &o) },
		func() { sw.bar.show(sw.totals.line(sw.all(), time.Since(sw.begun), sw.first)) })
	sw.bar.clear()
	if sw.err != nil {
		return 0, sw.err
	}
	return sw.conclude(context.Cause(ctx)), nil
}

// take gives the next scenario, if there is to be one.
func (sw *sweep) take() (scenario, bool) {
	late := sw.limit > 0 && time.Since(sw.begun) >= sw.limit
	if sw.next == sw.all() || late || sw.err != nil || sw.stopAtFirst && sw.first != nil {
		return scenario{}, false
	}
	n, before := sw.next, uint64(len(sw.corpus))
	sw.next++
	if n < before {
		return sw.corpus[n].scenario(sw.scenario), true
	}
	return sw.scenario.with(sw.from + n - before), true
}

// all counts the seeds to be played.
func (sw *sweep) all() uint64 { return uint64(len(sw.corpus)) + sw.seeds }

func (sw *sweep) collect(ctx context.Context, o *outcome) {
	if ctx.Err() != nil { // it was stopped half-way
		return
	}
	sw.totals.add(o)
	sw.tellLost(o)
	if sw.err == nil { // behind a line that was not written whole nothing may come
		sw.err = sw.ledger.add(o)
	}
	switch {
	case o.undecided():
		sw.bar.clear()
		sw.tell(o)
	case o.verdict() != sim.VerdictOK:
		sw.fail(o)
	}
	sw.bar.show(sw.totals.line(sw.all(), time.Since(sw.begun), sw.first))
}

// fail tells of a failing seed and keeps what it left.
func (sw *sweep) fail(o *outcome) {
	if sw.first == nil || o.scenario.seed < sw.first.scenario.seed {
		sw.first = o
	}
	kept, err := keepFailure(sw.keep, o)
	sw.err = errors.Join(sw.err, err)
	sw.bar.clear()
	sw.tell(o)
	if kept != "" {
		fmt.Fprintf(sw.stdout, "  %s\n", replayCommand(kept, o.scenario))
	}
}

// tell tells what a seed came to, and how to see it again.
func (sw *sweep) tell(o *outcome) {
	fmt.Fprintf(sw.stdout, "seed=0x%x verdict=%s fired=%s\n%s\n", o.scenario.seed, o.verdict(), o.fired(), indent(o.detail()))
	fmt.Fprintf(sw.stdout, "  holdfast-sim run %s\n", strings.Join(o.scenario.args(), " "))
}

func replayCommand(log string, s scenario) string {
	args := []string{"holdfast-sim", "replay"}
	if s.module != defaultModule {
		args = append(args, "--module", s.module)
	}
	return strings.Join(append(s.withBefore(args...), log), " ")
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ")
}

// keepFailure keeps a failing seed's last output and its decision log, whose name it gives if there is one.
func keepFailure(dir string, o *outcome) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("keep seed 0x%x: %w", o.scenario.seed, err)
	}
	base := filepath.Join(dir, fmt.Sprintf("0x%x-%dn", o.scenario.seed, o.scenario.nodes))
	err := os.WriteFile(base+".out", append(bytes.TrimSpace(o.output), '\n'), 0o644)
	name := ""
	if len(o.log) > 0 {
		name = base + ".log"
		err = errors.Join(err, os.WriteFile(name, o.log, 0o644))
	}
	if err != nil {
		return "", fmt.Errorf("keep seed 0x%x: %w", o.scenario.seed, err)
	}
	return name, nil
}

// conclude prints the totals and the verdict, and gives the exit status.
func (sw *sweep) conclude(interrupted error) int {
	t := &sw.totals
	t.write(sw.stdout)
	names := sim.Probes()
	if sw.scenario.before != "" {
		names = append(names, sim.MixedProbes()...)
	}
	t.probes.write(sw.stdout, names)
	if n := uint64(t.played()); n < sw.all() {
		fmt.Fprintf(sw.stdout, "%d of %d seeds were played\n", n, sw.all())
	}
	verdict, code := sim.VerdictOK, 0
	lacking := sw.lacking()
	for _, m := range lacking {
		fmt.Fprintf(sw.stdout, "missing: %s\n", m)
	}
	switch {
	case sw.first != nil:
		verdict = sw.first.verdict()
		code = verdict.ExitCode()
	case interrupted != nil:
		verdict, code = "interrupted", exitFailed
	case len(lacking) > 0:
		verdict, code = "untested", exitFailed
	}
	fmt.Fprintf(sw.stdout, "sweep from=0x%x seeds=%d green=%d red=%d undecided=%d module=%s verdict=%s\n",
		sw.from, t.played(), t.green, t.red, t.undecided, sw.module, verdict)
	return code
}

// lacking names what the sweep lacks to be worth a verdict: whatever was asked for, seeds that were decided.
func (sw *sweep) lacking() []string {
	t := &sw.totals
	where := fmt.Sprintf("sweep: seeds from 0x%x:", sw.from)
	switch {
	case t.played() == 0:
		return []string{where + " none was played to its end; give them time (--time), and let them finish"}
	case t.green+t.red == 0:
		return []string{fmt.Sprintf("%s none of %d was decided: %s; choose a shorter --duration or fewer --jobs, so that checkers end in time",
			where, t.played(), missing(t.decided())[0])}
	}
	lacking := append(missing(t.decided()), sw.requirements()...)
	if sw.everyProbe {
		lacking = append(lacking, t.probes.missing(sim.Probes())...)
	}
	return lacking
}

// requirements names those that were not met. They are about what seeds choose: if workloads or faults are given, or there
// are few seeds, nothing is required.
func (sw *sweep) requirements() []string {
	switch {
	case sw.scenario.workloads != nil || sw.scenario.faults != nil:
		fmt.Fprintln(sw.stdout, "requirements: none, for --workload or --faults leave the seeds no choice")
	case sw.totals.played() < requiredFrom:
		fmt.Fprintf(sw.stdout, "requirements: none of fewer than %d seeds\n", requiredFrom)
	default:
		lacking := missing(sw.totals.facts()...)
		if sw.scenario.before != "" {
			lacking = append(lacking, sw.totals.probes.missing(sim.MixedProbes())...)
		}
		return lacking
	}
	return nil
}
