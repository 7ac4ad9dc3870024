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

func toyOptions(seed uint64, mode string) Options {
	return Options{Seed: seed, Nodes: 3, Duration: 10 * time.Second, Module: toy, CacheDir: cacheDir, memberArgs: []string{mode}}
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
			require.True(t, Derive(o).KillLeader, "choose a seed that kills the first member")
			rep, err := Run(t.Context(), o)
			require.NoError(t, err)
			assert.Equal(t, want, rep.Verdict, "%s\n%s\n%s", rep.Detail, &timeline, &logs)
			if mode == "good" {
				assert.Equal(t, 1, rep.Counts.Kills)
				assert.Equal(t, 1, rep.Counts.Partitions)
				assert.Greater(t, rep.OK, 100)
				for _, what := range []string{"start", "leader term=1", "isolate", "mend", "killed", "restart", "calm"} {
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

	o.Seed = 7
	other, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, VerdictNondeterminism, other.Verdict)
	assert.Contains(t, other.Detail, "step ")
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
