package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/sim"
	"holdfast/sim/mutant"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var twoMutants = []mutant.Mutant{{ID: "M02", Fault: "two"}, {ID: "M01", Fault: "one"}}

// hunting makes a hunt in which a run of the module named like the mutant is red from the seed given on; each takes 5 s.
func hunting(t *testing.T, redFrom map[string]uint64) (*hunt, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	return &hunt{
		scenario: scenario{duration: mutantDuration, module: "clean.wasm"},
		campaign: mutant.Campaign{First: 0x10, Budget: 20 * time.Second}, campaigns: 1,
		jobs: 1, dir: t.TempDir(), stdout: &out, bar: newProgress(&bytes.Buffer{}),
		build: func(_ context.Context, _ mutant.Mutant, out string) error { return os.WriteFile(out, nil, 0o600) },
		play: func(_ context.Context, s scenario, extra ...string) outcome {
			o := green(s.seed)
			from, spoilt := redFrom[filepath.Base(s.module)] // by key only
			if spoilt && s.seed >= from && len(extra) == 0 {
				o = red(s.seed, sim.VerdictSafety)
				o.log = []byte("a log\n")
			}
			o.scenario = s
			return o
		},
	}, &out
}

func TestHuntCatchesAll(t *testing.T) {
	h, out := hunting(t, map[string]uint64{"M01.wasm": 0x10, "M02.wasm": 0x12})
	h.keep = true
	var page mutant.Report
	ok, err := h.run(t.Context(), twoMutants, &page)
	require.NoError(t, err)
	assert.True(t, ok)
	require.Len(t, page.Rows, 2)
	assert.Equal(t, "M01", page.Rows[0].ID)
	require.Len(t, page.Rows[0].Scores, 1)
	assert.Equal(t, 1, page.Rows[0].Scores[0].Seeds)
	assert.Equal(t, 3, page.Rows[1].Scores[0].Seeds)
	assert.Equal(t, uint64(0x12), page.Rows[1].Scores[0].Seed)
	assert.Equal(t, mutant.Score{Seeds: 3, CPU: 15 * time.Second}, page.Clean, "every seed that was spent, once")
	assert.Contains(t, out.String(), "M02  3 seeds, 0 undecided, 15.0 CPU s: caught by seed=0x12 verdict=safety fired=order\n")
	log, err := os.ReadFile(filepath.Join(h.dir, "M02.log"))
	require.NoError(t, err)
	assert.Equal(t, "a log\n", string(log))
}

// Each campaign has seeds of its own, and the clean module plays those of all of them.
func TestHuntInCampaigns(t *testing.T) {
	h, out := hunting(t, map[string]uint64{"M01.wasm": 0x10, "M02.wasm": 0x10 + mutant.Apart + 2})
	h.campaigns, h.keep = 3, true
	var page mutant.Report
	ok, err := h.run(t.Context(), twoMutants, &page)
	require.NoError(t, err)
	assert.True(t, ok, "both were caught, if not by every campaign")
	require.Len(t, page.Rows, 2)
	var seeds []uint64
	for _, s := range page.Rows[1].Scores {
		seeds = append(seeds, s.Seed)
	}
	assert.Equal(t, []uint64{0x13, 0x10 + mutant.Apart + 2, 0x10 + 2*mutant.Apart}, seeds)
	assert.Equal(t, []int{3, 2}, []int{page.Rows[0].Caught(), page.Rows[1].Caught()})
	assert.Equal(t, mutant.Score{Seeds: 4 + 3 + 1, CPU: 40 * time.Second}, page.Clean)
	assert.Contains(t, out.String(), "M02  4 seeds, 0 undecided, 20.0 CPU s: survived\nM02  3 seeds, 0 undecided, 15.0 CPU s: caught by seed=0x100012 ")
	assert.FileExists(t, filepath.Join(h.dir, "M02.log"))
}

// So many may survive, and so many clean runs may come to no conclusion.
func TestHuntAllows(t *testing.T) {
	h, _ := hunting(t, map[string]uint64{"M01.wasm": 0x10})
	h.maxMissed = 1
	ok, err := h.run(t.Context(), twoMutants, &mutant.Report{})
	require.NoError(t, err)
	assert.True(t, ok)

	h, _ = hunting(t, map[string]uint64{"M01.wasm": 0x10, "M02.wasm": 0x10})
	play := h.play
	h.play = func(ctx context.Context, s scenario, extra ...string) outcome {
		o := play(ctx, s, extra...)
		if s.module == "clean.wasm" {
			o.report.Verdict = sim.VerdictTimeout
		}
		return o
	}
	ok, err = h.run(t.Context(), twoMutants, &mutant.Report{})
	require.NoError(t, err)
	assert.False(t, ok, "one of one")
}

// A survivor fails the hunt, and so does a clean module that is red on a seed spent on a mutant.
func TestHuntFails(t *testing.T) {
	h, out := hunting(t, map[string]uint64{"M01.wasm": 0x10})
	var page mutant.Report
	ok, err := h.run(t.Context(), twoMutants, &page)
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Equal(t, 1, page.Caught())
	assert.Equal(t, 4, page.Clean.Seeds)
	assert.Contains(t, out.String(), "M02  4 seeds, 0 undecided, 20.0 CPU s: survived\n")

	h, out = hunting(t, map[string]uint64{"M01.wasm": 0, "M02.wasm": 0, "clean.wasm": 0x10})
	page = mutant.Report{}
	ok, err = h.run(t.Context(), twoMutants, &page)
	require.NoError(t, err)
	assert.False(t, ok)
	assert.Equal(t, 2, page.Caught())
	assert.True(t, page.Clean.Caught)
	assert.Contains(t, out.String(), "clean module: seed=0x10 verdict=safety fired=order\n")

	stale := errors.New("stale")
	h, _ = hunting(t, nil)
	h.build = func(context.Context, mutant.Mutant, string) error { return stale }
	_, err = h.run(t.Context(), twoMutants, &page)
	require.ErrorIs(t, err, stale)
}

// A run that came to nothing catches nobody; one that left no report at all ends the hunt.
func TestOutcomeOf(t *testing.T) {
	out, err := outcomeOf(&outcome{code: 1, report: &report{Verdict: verdictFailed, Detail: "nothing tested\nmore"}})
	require.NoError(t, err)
	assert.False(t, out.Red())
	assert.Equal(t, "nothing tested", out.Detail)
	killed := errors.New("killed")
	_, err = outcomeOf(&outcome{code: -1, err: killed})
	require.ErrorIs(t, err, killed)
}
