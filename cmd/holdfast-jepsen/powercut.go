//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/jepsen/powercut"
	"holdfast/jepsen/process"
)

// diskCommands break disks, and count what a process holds.
func diskCommands(stdout, stderr io.Writer) []*cli.Command {
	return []*cli.Command{powercutCommand(stdout, stderr), diskFaultsCommand(stdout, stderr), hostileCommand(stdout, stderr)}
}

func powercutCommand(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:  "powercut",
		Usage: "cut the power under a member and look for lost writes",
		Description: `Starts a member built with the tag "faults", lets clients write, ends it
between a write and its sync, damages what had not been synced as a power cut
may, and starts it again, over and over. Then does the same with members that
leave a sync out, which must be found out.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bin", Value: "bin/holdfast-faults", Usage: "daemon to run: holdfast `FILE` built with the tag faults"},
			&cli.StringFlag{Name: "dir", Usage: "`DIRECTORY` for data, records and logs, which must be empty or new; default: a temporary one, kept only on failure"},
			&cli.IntFlag{Name: "rounds", Value: 200, Usage: "`NUMBER` of power cuts"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of all draws; default: from the clock"},
		},
		OnUsageError: func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return cutPower(ctx, cmd, stdout, stderr)
		},
	}
}

func cutPower(ctx context.Context, cmd *cli.Command, stdout, stderr io.Writer) error {
	if cmd.Args().Present() {
		return fmt.Errorf("powercut: %q: takes no arguments", cmd.Args().First())
	}
	cfg := powercut.Config{Rounds: cmd.Int("rounds"), Seed: cmd.Uint64("seed"), Progress: stderr}
	if cfg.Rounds < 1 {
		return fmt.Errorf("powercut: --rounds %d: out of range: at least 1", cfg.Rounds)
	}
	if cfg.Seed == 0 {
		cfg.Seed = uint64(time.Now().UnixNano())
	}
	var err error
	if cfg.Program, err = process.FromPath(cmd.String("bin")); err != nil {
		return failure{err}
	}
	temporary, err := workDir("powercut", cmd.String("dir"), &cfg.Dir)
	if err != nil {
		return failure{err}
	}
	fmt.Fprintf(stdout, "seed %d\n", cfg.Seed)
	rep, err := powercut.Run(ctx, cfg)
	if err == nil {
		showCuts(stdout, rep)
		err = rep.Err()
	}
	if err == nil {
		err = plantCuts(ctx, cfg, stdout)
	}
	if err != nil {
		return failure{fmt.Errorf("powercut: %w; data, records and logs are in %s", err, cfg.Dir)}
	}
	if temporary {
		if err := os.RemoveAll(cfg.Dir); err != nil {
			return failure{fmt.Errorf("powercut: clean up: %w", err)}
		}
	}
	return nil
}

// plantCuts leaves syncs out, and fails if nothing gives that away.
func plantCuts(ctx context.Context, cfg powercut.Config, stdout io.Writer) error {
	all, err := powercut.Plant(ctx, cfg)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Found == "" {
			return fmt.Errorf("without %s nothing was found wrong in %d cuts: the rounds prove nothing", p.Name, p.Cuts)
		}
		found, _, _ := strings.Cut(p.Found, "\n")
		fmt.Fprintf(stdout, "planted: without %s: found after %d cuts: %.160s\n", p.Name, p.Cuts, found)
	}
	return nil
}

func showCuts(w io.Writer, r *powercut.Report) {
	fmt.Fprintf(w, "power cuts     %d, %d of them over an unsynced tail of the log\n", r.Rounds, r.Tails)
	fmt.Fprintf(w, "starts         %d compared with what was acknowledged; the other cuts came during the start\n", r.Starts)
	fmt.Fprintf(w, "acknowledged   %d writes; %d keys compared after cuts\n", r.Acknowledged, r.Compared)
	for _, name := range slices.Sorted(maps.Keys(r.Cuts)) {
		fmt.Fprintf(w, "cut            %s: %d\n", name, r.Cuts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(r.Damage)) {
		fmt.Fprintf(w, "damage         %s: %d\n", name, r.Damage[name])
	}
	fmt.Fprintf(w, "took           %v\n", r.Took.Round(100*time.Millisecond))
	if r.Wrong == "" {
		fmt.Fprintln(w, "after every cut it was whole and started, and nothing acknowledged was missing")
	}
}
