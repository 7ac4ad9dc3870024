//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/process"
	"holdfast/jepsen/soak"
)

// soakCommands let members work for long.
func soakCommands(stdout, stderr io.Writer) []*cli.Command {
	return []*cli.Command{{
		Name:  "soak",
		Usage: "let members work for long and look for what grows",
		Description: `Starts three members, measures the most that they do, and asks for a share of
it for as long as it is told, while members are stopped, killed and held up.
Fails if goroutines, descriptors, memory or disk of one of them grow, if one ends
by itself, if a request gets no answer in calm times, or if an acknowledged
change is missing in the end. docs/soak.md says more.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bin", Value: "bin/holdfast", Usage: "daemon to run: holdfast `FILE`"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data and logs, which must be empty or new; default: a temporary one, kept only on failure"},
			&cli.DurationFlag{Name: "for", Value: time.Hour, Usage: "`TIME` for which the load lasts"},
			&cli.FloatFlag{Name: "load", Value: 0.7, Usage: "`SHARE` of the most to ask for"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of all draws; default: from the clock"},
			&cli.StringFlag{Name: "out", Value: "docs/soak.svg", Usage: "`FILE` to draw the picture into"},
		},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return soakMembers(ctx, cmd, stdout, stderr)
		},
	}}
}

func soakMembers(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	if cmd.Args().Present() {
		return fmt.Errorf("soak: %q: takes no arguments", cmd.Args().First())
	}
	cfg := soak.Config{For: cmd.Duration("for"), Load: cmd.Float("load"), Seed: cmd.Uint64("seed"), Progress: stderr}
	if cfg.For < soak.LeastFor || cfg.Load <= 0 || cfg.Load >= 1 {
		return fmt.Errorf("soak: --for %v --load %v: out of range: at least %v, and a share between 0 and 1", cfg.For, cfg.Load, soak.LeastFor)
	}
	if cfg.Seed == 0 {
		cfg.Seed = uint64(time.Now().UnixNano())
	}
	var err error
	if cfg.Program, err = process.FromPath(cmd.String("bin")); err != nil {
		return failure{err}
	}
	if !cfg.Program.Ops {
		return fmt.Errorf("soak: --bin %s: shows no metrics; name a holdfast", cmd.String("bin"))
	}
	temporary, err := workDir("soak", cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	fmt.Fprintf(stdout, "seed           %d\n", cfg.Seed)
	rep, err := soak.Run(ctx, cfg)
	if rep != nil {
		rep.Show(stdout)
		var picture bytes.Buffer
		drawn := rep.WritePicture(&picture)
		if drawn == nil {
			drawn = os.WriteFile(cmd.String("out"), picture.Bytes(), 0o644)
		}
		err = errors.Join(err, rep.Err(), drawn)
	}
	if err == nil && temporary {
		err = os.RemoveAll(cfg.Dir)
	}
	if err != nil {
		return failure{fmt.Errorf("soak: %w; data and logs are in %s", err, cfg.Dir)}
	}
	return nil
}
