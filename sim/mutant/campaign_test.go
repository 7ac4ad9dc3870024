package mutant

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// redAt plays greens of ten CPU seconds up to a seed that is red.
func redAt(red uint64, verdict sim.Verdict) Play {
	return func(_ context.Context, _ string, seed uint64) (Outcome, error) {
		o := Outcome{Verdict: sim.VerdictOK, CPU: 10 * time.Second}
		if seed == red {
			o.Verdict, o.Checker, o.Detail = verdict, "linearizable", "key /a: lost"
		}
		return o, nil
	}
}

func TestHuntStopsAtTheFirstRed(t *testing.T) {
	for _, verdict := range []sim.Verdict{sim.VerdictSafety, sim.VerdictLiveness, sim.VerdictCrash} {
		var told []uint64
		c := Campaign{Play: redAt(104, verdict), First: 100, Played: func(seed uint64, _ Outcome) { told = append(told, seed) }}
		s, err := c.Hunt(t.Context(), "m.wasm")
		require.NoError(t, err)
		assert.True(t, s.Caught)
		assert.Equal(t, 5, s.Seeds)
		assert.Equal(t, uint64(104), s.Seed)
		assert.Equal(t, 50*time.Second, s.CPU)
		assert.Equal(t, verdict, s.Outcome.Verdict)
		assert.Equal(t, "linearizable", s.Outcome.Checker)
		assert.Equal(t, []uint64{100, 101, 102, 103, 104}, told)
	}
}

// A run without a conclusion catches nobody, and is not passed over in silence.
func TestHuntDoesNotCountTheUndecided(t *testing.T) {
	for _, verdict := range []sim.Verdict{sim.VerdictTimeout, sim.VerdictNondeterminism} {
		s, err := Campaign{Play: redAt(2, verdict), Budget: 40 * time.Second}.Hunt(t.Context(), "m.wasm")
		require.NoError(t, err)
		assert.False(t, s.Caught)
		assert.Equal(t, 4, s.Seeds)
		assert.Equal(t, 1, s.Undecided)
	}
}

func TestHuntSpendsItsBudget(t *testing.T) {
	s, err := Campaign{Play: redAt(1_000_000, sim.VerdictSafety)}.Hunt(t.Context(), "m.wasm")
	require.NoError(t, err)
	assert.False(t, s.Caught)
	assert.Equal(t, 18, s.Seeds)
	assert.Equal(t, DefaultBudget, s.CPU)

	s, err = Campaign{Play: redAt(0, sim.VerdictSafety), Budget: time.Nanosecond}.Hunt(t.Context(), "m.wasm")
	require.NoError(t, err)
	assert.True(t, s.Caught, "one seed is played whatever the budget")

	free := func(context.Context, string, uint64) (Outcome, error) { return Outcome{Verdict: sim.VerdictOK}, nil }
	s, err = Campaign{Play: free}.Hunt(t.Context(), "m.wasm")
	require.NoError(t, err)
	assert.Equal(t, maxSeeds, s.Seeds, "runs that cost nothing end too")
}

func TestHuntFails(t *testing.T) {
	broken := errors.New("no such module")
	plays := 0
	c := Campaign{First: 16, Play: func(context.Context, string, uint64) (Outcome, error) {
		if plays++; plays == 3 {
			return Outcome{}, broken
		}
		return Outcome{Verdict: sim.VerdictOK}, nil
	}}
	s, err := c.Hunt(t.Context(), "m.wasm")
	require.ErrorIs(t, err, ErrCampaign)
	require.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "0x12")
	assert.Equal(t, 2, s.Seeds)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Hunt(ctx, "m.wasm")
	require.ErrorIs(t, err, context.Canceled)
}

func TestWriteTable(t *testing.T) {
	caught := Score{
		Seeds: 3, Seed: 0x2a, CPU: 12340 * time.Millisecond, Caught: true,
		Outcome: Outcome{Verdict: sim.VerdictSafety, Checker: "order|linearizable"},
	}
	r := &Report{
		Budget: DefaultBudget, Command: "make mutants", Clean: Score{Seeds: 300, CPU: time.Hour, Undecided: 1},
		Rows: []Row{
			{Mutant{ID: "M01", Fault: "reads are\nstale", Known: "etcd"}, caught},
			{Mutant{ID: "M02", Fault: "nothing", Known: "nobody"}, Score{Seeds: 18, CPU: DefaultBudget}},
		},
	}
	var b strings.Builder
	require.NoError(t, WriteTable(&b, r))
	page := b.String()
	assert.Contains(t, page, "| M01 | reads are stale | etcd | safety | order\\|linearizable | 3 | 12.3 s | `0x2a` |\n")
	assert.Contains(t, page, "| M02 | nothing | nobody | survived |  | 18 | 180.0 s |  |\n")
	assert.Contains(t, page, "Caught: 1 of 2. Survived: 1")
	assert.Contains(t, page, "## Survivors\n\n- **M02**: Not known why")
	assert.Contains(t, page, "300 seeds, none red, in 3600.0 s of CPU time.")
	assert.Contains(t, page, "without a conclusion, mutants' included: 1")

	r.Clean = Score{Seeds: 1, Seed: 7, Caught: true, Outcome: Outcome{Verdict: sim.VerdictCrash, Checker: "crash", Detail: "m1 ended"}}
	b.Reset()
	require.NoError(t, WriteTable(&b, r))
	assert.Contains(t, b.String(), "Red with seed `0x7`: crash, crash: m1 ended")

	require.ErrorIs(t, WriteTable(full{}, r), errFull)
}

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
