package sim

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// toyOptions is a run in which the first member is isolated and, later, killed.
func toyOptions(seed uint64, mode string) Options {
	d := decide(&Options{
		Seed: seed, Nodes: 3, Duration: 12 * time.Second, Workloads: []string{"register"}, Faults: []string{},
	})
	d.Faults = []Fault{
		{ID: 1, Kind: "isolate", At: 3e9, For: 1_500_000_000, Member: "m1"},
		{ID: 2, Kind: "kill", At: 6e9, For: 1e9, Member: "m1", N: 20},
	}
	return Options{Module: toy, CacheDir: cacheDir, memberArgs: []string{mode}, Decisions: &d}
}

// Each way in which a store can fail has its verdict; one that does not fail is ok.
func TestVerdicts(t *testing.T) {
	defer goleak.VerifyNone(t)
	for mode, want := range map[string]Verdict{
		"good": VerdictOK, "split": VerdictSafety, "forgetful": VerdictSafety, "stuck": VerdictLiveness, "crash": VerdictCrash,
	} {
		t.Run(mode, func(t *testing.T) {
			var timeline, logs bytes.Buffer
			o := toyOptions(5, mode)
			o.Timeline, o.Logs = &timeline, &logs
			rep, err := Run(t.Context(), o)
			require.NoError(t, err)
			assert.Equal(t, want, rep.Verdict, "%s\n%s\n%s", rep.Detail, &timeline, &logs)
			if mode == "good" {
				assert.Positive(t, rep.Counts.Kills, "choose another seed")
				assert.Positive(t, rep.Counts.Partitions, "choose another seed")
				assert.Greater(t, rep.OK, 100)
				for _, what := range []string{"start", "leader", "isolate", "mend", "killed", "restart", "calm"} {
					assert.Contains(t, timeline.String(), what)
				}
			}
		})
	}
}

// Two runs of a whole scenario are one; a trace of another seed is told apart at its first step that differs.
func TestRunAgainst(t *testing.T) {
	o := toyOptions(6, "good")
	o.Record = true
	first, err := Run(t.Context(), o)
	require.NoError(t, err)
	o.Record, o.Against = false, first.Trace
	second, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, first.Line(), second.Line())
	assert.Nil(t, second.Diverged)

	other := toyOptions(7, "good")
	other.Against = first.Trace
	rep, err := Run(t.Context(), other)
	require.NoError(t, err)
	assert.Equal(t, VerdictNondeterminism, rep.Verdict)
	assert.Contains(t, rep.Detail, "step ")
}

// A decision log plays the run that wrote it; with a fault taken out it is another run, and one that was tampered with is
// told from one that went astray.
func TestReplay(t *testing.T) {
	var log bytes.Buffer
	o := toyOptions(6, "good")
	o.Log = &log
	first, err := Run(t.Context(), o)
	require.NoError(t, err)
	d, err := ReadDecisions(&log)
	require.NoError(t, err)
	require.NotEmpty(t, d.Faults)
	o.Log, o.Decisions = nil, d
	again, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, first.Line(), again.Line())

	edited := *d
	edited.Faults, edited.Untouched = d.Faults[1:], false
	o.Decisions = &edited
	other, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, other.Verdict, other.Detail)
	assert.NotEqual(t, first.Hash, other.Hash)

	edited.Untouched = true // and yet not the run that it says
	astray, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, VerdictNondeterminism, astray.Verdict)
}

// A run can be stopped at a step; then it says where everybody stands.
func TestUntilStep(t *testing.T) {
	var timeline bytes.Buffer
	o := toyOptions(6, "good")
	o.UntilStep, o.Timeline = 20_000, &timeline
	rep, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, rep.Counts.Steps, uint64(20_000))
	assert.Contains(t, timeline.String(), "stands")
	assert.Contains(t, rep.Detail, "stopped at step")
}

// A run whose wall time is up has no verdict but that.
func TestWallTime(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrWallTime)
	rep, err := Run(ctx, toyOptions(6, "good"))
	require.NoError(t, err)
	assert.Equal(t, VerdictTimeout, rep.Verdict)
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// Wall time that runs out in the middle of a turn leaves no process behind: it is given the time to end its turn.
func TestWallTimeInATurn(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	o := toyOptions(6, "good")
	o.HashLog = writerFunc(func(b []byte) (int, error) { // called in a host call of some process
		cancel(ErrWallTime)
		return len(b), nil
	})
	rep, err := Run(ctx, o)
	require.NoError(t, err)
	assert.Equal(t, VerdictTimeout, rep.Verdict)
}

// What cannot be run is refused with the reason.
func TestBadOptions(t *testing.T) {
	for want, o := range map[string]Options{
		"nodes: 2":    {Nodes: 2, Duration: MinDuration, Module: toy},
		"duration: 0": {Nodes: 3, Module: toy},
		"schedule: ":  {Nodes: 3, Duration: MinDuration, Module: toy, Schedule: "fifo"},
		"0 bytes":     {Nodes: 3, Duration: MinDuration},
		"compile":     {Nodes: 3, Duration: MinDuration, Module: []byte("\x00asm, not really")},
	} {
		_, err := Run(t.Context(), o)
		require.ErrorContains(t, err, want)
	}
}

// The verdicts' exit statuses differ from each other and from those of failures and bad usage.
func TestExitCodes(t *testing.T) {
	seen := map[int]bool{1: true, 2: true}
	for _, v := range []Verdict{VerdictOK, VerdictSafety, VerdictLiveness, VerdictCrash, VerdictNondeterminism, VerdictTimeout} {
		assert.False(t, seen[v.ExitCode()], "%s", v)
		seen[v.ExitCode()] = true
	}
	rep := Report{Seed: 0x1f, Module: "ab", Hash: 7, Verdict: VerdictOK}
	assert.Equal(t, "seed=0x1f module=ab hash=0x0000000000000007 verdict=ok", rep.Line())
	assert.False(t, strings.Contains(rep.Line(), "\n"))
}
