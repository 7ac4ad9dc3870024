package floors

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// A row holds if every ratio that has a floor was measured and reaches it.
func TestErr(t *testing.T) {
	at := func(x float64) *Spread { return &Spread{x / 2, x, x * 2} }
	both := Row{Name: "PUT", Members: 1, Connections: 64, PerSecond: 2, PerCPU: 3}
	for _, c := range []struct {
		name string
		r    Result
		want string // empty: it holds
	}{
		{"both reached", Result{Row: both, Throughput: at(2), CPU: at(3.1)}, ""},
		{"throughput below", Result{Row: both, Throughput: at(1.99), CPU: at(3)}, "PUT, 1 members, 64 connections: throughput: below its floor: ×1.99, at least ×2.00"},
		{"CPU below", Result{Row: both, Throughput: at(2), CPU: at(2.5)}, "per CPU second: below its floor: ×2.50, at least ×3.00"},
		{"CPU not measured", Result{Row: both, Throughput: at(2)}, "per CPU second: below its floor: not measured"},
		{"nothing measured", Result{Row: both, Throughput: at(2), CPU: at(3), Missing: errors.New("it ended")}, "not measured: it ended"},
		{"no floor", Result{Row: Row{Name: "PUT"}}, ""},
	} {
		err := c.r.Err()
		var out bytes.Buffer
		require.NoError(t, Report{c.r}.Write(&out))
		if c.want == "" {
			assert.NoError(t, err, c.name)
			assert.Contains(t, out.String(), "holds", c.name)
			continue
		}
		require.ErrorIs(t, err, ErrBelow, c.name)
		assert.ErrorContains(t, err, c.want, c.name)
		assert.ErrorIs(t, Report{c.r}.Err(), ErrBelow)
		assert.Contains(t, out.String(), "BELOW", c.name)
	}
}

// What the bench writes is read; anything else is no figure.
func TestRead(t *testing.T) {
	var r Result
	require.NoError(t, r.read([]byte(`{"runs":[{"targets":[{"per_second":{"median":30}},{"per_second":{"median":10}}],
		"ratios":[{"per_second":{"min":2,"median":3,"max":4},"per_server_cpu_second":{"min":1,"median":5,"max":6}}]}]}`)))
	assert.Equal(t, Result{Rate: 30, Other: 10, Throughput: &Spread{2, 3, 4}, CPU: &Spread{1, 5, 6}}, r)
	for _, bad := range []string{``, `{}`, `{"runs":[{"targets":[{},{}]}]}`} {
		require.ErrorContains(t, new(Result).read([]byte(bad)), "read the bench's report", bad)
	}
	require.ErrorContains(t, new(Result).read([]byte(`{"runs":[{"targets":[{},{"errors":3,"error_sample":"EOF"}],"ratios":[{}]}]}`)),
		"3 requests to the other failed: EOF")
}

func TestCheck(t *testing.T) {
	good := Config{Slices: 5, Slice: time.Second}
	require.NoError(t, good.Check())
	for _, bad := range []Config{{Slices: 0, Slice: time.Second}, {Slices: 5}, {Slices: 5, Slice: time.Second, Only: "DELETE"}} {
		require.Error(t, bad.Check())
	}
}

// The terms that members tell tell whether the leader has changed.
func TestSteadyErr(t *testing.T) {
	require.NoError(t, (&Steady{Terms: []string{"2"}, Looks: 3}).Err())
	require.ErrorIs(t, (&Steady{Terms: []string{"2", "3"}, Looks: 9}).Err(), ErrBelow)
	require.ErrorIs(t, (&Steady{}).Err(), ErrBelow, "nobody was asked")
}

// A row beside etcd, one beside the bare server, and a short time of writing, on
// real processes.
func TestRows(t *testing.T) {
	ours, err := process.BuildHoldfast(t.TempDir())
	require.NoError(t, err)
	etcd := process.TestEtcd(t)
	for only, other := range map[string]bool{"CAS": true, "GET, 1 members": false} {
		cfg := Config{Bench: ours.Path, Ours: ours, Theirs: etcd, Dir: t.TempDir(), Only: only, Slices: 1, Slice: 2 * time.Second, Progress: t.Output()}
		report, err := Run(t.Context(), cfg)
		require.NoError(t, err)
		for _, r := range report {
			require.NoError(t, r.Missing)
			require.NotNil(t, r.Throughput)
			assert.Positive(t, r.Throughput.Median)
			assert.Positive(t, r.Rate)
			assert.Positive(t, r.Other)
			if !other {
				require.NotNil(t, r.CPU)
			}
		}
	}
	s, err := KeepWriting(t.Context(), Config{Bench: ours.Path, Ours: ours, Dir: t.TempDir(), Progress: t.Output()}, time.Second)
	require.NoError(t, err)
	require.NoError(t, s.Err())
	assert.Contains(t, s.Text, "put, 256 connections")
}
