package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"
)

// againstRounds is how often each measures. The best counts: whatever else goes on at a machine only slows.
const againstRounds = 3

func benchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "against", Usage: "`DIRECTORY` with the holdfast-sim and the guest.wasm of another build: both play in turns, and the ratio is told"},
		&cli.Float64Flag{Name: "floor", Usage: "with --against, the least `RATIO` of their speeds (default: any)"},
	}
}

// simulator is a program of this kind, of any version, and its guest.
type simulator struct{ program, module string }

// againstFlags reads the two builds that are to be held against each other; no if there is only one.
func againstFlags(c *cli.Command) (own, other simulator, ok bool, err error) {
	dir, floor := c.String("against"), c.Float64("floor")
	switch {
	case dir == "" && c.IsSet("floor"):
		return own, other, false, usagef("floor: %v, and nothing to hold it against; add --against", floor)
	case dir == "":
		return own, other, false, nil
	case floor < 0:
		return own, other, false, usagef("floor: %v; choose a ratio, 1 is as fast", floor)
	}
	if own.program, err = os.Executable(); err != nil {
		return own, other, false, fmt.Errorf("against: find this program: %w", err)
	}
	own.module = c.String("module")
	other = simulator{filepath.Join(dir, "holdfast-sim"), filepath.Join(dir, "guest.wasm")}
	for _, file := range []string{other.program, other.module} {
		if _, err := os.Stat(file); err != nil {
			return own, other, false, usagef("against: %s: %v; name the bin directory of another build, after its make guest", file, errors.Unwrap(err))
		}
	}
	return own, other, true, nil
}

// measured is how fast a simulator is under each load, by the load's name.
type measured map[string]float64

// benchOf calls the bench of a simulator.
type benchOf func(ctx context.Context, s simulator) (measured, error)

// meanLine is what bench prints of a load, in every version.
var meanLine = regexp.MustCompile(`(?m)^(.*\S)\s+mean ([0-9.]+), min `)

// notGreen is what it prints of a seed that was not what was to be measured.
var notGreen = regexp.MustCompile(`(?m)^.*: seed=\S+ verdict=.*$`)

// callBench is benchOf for programs of any version. That one thinks itself too slow is no error: others may use the machine.
func callBench(cache string) benchOf {
	return func(ctx context.Context, s simulator) (measured, error) {
		args := []string{"bench", "--module", s.module}
		if cache != "" {
			args = append(args, "--cache", cache)
		}
		out, err := exec.CommandContext(ctx, s.program, args...).CombinedOutput()
		var status *exec.ExitError
		if err != nil && (!errors.As(err, &status) || status.ExitCode() != exitFailed) {
			return nil, fmt.Errorf("%s %s: %w\n%s", s.program, strings.Join(args, " "), err, out)
		}
		if red := notGreen.Find(out); red != nil {
			return nil, fmt.Errorf("%s bench: %s", s.program, red)
		}
		found := measured{}
		for _, line := range meanLine.FindAllSubmatch(out, -1) {
			if found[string(line[1])], err = strconv.ParseFloat(string(line[2]), 64); err != nil {
				return nil, fmt.Errorf("%s bench: %w", s.program, err)
			}
		}
		return found, nil
	}
}

// holdAgainst has both simulators measure themselves in turns, and gives the exit status: exitFailed if a ratio of their best
// is below floor.
func holdAgainst(ctx context.Context, bench benchOf, own, other simulator, loads []load, floor float64, stdout io.Writer) (int, error) {
	var best [2]measured
	for round := range againstRounds {
		for i, s := range []simulator{own, other} {
			now, err := bench(ctx, s)
			if err != nil {
				return 0, err
			}
			for _, l := range loads {
				if now[l.name] <= 0 {
					return 0, fmt.Errorf("%s bench: nothing about %q", s.program, l.name)
				}
			}
			if round == 0 {
				best[i] = now
			}
			for name, speed := range now {
				best[i][name] = max(best[i][name], speed)
			}
		}
	}
	code := 0
	for _, l := range loads {
		ratio, word := best[0][l.name]/best[1][l.name], "ok"
		if ratio < floor {
			word, code = "too slow", exitFailed
		}
		fmt.Fprintf(stdout, "%-44s mean %.1f, against %.1f: x%.2f; expect x%g at least: %s\n", l.name,
			best[0][l.name], best[1][l.name], ratio, floor, word)
	}
	return code, nil
}
