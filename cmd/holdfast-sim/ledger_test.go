package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// playedWith is a sweep of made-up outcomes with a ledger; it counts which seeds it really plays.
func playedWith(t *testing.T, name string, seeds uint64, special map[uint64]outcome) (*sweep, *[]uint64, func() string) {
	t.Helper()
	sw, out := played(t, seeds, special)
	l, err := openLedger(name, sw.head(), sw.scenario.duration)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.close()) })
	var really []uint64
	play := sw.play
	sw.ledger = l
	sw.play = func(ctx context.Context, s scenario, extra ...string) outcome {
		really = append(really, s.seed)
		return play(ctx, s, extra...)
	}
	return sw, &really, func() string { return lastLine(out.String()) }
}

// What was green is not played again and counts as if it had been; what was not is played again.
func TestSweepResumes(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger")
	first, really, last := playedWith(t, name, 4, map[uint64]outcome{2: red(2, sim.VerdictSafety), 3: undecided(3)})
	_, err := first.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []uint64{1, 2, 3, 4}, *really)
	assert.Equal(t, "sweep from=0x1 seeds=4 green=2 red=1 undecided=1 module=cafe verdict=safety", last())

	again, really, last := playedWith(t, name, 6, nil)
	_, err = again.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []uint64{2, 3, 5, 6}, *really)
	assert.Equal(t, "sweep from=0x1 seeds=6 green=6 red=0 undecided=0 module=cafe verdict=ok", last())
	whole, _ := played(t, 6, nil)
	_, err = whole.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, whole.totals, again.totals)
}

func TestLedgerCutOff(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger")
	sw, _, _ := playedWith(t, name, 3, nil)
	_, err := sw.run(t.Context())
	require.NoError(t, err)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(name, text[:len(text)-7], 0o644))

	again, really, last := playedWith(t, name, 3, nil)
	_, err = again.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []uint64{3}, *really)
	assert.Equal(t, "sweep from=0x1 seeds=3 green=3 red=0 undecided=0 module=cafe verdict=ok", last())
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(after))
}

func TestLedgerOfAnotherSweep(t *testing.T) {
	head := ledgerHead{Module: "cafe", Flags: "--nodes 3"}
	for name, c := range map[string]struct{ text, message string }{
		"another module": {`{"module":"beef","flags":"--nodes 3"}` + "\n", `line 1: it is of module "beef", commit "" and "--nodes 3", not of "cafe"`},
		"other flags":    {`{"module":"cafe","flags":"--nodes 5"}` + "\n", `line 1: it is of module "cafe", commit "" and "--nodes 5", not of`},
		"other sources":  {`{"module":"cafe","commit":"f00","flags":"--nodes 3"}` + "\n", `commit "f00"`},
		"no ledger":      {"hello\n", "line 1: invalid character"},
		"no line":        {"{}", "no ledger; name the ledger of this sweep"},
		"a red seed":     {`{"module":"cafe","flags":"--nodes 3"}` + "\n" + `{"report":{"verdict":"safety"}}` + "\n", "line 2: not a green seed; name the ledger of this sweep"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ledger")
			require.NoError(t, os.WriteFile(file, []byte(c.text), 0o644))
			_, err := openLedger(file, head, sweepDuration)
			require.ErrorContains(t, err, c.message)
			assert.ErrorAs(t, err, new(usageError))
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, c.text, string(after), "it is left as it was")
		})
	}
	_, err := openLedger(filepath.Join(t.TempDir(), "none", "ledger"), head, sweepDuration)
	require.ErrorContains(t, err, "resume:")
}
