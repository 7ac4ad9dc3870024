package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/floors"
	"holdfast/jepsen/process"
)

func floorsCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:  "floors",
		Usage: "hold Holdfast's work under load against its floors beside etcd 3.4",
		Description: `Starts both, with one member and with three, and has "holdfast bench" measure each
row of the table in slices that take turns. Prints the ratios, median with least and
most; fails if one is below its floor, or was not measured.`,
		Flags: append(loadFlags(),
			&cli.StringFlag{Name: "against", Value: "etcd", Usage: "daemon to compare with: etcd `FILE`"},
			&cli.StringFlag{Name: "only", Usage: "the rows whose name contains `TEXT`, such as \"PUT, 1 members\""},
			&cli.IntFlag{Name: "slices", Value: 9, Usage: "`NUMBER` of slices of each store for a row"},
			&cli.DurationFlag{Name: "slice", Value: 2 * time.Second, Usage: "`TIME` of a slice"},
		),
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return holdFloors(ctx, cmd, stdout, stderr)
		},
	}
}

func steadyCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:         "steady",
		Usage:        "write to three members at full speed, and fail if their leader changes",
		Description:  "256 clients PUT through the leader; every member's term is looked at each second.",
		Flags:        append(loadFlags(), &cli.DurationFlag{Name: "for", Value: 5 * time.Minute, Usage: "`TIME` to write"}),
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return keepSteady(ctx, cmd, stdout, stderr)
		},
	}
}

func loadFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bin", Value: "bin/holdfast", Usage: "daemon to run, and its bench: holdfast `FILE`"},
		&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data and logs, which must be empty or new; default: a temporary one, kept only on failure"},
	}
}

// loadConfig reads the loadFlags.
func loadConfig(cmd *cli.Command, stderr io.Writer) (floors.Config, error) {
	cfg := floors.Config{Progress: stderr}
	if cmd.Args().Present() {
		return cfg, fmt.Errorf("%s: %q: takes no arguments", cmd.Name, cmd.Args().First())
	}
	ours, err := process.FromPath(cmd.String("bin"))
	if err != nil {
		return cfg, failure{err}
	}
	cfg.Ours, cfg.Bench = ours, ours.Path
	return cfg, nil
}

func holdFloors(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	cfg, err := loadConfig(cmd, stderr)
	if err != nil {
		return err
	}
	cfg.Only, cfg.Slices, cfg.Slice = cmd.String("only"), cmd.Int("slices"), cmd.Duration("slice")
	if err := cfg.Check(); err != nil {
		return err
	}
	if cfg.Theirs, err = process.FromPath(cmd.String("against")); err != nil {
		return failure{fmt.Errorf("%w; etcd 3.4 is Debian's: apt-get install etcd-server", err)}
	}
	return inWorkDir(cmd, &cfg, func() error {
		report, err := floors.Run(ctx, cfg)
		return errors.Join(err, report.Write(stdout), report.Err())
	})
}

func keepSteady(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	cfg, err := loadConfig(cmd, stderr)
	if err != nil {
		return err
	}
	if d := cmd.Duration("for"); d < time.Second || d > time.Hour {
		return fmt.Errorf("steady: for: %v: out of range; choose 1s to 1h", d)
	}
	return inWorkDir(cmd, &cfg, func() error {
		s, err := floors.KeepWriting(ctx, cfg, cmd.Duration("for"))
		if s == nil {
			return err
		}
		fmt.Fprintf(stdout, "%s\nterms told: %v, in %d looks over %v\n", s.Text, s.Terms, s.Looks, cmd.Duration("for"))
		return errors.Join(err, s.Err())
	})
}

// inWorkDir gives what is done a directory, which stays if it fails.
func inWorkDir(cmd *cli.Command, cfg *floors.Config, do func() error) error {
	temporary, err := workDir(cmd.Name, cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	if err := do(); err != nil {
		return failure{fmt.Errorf("%w\nlogs are in %s", err, cfg.Dir)}
	}
	if !temporary {
		return nil
	}
	if err := os.RemoveAll(cfg.Dir); err != nil {
		return failure{fmt.Errorf("%s: clean up: %w", cmd.Name, err)}
	}
	return nil
}
