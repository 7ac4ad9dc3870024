package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/curves"
	"holdfast/jepsen/process"
)

func curvesCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:  "curves",
		Usage: "measure how cost grows with keys, connections, watches and values",
		Description: `Starts a member and lets "holdfast bench" ask it, at growing places along each
axis. Prints tables in Markdown, and whether each cost grows as it may, by the
member's CPU time per operation. All of it takes about ten minutes.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bin", Value: "bin/holdfast", Usage: "daemon to run: holdfast `FILE`"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data and logs, which must be empty or new; default: a temporary one, kept only on failure"},
			&cli.StringFlag{Name: "only", Value: strings.Join(curves.Names, ","), Usage: "comma-separated `AXES`"},
			&cli.StringFlag{Name: "json", Usage: "`FILE` that takes all figures"},
			&cli.StringFlag{Name: "svg", Usage: "`DIRECTORY` that takes the charts"},
		},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return walkCurves(ctx, cmd, stdout, stderr)
		},
	}
}

// parkCommand holds watches for curves, in a process of its own because each
// takes a descriptor.
func parkCommand(stdout io.Writer) *cli.Command {
	return &cli.Command{
		Name: "park", Hidden: true, ArgsUsage: "ENDPOINT FIRST COUNT",
		Usage:        "park watches for the command curves until the standard input ends",
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			first, firstErr := strconv.Atoi(cmd.Args().Get(1))
			watches, watchesErr := strconv.Atoi(cmd.Args().Get(2))
			if err := cmp.Or(firstErr, watchesErr); err != nil || cmd.NArg() != 3 || first < 0 || watches < 1 {
				return errors.New("park: needs ENDPOINT FIRST COUNT")
			}
			if err := curves.Park(ctx, cmd.Args().First(), first, watches, os.Stdin, stdout); err != nil {
				return failure{err}
			}
			return nil
		},
	}
}

func walkCurves(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	if cmd.Args().Present() {
		return fmt.Errorf("curves: %q: takes no arguments", cmd.Args().First())
	}
	axes := strings.Split(cmd.String("only"), ",")
	for _, name := range axes {
		if !slices.Contains(curves.Names, name) {
			return fmt.Errorf("curves: --only: %q is no axis: %s", name, strings.Join(curves.Names, ", "))
		}
	}
	self, err := os.Executable()
	if err != nil {
		return failure{fmt.Errorf("curves: find this program: %w", err)}
	}
	cfg := curves.Config{Plan: curves.FullPlan(), Progress: stderr, Parker: []string{self, "park"}}
	if cfg.Program, err = process.FromPath(cmd.String("bin")); err != nil {
		return failure{err}
	}
	temporary, err := workDir("curves", cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	var all []curves.Axis
	var red []string
	for _, name := range axes {
		axis, err := curves.Walk(ctx, cfg, name)
		if err != nil {
			return failure{fmt.Errorf("%w; data and logs are in %s", err, cfg.Dir)}
		}
		if err := report(axis, cmd.String("svg"), stdout); err != nil {
			return failure{fmt.Errorf("curves: %w", err)}
		}
		all = append(all, axis)
		for _, c := range axis.Curves {
			if v := c.Judge(axis.Name); v.Wrong != "" {
				red = append(red, v.Axis+", "+v.Curve+": "+v.Wrong)
			}
		}
	}
	if name := cmd.String("json"); name != "" {
		if err := writeJSON(name, all); err != nil {
			return failure{fmt.Errorf("curves: %w", err)}
		}
	}
	if temporary {
		if err := os.RemoveAll(cfg.Dir); err != nil {
			return failure{fmt.Errorf("curves: clean up: %w", err)}
		}
	}
	if len(red) > 0 {
		return failure{fmt.Errorf("curves: %d costs grow otherwise than they may: %s; measure again on a quiet machine, then profile the daemon", len(red), strings.Join(red, "; "))}
	}
	return nil
}

// report prints an axis and draws it.
func report(axis curves.Axis, dir string, stdout io.Writer) error {
	if err := curves.WriteTable(stdout, axis); err != nil || dir == "" {
		return err
	}
	return curves.WriteCharts(axis, func(name string) (io.WriteCloser, error) {
		return os.Create(filepath.Join(dir, name))
	})
}

func writeJSON(name string, all []curves.Axis) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("encode figures: %w", err)
	}
	if err := os.WriteFile(name, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write figures: %w", err)
	}
	return nil
}
