package mutant

import (
	"context"
	"errors"
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

var errFull = errors.New("disk full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }
