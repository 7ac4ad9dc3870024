package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/process"
	"holdfast/jepsen/versus"
)

// versusRestarts is how often a member with many keys is restarted, and
// versusSettle how long it is left alone before its memory is read.
const (
	versusRestarts = 5
	versusSettle   = 20 * time.Second
)

func versusCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:  "versus",
		Usage: "hold Holdfast against etcd 3.6",
		Description: `Starts both with their default settings and lets them take turns: a killed
leader, an empty start, and a million keys in memory, at a restart and in a
snapshot. Prints the medians, the least and the most, and the ratio of the
medians; fails if a ratio is above what it may be, or was not measured.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bin", Value: "bin/holdfast", Usage: "daemon to run: holdfast `FILE`"},
			&cli.StringFlag{Name: "against", Value: "bin/etcd36", Usage: "daemon to compare with: etcd `FILE`, named etcd36 if it has no v2 API, or another holdfast"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data and logs, which must be empty or new; default: a temporary one, kept only on failure"},
			&cli.StringFlag{Name: "only", Usage: "the one `PART` to run: kill, start or million"},
			&cli.IntFlag{Name: "rounds", Value: 20, Usage: "`NUMBER` of kills and of empty starts of each"},
			&cli.IntFlag{Name: "keys", Value: 1_000_000, Usage: "`NUMBER` of keys with values of 256 bytes"},
		},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return compare(ctx, cmd, stdout, stderr)
		},
	}
}

func compare(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	if cmd.Args().Present() {
		return fmt.Errorf("versus: %q: takes no arguments", cmd.Args().First())
	}
	cfg := versus.Config{
		Only: cmd.String("only"), Rounds: cmd.Int("rounds"), Keys: cmd.Int("keys"),
		Restarts: versusRestarts, Settle: versusSettle, Progress: stderr,
	}
	if err := cfg.Check(); err != nil {
		return err
	}
	var err error
	if cfg.Ours, err = process.FromPath(cmd.String("bin")); err != nil {
		return failure{err}
	}
	if cfg.Theirs, err = process.FromPath(cmd.String("against")); err != nil {
		return failure{fmt.Errorf("%w; etcd 3.6 is built with: make etcd36", err)}
	}
	temporary, err := workDir("versus", cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	rep, err := versus.Run(ctx, cfg)
	if rep != nil {
		err = errors.Join(err, rep.Write(stdout), rep.Err())
	}
	if err != nil {
		return failure{fmt.Errorf("%w\nlogs are in %s", err, cfg.Dir)}
	}
	if temporary {
		if err := os.RemoveAll(cfg.Dir); err != nil {
			return failure{fmt.Errorf("versus: clean up: %w", err)}
		}
	}
	return nil
}
