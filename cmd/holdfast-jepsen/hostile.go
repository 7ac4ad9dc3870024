//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/hostile"
	"holdfast/jepsen/process"
)

func hostileCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:  "hostile",
		Usage: "attack a member in every way of a table, and write the table",
		Description: `Starts a member once for each row and attacks it from outside: thousands of
clients that vanish, requests that are slow, huge or broken, other protocols. What
it answered, and what of its goroutines, descriptors and memory is left five
seconds later, is compared with what the row allows, and written down.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bin", Value: "bin/holdfast", Usage: "daemon to run: holdfast `FILE`"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data and logs, which must be empty or new; default: a temporary one, kept only on failure"},
			&cli.StringFlag{Name: "out", Value: "docs/hostile.md", Usage: "`FILE` that takes the table if every row holds, and all were tried"},
			&cli.StringFlag{Name: "row", Usage: "try only rows with `TEXT` in their name, and write no file"},
			&cli.IntFlag{Name: "beside", Value: 6, Usage: "`NUMBER` of rows tried at the same time"},
		},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return attack(ctx, cmd, stdout, stderr)
		},
	}
}

func attack(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	if cmd.Args().Present() {
		return fmt.Errorf("hostile: %q: takes no arguments", cmd.Args().First())
	}
	text := cmd.String("row")
	cfg := hostile.Config{Beside: cmd.Int("beside"), Progress: stderr}
	cfg.Rows = slices.DeleteFunc(hostile.Rows(), func(r hostile.Row) bool { return !strings.Contains(r.Name, text) })
	if cfg.Beside < 1 {
		return fmt.Errorf("hostile: --beside %d: out of range: at least 1", cfg.Beside)
	}
	if len(cfg.Rows) == 0 {
		return fmt.Errorf("hostile: --row %q: no row has that in its name; see docs/hostile.md", text)
	}
	var err error
	if cfg.Program, err = process.FromPath(cmd.String("bin")); err != nil {
		return failure{err}
	}
	temporary, err := workDir("hostile", cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	results, err := hostile.Run(ctx, cfg)
	if err != nil {
		return failure{fmt.Errorf("hostile: %w; data and logs are in %s", err, cfg.Dir)}
	}
	var table bytes.Buffer
	if err := hostile.WriteTable(&table, results); err != nil {
		return failure{fmt.Errorf("hostile: %w", err)}
	}
	_, err = stdout.Write(table.Bytes())
	bad := 0
	for _, r := range results {
		if r.Wrong != "" {
			bad++
			fmt.Fprintf(stdout, "BROKEN %s: %s\n", r.Name, r.Wrong)
		}
	}
	fmt.Fprintf(stdout, "%d rows, %d hold\n", len(results), len(results)-bad)
	if bad > 0 {
		return failure{fmt.Errorf("hostile: %d rows do not hold; logs are in %s", bad, cfg.Dir)}
	}
	if text == "" {
		err = errors.Join(err, os.WriteFile(cmd.String("out"), table.Bytes(), 0o644))
	}
	if temporary {
		err = errors.Join(err, os.RemoveAll(cfg.Dir))
	}
	if err != nil {
		return failure{fmt.Errorf("hostile: %w", err)}
	}
	return nil
}
