package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// defaultModule is where make guest puts the module.
const defaultModule = "bin/guest.wasm"

// run is main without the process: it returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	code := 0
	root := &cli.Command{
		Name: "holdfast-sim", Usage: "play a Holdfast cluster through one seed, deterministically",
		Writer: stdout, ErrWriter: stderr, HideVersion: true,
		ExitErrHandler: func(context.Context, *cli.Command, error) {}, // judged below
		OnUsageError:   asUsage,
		Action:         noCommand,
		Commands: []*cli.Command{
			{
				Name: "run", Usage: "play one seed once; the last line and the exit status give the verdict",
				Flags: append(runFlags(), &cli.StringFlag{Name: "hash-log", Usage: "write a line per step to `FILE`"},
					&cli.StringFlag{Name: "history", Usage: "write the clients' history, JSON lines, to `FILE`"},
					&cli.BoolFlag{Name: "logs", Usage: "print what the processes print, to stderr"}),
				OnUsageError: asUsage,
				Action: func(ctx context.Context, c *cli.Command) (err error) {
					code, err = runOnce(ctx, c, stdout, stderr)
					return err
				},
			},
			{
				Name: "smoke", Usage: "play one seed twice and hold the second run against the first, step by step",
				Flags: runFlags(), OnUsageError: asUsage,
				Action: func(ctx context.Context, c *cli.Command) (err error) {
					code, err = runTwice(ctx, c, stdout)
					return err
				},
			},
			{
				Name: "guest", Usage: "build the guest module",
				Flags: []cli.Flag{
					&cli.StringFlag{Name: "out", Value: defaultModule, Usage: "write the module to `FILE`"},
					&cli.StringFlag{Name: "overlay", Usage: "go build's -overlay `FILE`, to plant a fault in our sources"},
					&cli.StringFlag{Name: "modfile", Usage: "another go.mod `FILE`, to plant a fault in a dependency"},
				},
				OnUsageError: asUsage,
				Action:       func(ctx context.Context, c *cli.Command) error { return buildGuest(ctx, c, stdout) },
			},
		},
	}
	err := root.Run(ctx, args)
	if err == nil {
		return code
	}
	fmt.Fprintf(stderr, "holdfast-sim: %v\n", err)
	var usage usageError
	if errors.As(err, &usage) || errors.Is(err, sim.ErrOptions) {
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

func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "seed", Value: "0x1", Usage: "the `NUMBER` that decides everything"},
		&cli.IntFlag{Name: "nodes", Value: 3, Usage: fmt.Sprintf("members, %d to %d", sim.MinNodes, sim.MaxNodes)},
		&cli.DurationFlag{Name: "duration", Value: 10 * time.Second, Usage: "virtual time during which clients work"},
		&cli.StringFlag{Name: "module", Value: defaultModule, Usage: "the guest, a `FILE` made by make guest"},
		&cli.StringFlag{Name: "cache", Usage: "`DIRECTORY` of compiled modules (default: the user's cache directory)"},
		&cli.DurationFlag{Name: "wall", Value: 10 * time.Minute, Usage: "real time after which a run is given up"},
	}
}

// options reads the flags that run and smoke share.
func options(c *cli.Command, stdout io.Writer) (sim.Options, error) {
	o := sim.Options{Nodes: c.Int("nodes"), Duration: c.Duration("duration"), Timeline: stdout, CacheDir: c.String("cache")}
	if c.Args().Present() {
		return o, usagef("argument: %q: not expected; see holdfast-sim %s --help", c.Args().First(), c.Name)
	}
	var err error
	if o.Seed, err = strconv.ParseUint(c.String("seed"), 0, 64); err != nil {
		return o, usagef("seed: %q: not a number of 64 bits; write it as 0x1f or 31", c.String("seed"))
	}
	if o.CacheDir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return o, usagef("cache directory: %w; name one with --cache", err)
		}
		o.CacheDir = filepath.Join(base, "holdfast-sim")
	}
	if o.Module, err = os.ReadFile(c.String("module")); err != nil {
		return o, usagef("module: %w; build it with make guest, or name another with --module", err)
	}
	if !strings.HasPrefix(string(o.Module), "\x00asm") {
		return o, usagef("module: %s: not WebAssembly; build it with make guest", c.String("module"))
	}
	return o, nil
}

func withWall(ctx context.Context, c *cli.Command) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, c.Duration("wall"), sim.ErrWallTime)
}

func runOnce(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error) {
	o, err := options(c, stdout)
	if err != nil {
		return 0, err
	}
	if c.Bool("logs") {
		o.Logs = stderr
	}
	hashLog, closeHashLog, err := create(c.String("hash-log"))
	if err != nil {
		return 0, err
	}
	history, closeHistory, err := create(c.String("history"))
	if err != nil {
		return 0, errors.Join(err, closeHashLog())
	}
	o.HashLog, o.History = hashLog, history
	ctx, cancel := withWall(ctx, c)
	defer cancel()
	printHead(stdout, &o)
	rep, err := sim.Run(ctx, o)
	if err = errors.Join(err, closeHashLog(), closeHistory()); err != nil {
		return 0, err
	}
	printEnd(stdout, rep)
	return rep.Verdict.ExitCode(), nil
}

// runTwice plays the seed twice. The second run's line is the verdict unless the first was already no good.
func runTwice(ctx context.Context, c *cli.Command, stdout io.Writer) (int, error) {
	o, err := options(c, stdout)
	if err != nil {
		return 0, err
	}
	ctx, cancel := withWall(ctx, c)
	defer cancel()
	printHead(stdout, &o)
	o.Record = true
	first, err := sim.Run(ctx, o)
	if err != nil {
		return 0, err
	}
	rep := first
	if first.Verdict == sim.VerdictOK {
		fmt.Fprintln(stdout, "again, held against the first run")
		o.Record, o.Against, o.Timeline = false, first.Trace, nil
		if rep, err = sim.Run(ctx, o); err != nil {
			return 0, err
		}
	}
	printEnd(stdout, rep)
	return rep.Verdict.ExitCode(), nil
}

func printHead(w io.Writer, o *sim.Options) {
	fmt.Fprintf(w, "seed=0x%x module=%s nodes=%d duration=%v\n", o.Seed, sim.ModuleHash(o.Module), o.Nodes, o.Duration)
	for _, line := range sim.Derive(*o).Lines() {
		fmt.Fprintln(w, line)
	}
}

func printEnd(w io.Writer, rep *sim.Report) {
	n := rep.Counts
	fmt.Fprintf(w, "steps=%d turns=%d starts=%d kills=%d partitions=%d leaders=%d\n", n.Steps, n.Turns, n.Starts, n.Kills, n.Partitions, n.Leaders)
	fmt.Fprintf(w, "operations ok=%d failed=%d unknown=%d\n", rep.OK, rep.Failed, rep.Unknown)
	if rep.Detail != "" {
		fmt.Fprintln(w, rep.Detail)
	}
	fmt.Fprintln(w, rep.Line())
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

func buildGuest(ctx context.Context, c *cli.Command, stdout io.Writer) error {
	b := sim.Build{Package: sim.GuestPackage, Out: c.String("out"), Overlay: c.String("overlay"), Modfile: c.String("modfile")}
	if c.Args().Present() {
		return usagef("argument: %q: not expected; see holdfast-sim guest --help", c.Args().First())
	}
	if err := sim.BuildGuest(ctx, b); err != nil {
		return err
	}
	module, err := os.ReadFile(b.Out)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s: %d bytes, module=%s\n", b.Out, len(module), sim.ModuleHash(module))
	return err
}
