package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

func TestReportSurvivesTheWay(t *testing.T) {
	sent := green(0xffffffffffffffff).report
	sent.Hash = 0x8000000000000001
	text, err := json.Marshal(sent)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"hash":"0x8000000000000001"`)
	var got report
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, *sent, got)
	require.Error(t, json.Unmarshal([]byte(`{"seed":"xyz"}`), &got))
}

// A run that failed leaves a report too, which is not green, and its error is not lost.
func TestReportOfAFailedRun(t *testing.T) {
	name := filepath.Join(t.TempDir(), "report.json")
	err := writeReport(name, scenario{seed: 7, nodes: 3}, sim.Options{}, nil, sim.ErrUntested)
	require.ErrorIs(t, err, sim.ErrUntested)
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	var got report
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, verdictFailed, got.Verdict)
	assert.Equal(t, sim.ErrUntested.Error(), got.Detail)

	require.ErrorContains(t, writeReport(filepath.Join(name, "below"), scenario{}, sim.Options{}, &sim.Report{}, nil), "write report")
	require.NoError(t, writeReport("", scenario{}, sim.Options{}, nil, nil))
}

// What args writes, run reads as the same scenario.
func TestArgsRoundTrip(t *testing.T) {
	for _, want := range []scenario{
		{seed: 1, nodes: 3, duration: time.Minute, module: defaultModule},
		{seed: 1 << 63, nodes: 7, duration: 8 * time.Second, module: "m.wasm", workloads: []string{"register", "ttl"}, faults: []string{}, ops: 50},
		{seed: 2, nodes: 3, duration: time.Minute, module: defaultModule, before: "before.wasm"},
		{seed: 0, nodes: 5, duration: 90 * time.Second, module: "a b.wasm", workloads: []string{}, faults: []string{"kill"}},
	} {
		var got scenario
		c := &cli.Command{
			Name: "run", Flags: append(append(seedFlags(), scenarioFlags(3, defaultDuration)...), append(moduleFlags(), beforeFlags()...)...),
			Action: func(_ context.Context, c *cli.Command) (err error) {
				if got, err = readScenario(c); err == nil {
					got.seed, err = readSeed(c, "seed")
				}
				return err
			},
		}
		require.NoError(t, c.Run(t.Context(), append([]string{"run"}, want.args()...)))
		want.wall = 10 * time.Minute
		assert.Equal(t, want, got)
	}
}

func TestTailKeepsTheLast(t *testing.T) {
	w := &tail{max: 8}
	for _, text := range []string{"abc", "defghij", "", "klmnopqrstuvwxyz", "!"} {
		n, err := w.Write([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, len(text), n)
	}
	assert.Equal(t, "tuvwxyz!", string(w.kept))
}

func TestEachBoundsJobs(t *testing.T) {
	running, most := make(chan struct{}, 2), 0
	next, done := 0, 0
	each(t.Context(), 2,
		func() (int, bool) { next++; return next, next <= 20 },
		func(job int) int {
			select {
			case running <- struct{}{}:
			default:
				return -1 // more than two at a time
			}
			<-running
			return job
		},
		func(r int) {
			done++
			most = min(most, r)
		}, func() {})
	assert.Equal(t, 20, done)
	assert.Zero(t, most)
}

// A seed that differs from itself ends the proof, and its step is named.
func TestDeterminism(t *testing.T) {
	different := outcome{code: 13, report: &report{Verdict: sim.VerdictNondeterminism, Detail: "first difference: step 77"}}
	for bad, want := range map[uint64]int{0: 0, 3: 13} {
		var out bytes.Buffer
		code, err := sameTwice(t.Context(), seedRange{module: "cafe", from: 1, seeds: 5, jobs: 1}, func(_ context.Context, s scenario, _ ...string) outcome {
			o := green(s.seed)
			if s.seed == bad {
				o = different
			}
			o.scenario = s
			return o
		}, &out)
		require.NoError(t, err)
		assert.Equal(t, want, code)
		assert.Equal(t, bad != 0, strings.Contains(out.String(), "step 77"))
		assert.Equal(t, bad != 0, !strings.Contains(out.String(), "equal=5"))
	}
}

// A seed on which a checker is late is compared, and counted.
func TestDeterminismWithoutAChecker(t *testing.T) {
	var out bytes.Buffer
	code, err := sameTwice(t.Context(), seedRange{module: "cafe", from: 1, seeds: 3, jobs: 1}, func(_ context.Context, s scenario, _ ...string) outcome {
		o := green(s.seed)
		o.scenario = s
		if s.seed == 2 {
			o.report.CheckTimeouts, o.report.Verdict, o.report.Fired = 1, sim.VerdictTimeout, sim.FiredLimit
		}
		return o
	}, &out)
	require.NoError(t, err)
	assert.Zero(t, code)
	assert.Contains(t, out.String(), " twice, checkers that did not end in time: 1\n")
	assert.Equal(t, "determinism from=0x1 seeds=3 equal=3 undecided=1 module=cafe verdict=ok", lastLine(out.String()))
}

// Two runs are held against each other unless one of them ended badly. That a checker was late is no such end, but stays the
// verdict of runs that are the same.
func TestSmokeWithoutAChecker(t *testing.T) {
	ok := sim.Report{Verdict: sim.VerdictOK}
	late := sim.Report{Verdict: sim.VerdictTimeout, Fired: sim.FiredLimit, CheckTimeouts: 1}
	given := sim.Report{Verdict: sim.VerdictTimeout}
	bad := sim.Report{Verdict: sim.VerdictSafety, Fired: "order", CheckTimeouts: 1}
	different := sim.Report{Verdict: sim.VerdictNondeterminism}
	for _, c := range []struct {
		name          string
		first, second sim.Report
		runs          int
		want          sim.Verdict
		timeouts      int
	}{
		{"green", ok, ok, 2, sim.VerdictOK, 0},
		{"late twice", late, late, 2, sim.VerdictTimeout, 1},
		{"late at first", late, ok, 2, sim.VerdictTimeout, 1},
		{"late the second time", ok, late, 2, sim.VerdictTimeout, 1},
		{"late, and different", late, different, 2, sim.VerdictNondeterminism, 1},
		{"out of real time", given, ok, 1, sim.VerdictTimeout, 0},
		{"out of real time later", late, given, 2, sim.VerdictTimeout, 1},
		{"a finding", bad, ok, 1, sim.VerdictSafety, 1},
		{"a finding later", late, bad, 2, sim.VerdictSafety, 1},
	} {
		runs := 0
		play := func(rep sim.Report) func(sim.Options) (*sim.Report, error) {
			return func(o sim.Options) (*sim.Report, error) {
				assert.Equal(t, runs == 0, o.Record, c.name)
				runs++
				return &rep, nil
			}
		}
		var out bytes.Buffer
		rep, err := sameRun(sim.Options{}, &out, play(c.first), play(c.second))
		require.NoError(t, err)
		assert.Equal(t, c.want, rep.Verdict, c.name)
		assert.Equal(t, c.runs, runs, c.name)
		assert.Equal(t, c.timeouts, rep.CheckTimeouts, c.name)
	}
}

func TestBench(t *testing.T) {
	fast := func(_ context.Context, s scenario, _ ...string) outcome { return green(s.seed) } // 12 virtual s per CPU s
	var out bytes.Buffer
	long := scenario{nodes: 3, duration: time.Hour} // longer than what is played
	code, err := bench(t.Context(), fast, &out, []load{{"work", long, 8}})
	require.NoError(t, err)
	assert.Zero(t, code)
	assert.Contains(t, out.String(), "mean 12.0, min 12.0, median 12.0, max 12.0; expect 8 at least: ok\n")

	code, err = bench(t.Context(), fast, &out, []load{{"idle", long, 60}, {"work", long, 8}})
	require.NoError(t, err)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out.String(), "expect 60 at least: too slow\n")

	code, err = bench(t.Context(), func(_ context.Context, s scenario, _ ...string) outcome { return red(s.seed, sim.VerdictSafety) },
		&out, []load{{"work", long, 8}})
	require.NoError(t, err)
	assert.Equal(t, exitFailed, code, "fast, but not what was to be measured")

	_, err = bench(t.Context(), func(_ context.Context, s scenario, _ ...string) outcome {
		return outcome{code: -1, err: errors.New("killed")}
	}, &out, []load{{"work", long, 8}})
	require.ErrorContains(t, err, "killed")
}
