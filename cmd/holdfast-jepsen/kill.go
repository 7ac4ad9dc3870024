package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/process"
	"holdfast/jepsen/torture"
)

// maxShown bounds the broken promises that are printed.
const maxShown = 20

func killCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:  "kill",
		Usage: "kill leaders under load and look for lost writes",
		Description: `Starts a cluster, lets writers create keys and raise counters, kills the
leader again and again, and restarts it. Confirmed writes are journalled
outside the cluster; in the end each member, read locally, must have them all,
and the members' history hashes must be equal wherever they are compared.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bin", Value: "bin/holdfast", Usage: "daemon to run: holdfast `FILE`, or an etcd"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data, logs and journal, which must be empty or new; default: a temporary one, kept only on failure"},
			&cli.IntFlag{Name: "members", Value: 3, Usage: "`NUMBER` of members"},
			&cli.IntFlag{Name: "writers", Value: 8, Usage: "`NUMBER` of clients that write"},
			&cli.IntFlag{Name: "kills", Value: 10, Usage: "`NUMBER` of times the leader is killed"},
			&cli.IntFlag{Name: "writes", Value: 500, Usage: "least `NUMBER` of confirmed writes before each kill"},
			&cli.IntFlag{Name: "samples", Value: 20, Usage: "`NUMBER` of log indices at which hashes are compared"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the writers' draws; default: from the clock"},
		},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return kill(ctx, cmd, stdout, stderr)
		},
	}
}

func kill(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	if cmd.Args().Present() {
		return fmt.Errorf("kill: %q: takes no arguments", cmd.Args().First())
	}
	cfg := torture.Config{
		Members: cmd.Int("members"), Writers: cmd.Int("writers"), Kills: cmd.Int("kills"),
		WritesBetween: cmd.Int("writes"), Samples: cmd.Int("samples"), Seed: cmd.Uint64("seed"), Progress: stderr,
	}
	if cfg.Members < 3 || cfg.Members > process.MaxMembers || cfg.Writers < 1 || cfg.Kills < 1 || cfg.WritesBetween < 1 || cfg.Samples < 0 {
		return fmt.Errorf("kill: a count is out of range: 3 to %d members, at least 1 writer, kill and write", process.MaxMembers)
	}
	if cfg.Seed == 0 {
		cfg.Seed = uint64(time.Now().UnixNano())
	}
	var err error
	if cfg.Program, err = process.FromPath(cmd.String("bin")); err != nil {
		return failure{err}
	}
	temporary, err := workDir("kill", cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	fmt.Fprintf(stderr, "seed %d, in %s\n", cfg.Seed, cfg.Dir)
	rep, err := torture.Run(ctx, cfg)
	if err != nil {
		return failure{fmt.Errorf("kill: %w; data and logs are in %s", err, cfg.Dir)}
	}
	show(stdout, rep)
	if err := rep.Err(); err != nil {
		return failure{fmt.Errorf("kill: %w; data, logs and journal are in %s", err, cfg.Dir)}
	}
	if temporary {
		if err := os.RemoveAll(cfg.Dir); err != nil {
			return failure{fmt.Errorf("kill: clean up: %w", err)}
		}
	}
	return nil
}

// workDir makes the directory for a command to work in and tells whether it is a temporary
// one. Data of an earlier run would be taken for this one's.
func workDir(command, asked string, dir *string) (temporary bool, err error) {
	if asked == "" {
		*dir, err = os.MkdirTemp("", "holdfast-jepsen-")
		if err != nil {
			return false, fmt.Errorf("%s: make a directory: %w", command, err)
		}
		return true, nil
	}
	*dir = asked
	if err := os.MkdirAll(asked, 0o755); err != nil {
		return false, fmt.Errorf("%s: --dir %s: %w", command, asked, err)
	}
	entries, err := os.ReadDir(asked)
	if err == nil && len(entries) > 0 {
		err = errors.New("not empty; name a new one")
	}
	if err != nil {
		return false, fmt.Errorf("%s: --dir %s: %w", command, asked, err)
	}
	return false, nil
}

// show prints the report.
func show(w io.Writer, r *torture.Report) {
	gaps := slices.Clone(r.Gaps)
	slices.Sort(gaps)
	fmt.Fprintf(w, "confirmed      %d writes: %d keys, %d increments\n", r.Keys+r.Increments, r.Keys, r.Increments)
	fmt.Fprintf(w, "unknown        %d\n", r.Unknown)
	fmt.Fprintf(w, "without effect %d\n", r.Failed)
	fmt.Fprintf(w, "leader killed  %d times\n", r.Kills)
	if n := len(gaps); n > 0 {
		fmt.Fprintf(w, "kill to next confirmed write: median %v, worst %v\n",
			gaps[n/2].Round(time.Millisecond), gaps[n-1].Round(time.Millisecond))
	}
	fmt.Fprintf(w, "history hashes equal on all members at %d log indices: %d\n", len(r.Samples), slices.Sorted(slices.Values(r.Samples)))
	fmt.Fprintf(w, "took           %v\n", r.Took.Round(100*time.Millisecond))
	for i, wrong := range r.Wrong {
		if i == maxShown {
			fmt.Fprintf(w, "BROKEN         and %d more\n", len(r.Wrong)-i)
			break
		}
		fmt.Fprintf(w, "BROKEN         %s\n", wrong)
	}
	if len(r.Wrong) == 0 {
		fmt.Fprintln(w, "every confirmed write is on every member; planted faults were all refused")
	}
}
