package sim

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Only the simulator that made a log owes the same run again: of another one nothing is said about determinism, and the
// run's own verdict stands.
func TestReplayOfAnotherCommit(t *testing.T) {
	play := func(recorded, now string) *Report {
		o := toyOptions(6, "good")
		d := *o.Decisions
		d.Module, d.Commit, d.Hash, d.Untouched = ModuleHash(o.Module), recorded, 1, true // no run has this hash
		o.Decisions, o.Commit = &d, now
		rep, err := Run(t.Context(), o)
		require.NoError(t, err)
		return rep
	}
	for _, c := range []struct {
		recorded, now string
		want          Verdict
	}{
		{"aaaa", "aaaa", VerdictNondeterminism},
		{"", "aaaa", VerdictNondeterminism},
		{"aaaa", "unknown", VerdictNondeterminism},
		{"aaaa", "bbbb", VerdictOK},
		{"aaaa", "aaaa+changes", VerdictOK},
	} {
		rep := play(c.recorded, c.now)
		assert.Equal(t, c.want, rep.Verdict, "%q, then %q", c.recorded, c.now)
		if c.want == VerdictOK {
			assert.Contains(t, rep.Detail, "made by commit "+c.recorded+", and this is "+c.now)
			assert.Contains(t, rep.Detail, "checked: ", "and what it was before")
		}
	}
}

// A log is of a whole run: one that is to stop half-way is not begun, be it drawn or replayed.
func TestNoLogOfPartOfARun(t *testing.T) {
	var log bytes.Buffer
	o := toyOptions(6, "good")
	o.UntilStep, o.Log = 100, &log
	for _, d := range []*Decisions{o.Decisions, nil} {
		o.Nodes, o.Duration, o.Decisions = 3, MinDuration, d
		_, err := Run(t.Context(), o)
		require.ErrorIs(t, err, ErrOptions)
		assert.ErrorContains(t, err, "stop at step 100")
	}
	assert.Zero(t, log.Len())
}

// A destruction that the cluster could not bear at first is put off, and everything is mended for it: its replay does the
// same, from the same moment on.
func TestReplayOfADestructionPutOff(t *testing.T) {
	var log bytes.Buffer
	o := toyOptions(6, "good")
	o.Log = &log
	o.Decisions.Faults = []Fault{
		{ID: 1, Kind: "isolate", At: 6_500_000_000, For: 1_800_000_000, Member: "m1"},
		{ID: 2, Kind: "wipe", At: 7_000_000_000, For: 300_000_000, Member: "m3"},
	}
	first, err := Run(t.Context(), o)
	require.NoError(t, err)
	d, err := ReadDecisions(&log)
	require.NoError(t, err)
	require.Len(t, d.Faults, 2)
	assert.Equal(t, int64(7_000_000_000), d.Faults[1].At, "when it came up first")
	o.Log, o.Decisions = nil, d
	again, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, first.Line(), again.Line())
	assert.Equal(t, 1, again.Counts.Faults["isolate"])
}
