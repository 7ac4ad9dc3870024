package sim

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever is drawn may be played, whatever was asked for.
func TestDrawnPlansPass(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := Options{
			Seed: rapid.Uint64().Draw(t, "seed"), Nodes: rapid.IntRange(MinNodes, MaxNodes).Draw(t, "nodes"),
			Duration:     time.Duration(rapid.Int64Range(int64(MinDuration), int64(MaxDuration)).Draw(t, "duration")),
			OpsPerSecond: rapid.Int64Range(0, maxOpsPerSecond).Draw(t, "operations"),
			Module:       []byte("any"),
		}
		if rapid.Bool().Draw(t, "asked") {
			o.Workloads = rapid.SliceOfN(rapid.SampledFrom(workloadNames()), 0, maxWorkloads).Draw(t, "workloads")
		}
		require.NoError(t, o.check())
		p := Derive(o)
		require.NoError(t, p.check())
	})
}

// Every number of a plan is bounded on both sides, and a refusal names it by its name in the log.
func TestPlanNumbersAreBounded(t *testing.T) {
	p := drawn(1, 3).Plan
	require.NoError(t, p.check())
	numbers := 0
	var walk func(v reflect.Value, prefix string)
	walk = func(v reflect.Value, prefix string) {
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			f := v.Field(i)
			before := reflect.ValueOf(f.Interface())
			var absurd []any
			switch f.Kind() {
			case reflect.Struct:
				walk(f, prefix+name+".")
			case reflect.Int, reflect.Int64:
				absurd = []any{int64(math.MinInt64), int64(-1), int64(math.MaxInt64)}
			case reflect.Uint64:
				absurd = []any{uint64(0), uint64(math.MaxUint64)}
			}
			for _, value := range absurd {
				numbers++
				f.Set(reflect.ValueOf(value).Convert(f.Type()))
				err := p.check()
				require.ErrorIs(t, err, ErrDecisions, "%s = %d", prefix+name, value)
				assert.ErrorContains(t, err, "plan: "+prefix+name+": ")
				f.Set(before)
			}
		}
	}
	walk(reflect.ValueOf(&p).Elem(), "")
	assert.Greater(t, numbers, 50)
	require.NoError(t, p.check())
}

// What a member or a client would stop on, or replace by a default of its own, is refused, too; what is merely unusual is
// not.
func TestPlanCheck(t *testing.T) {
	for want, spoil := range map[string]func(*Plan){
		"nodes: 9; expect 3 to 7":             func(p *Plan) { p.Nodes = 9 },
		"latency_max: 1000; expect 2000 to":   func(p *Plan) { p.LatencyMinNanos, p.LatencyMaxNanos = 2000, 1000 },
		"sync_max: 1000; expect 2000 to":      func(p *Plan) { p.SyncMinNanos, p.SyncMaxNanos = 2000, 1000 },
		"tail_per_mille: 1001":                func(p *Plan) { p.TailPerMille = 1001 },
		"ops_per_second: 0;":                  func(p *Plan) { p.OpsPerSecond = 0 },
		"ops_per_second: 1000000000;":         func(p *Plan) { p.OpsPerSecond = 1e9 },
		"timeout: 0;":                         func(p *Plan) { p.TimeoutNanos = 0 },
		"bulk: 1048576;":                      func(p *Plan) { p.BulkBytes = 1 << 20 },
		"rate_ppm: 10001;":                    func(p *Plan) { p.RatePPM = 10_001 },
		"knobs.history_events: 0;":            func(p *Plan) { p.Knobs.HistoryEvents = 0 },
		"knobs.tick: 0;":                      func(p *Plan) { p.Knobs.Tick = 0 },
		"knobs.election_timeout: 0;":          func(p *Plan) { p.Knobs.ElectionTimeout = 0 },
		"knobs.snapshot_check: 0;":            func(p *Plan) { p.Knobs.SnapshotCheck = 0 },
		"knobs.segment_bytes: 0;":             func(p *Plan) { p.Knobs.SegmentBytes = 0 },
		"calm_at: 60000000001; expect 0 to":   func(p *Plan) { p.CalmAtNanos = p.EndNanos + 1 },
		"end_at: 5599999999; expect":          func(p *Plan) { p.EndNanos = 5_599_999_999 },
		`workload "knitting"`:                 func(p *Plan) { p.Workloads[0].Name = "knitting" },
		"with 0 clients":                      func(p *Plan) { p.Workloads[0].Clients = 0 },
		"with 65 clients":                     func(p *Plan) { p.Workloads[0].Clients = 65 },
		"priorities.points: 1; expect 0 to 0": func(p *Plan) { p.Priorities = Priorities{Points: 1} },
		"priorities.points: 6; expect 0 to 5": func(p *Plan) { p.Priorities = Priorities{Points: 6, Steps: 100} },
		"workloads: 17 of them":               func(p *Plan) { p.Workloads = make([]Work, 17) },
		"":                                    func(p *Plan) { p.CalmAtNanos, p.EndNanos = 5_600_000_000, 5_600_000_000 },
	} {
		p := drawn(1, 3).Plan
		p.CalmAtNanos, p.EndNanos = 42e9, 60e9
		spoil(&p)
		err := p.check()
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, ErrDecisions, want)
		assert.ErrorContains(t, err, want)
	}
}
