//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/diskfault"
	"holdfast/jepsen/process"
)

func diskFaultsCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:  "disk-faults",
		Usage: "break a member's disk in every way of a table, and write the table",
		Description: `Starts a member built with the tag "faults" once for each row: on damaged
files, or with a disk that is full, fails or hangs at one operation. What it says
and its exit code are compared with what the row expects, and written down.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bin", Value: "bin/holdfast-faults", Usage: "daemon to run: holdfast `FILE` built with the tag faults"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data and logs, which must be empty or new; default: a temporary one, kept only on failure"},
			&cli.StringFlag{Name: "out", Value: "docs/disk-faults.md", Usage: "`FILE` that takes the table if every row holds"},
			&cli.IntFlag{Name: "beside", Value: 4, Usage: "`NUMBER` of rows tried at the same time"},
		},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return breakDisks(ctx, cmd, stdout, stderr)
		},
	}
}

func breakDisks(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	if cmd.Args().Present() {
		return fmt.Errorf("disk-faults: %q: takes no arguments", cmd.Args().First())
	}
	cfg := diskfault.Config{Rows: diskfault.Rows(), Beside: cmd.Int("beside"), Progress: stderr}
	if cfg.Beside < 1 {
		return fmt.Errorf("disk-faults: --beside %d: out of range: at least 1", cfg.Beside)
	}
	var err error
	if cfg.Program, err = process.FromPath(cmd.String("bin")); err != nil {
		return failure{err}
	}
	temporary, err := workDir("disk-faults", cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	results, err := diskfault.Run(ctx, cfg)
	if err != nil {
		return failure{fmt.Errorf("disk-faults: %w; data and logs are in %s", err, cfg.Dir)}
	}
	bad := 0
	for _, r := range results {
		if r.Wrong != "" {
			bad++
			fmt.Fprintf(stdout, "BROKEN %s: expected: %s: %s\n", r.Fault, r.Expect, r.Wrong)
		}
	}
	fmt.Fprintf(stdout, "%d rows, %d as expected\n", len(results), len(results)-bad)
	if bad > 0 {
		return failure{fmt.Errorf("disk-faults: %d rows do not hold; data and logs are in %s", bad, cfg.Dir)}
	}
	var table bytes.Buffer
	err = diskfault.WriteTable(&table, results)
	if err == nil {
		err = os.WriteFile(cmd.String("out"), table.Bytes(), 0o644)
	}
	if err == nil && temporary {
		err = os.RemoveAll(cfg.Dir)
	}
	if err != nil {
		return failure{fmt.Errorf("disk-faults: %w", err)}
	}
	return nil
}
