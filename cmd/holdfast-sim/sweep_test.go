package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// played makes a sweep of made-up outcomes: those given, and green ones.
func played(t *testing.T, seeds uint64, special map[uint64]outcome) (*sweep, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	return &sweep{
		scenario: scenario{duration: sweepDuration, module: "m.wasm"}, module: "cafe", from: 1, seeds: seeds, jobs: 1,
		keep: filepath.Join(t.TempDir(), "kept"), stdout: &out, bar: newProgress(&bytes.Buffer{}),
		play: func(_ context.Context, s scenario, _ ...string) outcome {
			o, ok := special[s.seed] // by key only
			if !ok {
				o = green(s.seed)
			}
			o.scenario = s
			if o.report != nil {
				o.report.Nodes = s.nodes
			}
			return o
		},
	}, &out
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func TestSweepVerdicts(t *testing.T) {
	dull := green(0)
	dull.report.Stats = sim.Stats{}
	dulls := map[uint64]outcome{}
	for seed := range uint64(requiredFrom + 1) {
		dulls[seed] = dull
	}
	late := map[uint64]outcome{}
	for seed := range uint64(4) {
		late[seed] = undecided(seed)
	}
	untested := outcome{code: 1, report: &report{Verdict: verdictFailed, Detail: "nothing tested"}}
	for name, c := range map[string]struct {
		seeds   uint64
		special map[uint64]outcome
		code    int
		last    string
	}{
		"green":             {25, nil, 0, "sweep from=0x1 seeds=25 green=25 red=0 undecided=0 module=cafe verdict=ok"},
		"the lowest counts": {5, map[uint64]outcome{3: red(3, sim.VerdictLiveness), 4: red(4, sim.VerdictSafety)}, 11, "sweep from=0x1 seeds=5 green=3 red=2 undecided=0 module=cafe verdict=liveness"},
		"a failed run":      {2, map[uint64]outcome{2: untested}, 1, "sweep from=0x1 seeds=2 green=1 red=1 undecided=0 module=cafe verdict=failed"},
		"a lost run":        {2, map[uint64]outcome{1: {code: -1, err: errors.New("killed")}}, 1, "sweep from=0x1 seeds=2 green=1 red=1 undecided=0 module=cafe verdict=failed"},
		"nothing happened":  {requiredFrom, dulls, 1, "sweep from=0x1 seeds=20 green=20 red=0 undecided=0 module=cafe verdict=untested"},
		"few seeds":         {requiredFrom - 1, dulls, 0, "sweep from=0x1 seeds=19 green=19 red=0 undecided=0 module=cafe verdict=ok"},
		"all undecided":     {3, late, 1, "sweep from=0x1 seeds=3 green=0 red=0 undecided=3 module=cafe verdict=untested"},
		"one undecided":     {99, map[uint64]outcome{7: undecided(7)}, 1, "sweep from=0x1 seeds=99 green=98 red=0 undecided=1 module=cafe verdict=untested"},
		"one of few":        {9, map[uint64]outcome{7: undecided(7)}, 1, "sweep from=0x1 seeds=9 green=8 red=0 undecided=1 module=cafe verdict=untested"},
		"one in a hundred":  {100, map[uint64]outcome{7: undecided(7)}, 0, "sweep from=0x1 seeds=100 green=99 red=0 undecided=1 module=cafe verdict=ok"},
	} {
		t.Run(name, func(t *testing.T) {
			sw, out := played(t, c.seeds, c.special)
			code, err := sw.run(t.Context())
			require.NoError(t, err)
			assert.Equal(t, c.code, code)
			assert.Equal(t, c.last, lastLine(out.String()))
		})
	}
}

// Seeds without a verdict are no evidence, however few there are and whatever was asked for: what is lacking is said, with
// the seeds to play again.
func TestSweepWantsDecisions(t *testing.T) {
	sw, out := played(t, 3, map[uint64]outcome{1: undecided(1), 2: undecided(2), 3: undecided(3)})
	sw.scenario.faults = []string{"kill"}
	code, err := sw.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out.String(), "missing: sweep: seeds from 0x1: none of 3 was decided: seeds undecided: 100.0 %; expect 1 % at most; choose ")
	assert.Contains(t, out.String(), "seed=0x2 verdict=timeout fired=limit\n  no verdict in time by: linearizable\n  holdfast-sim run --seed 0x2 ")

	sw, out = played(t, 3, map[uint64]outcome{2: undecided(2)})
	sw.scenario.workloads = []string{"register"}
	code, err = sw.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out.String(), "missing: seeds undecided: 33.3 %; expect 1 % at most\n")

	sw, out = played(t, 50, map[uint64]outcome{1: undecided(1)}) // time runs out after the first
	play := sw.play
	sw.play = func(ctx context.Context, s scenario, extra ...string) outcome {
		sw.limit = 1
		return play(ctx, s, extra...)
	}
	code, err = sw.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out.String(), "1 of 50 seeds were played\n")
	assert.Contains(t, lastLine(out.String()), "undecided=1 module=cafe verdict=untested")

	bad := red(2, sim.VerdictSafety)
	sw, out = played(t, 2, map[uint64]outcome{1: undecided(1), 2: bad})
	code, err = sw.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 10, code, "what was found counts")
	assert.Contains(t, lastLine(out.String()), "verdict=safety")
}

// Even seeds have three members and odd ones five, unless a number is given.
func TestSweepAlternatesMembers(t *testing.T) {
	for given, want := range map[int][]int{0: {5, 3, 5}, 4: {4, 4, 4}} {
		sw, _ := played(t, 3, nil)
		sw.scenario.nodes = given
		var got []int
		sw.play = func(_ context.Context, s scenario, _ ...string) outcome {
			got = append(got, s.nodes)
			return green(s.seed)
		}
		_, err := sw.run(t.Context())
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// A failing seed is told with the commands that play it again, and what it left is kept.
func TestSweepKeepsFailures(t *testing.T) {
	bad := red(3, sim.VerdictSafety)
	bad.output, bad.log = []byte("last words\n"), []byte("a log\n")
	sw, out := played(t, 4, map[uint64]outcome{3: bad})
	sw.scenario.faults = []string{"kill", "rot"}
	code, err := sw.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 10, code)
	log := filepath.Join(sw.keep, "0x3-5n.log")
	assert.Contains(t, out.String(), "seed=0x3 verdict=safety fired=order\n  checker order:\n    lost\n"+
		"  holdfast-sim run --seed 0x3 --nodes 5 --duration 1m0s --faults kill,rot --module m.wasm\n"+
		"  holdfast-sim replay --module m.wasm "+log+"\n")
	for name, want := range map[string]string{log: "a log\n", filepath.Join(sw.keep, "0x3-5n.out"): "last words\n"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}

	sw, _ = played(t, 4, map[uint64]outcome{3: bad})
	sw.keep = filepath.Join(log, "below a file")
	_, err = sw.run(t.Context())
	require.ErrorContains(t, err, "keep seed 0x3")
}

func TestSweepEndsEarly(t *testing.T) {
	sw, out := played(t, 9, map[uint64]outcome{2: red(2, sim.VerdictCrash)})
	sw.stopAtFirst = true
	code, err := sw.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 12, code)
	assert.Contains(t, out.String(), "2 of 9 seeds were played\n")

	sw, out = played(t, 9, nil)
	sw.limit = 1 // over before it begins
	code, err = sw.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, exitFailed, code, "a sweep that played nothing is not green")
	assert.Contains(t, out.String(), "missing: sweep: seeds from 0x1: none was played to its end; give them time")
	assert.Contains(t, out.String(), "verdict=untested\n")

	ctx, cancel := context.WithCancel(t.Context())
	sw, out = played(t, 9, nil)
	play := sw.play
	sw.play = func(ctx context.Context, s scenario, extra ...string) outcome {
		if s.seed == 3 {
			cancel()
		}
		return play(ctx, s, extra...)
	}
	code, err = sw.run(ctx)
	require.NoError(t, err)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, lastLine(out.String()), "seeds=2 green=2 red=0 undecided=0 module=cafe verdict=interrupted")
}

// The whole way through processes: their reports, logs and exit statuses come back.
func TestSweepInProcesses(t *testing.T) {
	t.Setenv(asCommand, "1")
	keep := t.TempDir()
	code, stdout, stderr := call(t, "sweep", "--from", "0x10", "--seeds", "2", "--duration", "8s", "--module", noGuest(t), "--cache", t.TempDir(), "--keep", keep)
	assert.Equal(t, 12, code, stderr)
	assert.Contains(t, stdout, "seed=0x10 verdict=crash fired=crash\n")
	assert.Contains(t, stdout, "seed=0x11 verdict=crash fired=crash\n")
	assert.Contains(t, lastLine(stdout), "sweep from=0x10 seeds=2 green=0 red=2 undecided=0 module=")
	said, err := os.ReadFile(filepath.Join(keep, "0x11-5n.out"))
	require.NoError(t, err)
	assert.Contains(t, string(said), "verdict=crash")

	log := filepath.Join(keep, "0x10-3n.log")
	_, err = os.Stat(log)
	require.NoError(t, err)
}
