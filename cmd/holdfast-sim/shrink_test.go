package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeRun writes the decision log of a red run with the faults of a seed, and gives its name and the log.
func writeRun(t *testing.T, module string) (string, *sim.Decisions) {
	t.Helper()
	bytesOf, err := os.ReadFile(module)
	require.NoError(t, err)
	o := sim.Options{Seed: 9, Nodes: 5, Duration: 20 * time.Second}
	d := &sim.Decisions{Seed: o.Seed, Module: sim.ModuleHash(bytesOf), Plan: sim.Derive(o), Verdict: sim.VerdictSafety}
	d.Faults = sim.Schedule(o, &d.Plan)
	var b bytes.Buffer
	require.NoError(t, d.Write(&b))
	name := filepath.Join(t.TempDir(), "M99.log")
	require.NoError(t, os.WriteFile(name, b.Bytes(), 0o600))
	return name, d
}

// A log of a guest that crashes whatever happens shrinks to nothing, unattended, and the result plays.
func TestShrinkEndToEnd(t *testing.T) {
	t.Setenv(asCommand, "1")
	module := noGuest(t)
	log, _ := writeRun(t, module)
	out := filepath.Join(t.TempDir(), "small.log")
	code, stdout, stderr := call(t, "shrink", "--module", module, "--cache", t.TempDir(), "--out", out, log)
	require.Zero(t, code, stderr)
	assert.Contains(t, stdout, "5 members, 20s: verdict=crash fired=crash\n")
	assert.Contains(t, stdout, "0 faults, 1 clients (")
	assert.Contains(t, stdout, ", 1 operations a second, 3 members, 5.6s\n")
	assert.Contains(t, stdout, "nothing more can be taken away\n")
	assert.Contains(t, stdout, "holdfast-sim replay --module "+module+" "+out+"\n")
	code, stdout, _ = call(t, "replay", "--module", module, out)
	assert.Equal(t, sim.VerdictCrash.ExitCode(), code)
	assert.Contains(t, stdout, "log untouched")
	assert.Contains(t, stdout, "hash: the recorded one")
}

func TestShrinkBadUsage(t *testing.T) {
	module := noGuest(t)
	log, _ := writeRun(t, module)
	for want, args := range map[string][]string{
		"log: none given":         {},
		"shrink takes one FILE":   {log, log},
		"budget: 0s":              {"--budget", "0s", log},
		"out: open":               {"--out", filepath.Join(t.TempDir(), "none", "small.log"), log},
		"wall: -1s":               {"--wall", "-1s", log},
		"jobs: 0":                 {"--jobs", "0", log},
		"module: open":            {"--passes", "nowhere.wasm", log},
		"name the log's module":   {"--module", otherGuest(t), log},
		"log: open nowhere.log":   {"nowhere.log"},
		"directory: 0 given":      nil,
		"no logs of mutants in i": nil,
	} {
		all := append([]string{"shrink", "--module", module}, args...)
		switch {
		case strings.HasPrefix(want, "directory"):
			all = []string{"shrunk"}
		case args == nil:
			all = []string{"shrunk", t.TempDir()}
		}
		code, _, stderr := call(t, all...)
		assert.Equal(t, exitUsage, code, "%s: %s", want, stderr)
		assert.Contains(t, stderr, want)
	}
}

// The command that proves the shrinker takes the same flags, and refuses the same values.
func TestShrunkBadUsage(t *testing.T) {
	module := noGuest(t)
	log, _ := writeRun(t, module)
	for want, args := range map[string][]string{"budget: 0s": {"--budget", "0s"}, "jobs: 0": {"--jobs", "0"}, "wall: 0s": {"--wall", "0s"}, "M99.wasm": nil} {
		code, _, stderr := call(t, append([]string{"shrunk", "--module", module}, append(args, filepath.Dir(log))...)...)
		assert.Equal(t, exitUsage, code, stderr)
		assert.Contains(t, stderr, want)
	}
}

// otherGuest is another module than noGuest's.
func otherGuest(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "other.wasm")
	require.NoError(t, os.WriteFile(name, []byte("\x00asm\x01\x00\x00\x00\x00\x03\x01x\x00"), 0o600))
	return name
}

// shrinkingOf makes a shrinking whose runs are red if fails says so of what they play, and whose other module's are by clean.
func shrinkingOf(t *testing.T, log string, fails, clean func(d *sim.Decisions) sim.Verdict) *shrinking {
	player := func(verdict func(*sim.Decisions) sim.Verdict) player {
		return func(_ context.Context, s scenario, _ ...string) outcome {
			d, err := openLog(s.decisions)
			require.NoError(t, err)
			o := green(d.Seed)
			if v := verdict(d); v != sim.VerdictOK {
				o = red(d.Seed, v)
			}
			var b bytes.Buffer
			d.Verdict, d.Hash = o.report.Verdict, uint64(o.report.Hash)
			require.NoError(t, d.Write(&b))
			o.scenario, o.log, o.cpu = s, b.Bytes(), time.Second
			return o
		}
	}
	return &shrinking{
		log: log, scenario: scenario{module: "mutant.wasm"}, passes: "clean.wasm", budget: time.Hour, jobs: 1,
		play: player(fails), clean: player(clean), dir: t.TempDir(), bar: newProgress(&bytes.Buffer{}),
	}
}

func count(d *sim.Decisions, kinds ...string) int {
	n := 0
	for i := range d.Faults {
		for _, kind := range kinds {
			if d.Faults[i].Kind == kind {
				n++
			}
		}
	}
	return n
}

// A log that another checker refuses, or that the other build does not pass, is not taken. What was found is proven; each
// claim that does not hold is named.
func TestShrinkKeepsToItsFailure(t *testing.T) {
	module := noGuest(t)
	log, d := writeRun(t, module)
	d.Faults = []sim.Fault{
		{ID: 1, Kind: "kill", At: 3e9, Member: "m1"}, {ID: 2, Kind: "pause", At: 4e9, For: 2e8, Member: "m2"},
		{ID: 3, Kind: "reset", At: 5e9, Member: "m1", Other: "m2"}, {ID: 4, Kind: "hiccup", At: 6e9, For: 2e8, Member: "m1"},
	}
	fails := func(d *sim.Decisions) sim.Verdict {
		switch {
		case count(d, "kill") == 1 && count(d, "pause", "reset") > 0:
			return sim.VerdictSafety
		case count(d, "kill") == 1:
			return sim.VerdictLiveness // it is not the same failure
		}
		return sim.VerdictOK
	}
	clean := func(d *sim.Decisions) sim.Verdict { // it needs the reset, or is red as well
		if count(d, "reset") == 0 {
			return sim.VerdictCrash
		}
		return sim.VerdictOK
	}
	sh := shrinkingOf(t, log, fails, clean)
	var out bytes.Buffer
	small, err := sh.run(t.Context(), d, &out)
	require.NoError(t, err)
	left, err := sim.ReadDecisions(bytes.NewReader(small.log))
	require.NoError(t, err)
	assert.Equal(t, 1, count(left, "kill"))
	assert.Equal(t, 1, count(left, "reset"))
	assert.Len(t, left.Faults, 2)

	p := &proof{}
	require.NoError(t, sh.prove(t.Context(), small, p))
	assert.Equal(t, []string{"without fault 3 (reset) it is liveness in order"}, p.lacking, "without the reset another checker is red")

	whole := red(d.Seed, sim.VerdictSafety)
	var b bytes.Buffer
	for i := range 7 {
		d.Faults = append(d.Faults, sim.Fault{ID: 10 + i, Kind: "clock-step", At: 7e9, Member: "m1"})
	}
	require.NoError(t, d.Write(&b))
	whole.log, whole.report.Hash = b.Bytes(), 5
	sh.clean = sh.play
	p = &proof{}
	require.NoError(t, sh.prove(t.Context(), &whole, p))
	require.GreaterOrEqual(t, len(p.lacking), 4)
	for i, want := range []string{"11 faults; expect 6", "clients; expect 3", "replayed it is safety in order with hash", "the clean build's run is safety"} {
		assert.Contains(t, p.lacking[i], want)
	}
}

// There is nothing to shrink about a green run, and a failure that does not repeat is told.
func TestShrinkNeedsAFailure(t *testing.T) {
	module := noGuest(t)
	log, d := writeRun(t, module)
	ok := func(*sim.Decisions) sim.Verdict { return sim.VerdictOK }
	_, err := shrinkingOf(t, log, ok, ok).run(t.Context(), d, &bytes.Buffer{})
	assert.ErrorContains(t, err, "there is no failure to keep, for its run is ok")

	runs := 0
	once := func(*sim.Decisions) sim.Verdict {
		if runs++; runs > 1 {
			return sim.VerdictOK
		}
		return sim.VerdictSafety
	}
	_, err = shrinkingOf(t, log, once, ok).run(t.Context(), d, &bytes.Buffer{})
	assert.ErrorContains(t, err, "played again it is ok")
}
