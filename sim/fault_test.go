package sim

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Schedules hold what a decision log may hold, and over some seeds every kind of fault is drawn.
func TestScheduleOfManySeeds(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(400) {
		nodes := 3 + 2*int(seed%2)
		d := drawn(seed, nodes)
		require.NoError(t, d.check(), "seed %d", seed)
		require.NotEmpty(t, d.Faults, "seed %d", seed)
		destroyed := 0
		for i := range d.Faults {
			seen[d.Faults[i].Kind]++
			if faultKind(d.Faults[i].Kind).destroys {
				destroyed++
			}
		}
		assert.LessOrEqual(t, destroyed, (nodes-1)/2, "seed %d destroys more than a quorum can mend", seed)
	}
	for _, name := range FaultKinds() {
		assert.Positive(t, seen[name], "%s is never drawn", name)
	}
}

// The faults that are asked for are the only ones; none asked for are none.
func TestScheduleOfChosenKinds(t *testing.T) {
	o := Options{Seed: 4, Nodes: 3, Duration: time.Minute, Faults: []string{"kill", "clock-step"}}
	p := Derive(o)
	for _, f := range Schedule(o, &p) {
		assert.Contains(t, o.Faults, f.Kind)
	}
	o.Faults = []string{}
	assert.Empty(t, Schedule(o, &p))
}

// A day with few faults has them all over it, as far apart as was asked for, and calm at its end only; what a log of it may hold
// is what it has.
func TestScheduleOfADay(t *testing.T) {
	for seed := range uint64(40) {
		o := Options{Seed: seed, Nodes: 3, Duration: MaxDuration, OpsPerSecond: 1, Pace: 6 * time.Minute, Module: []byte{0}}
		require.NoError(t, o.check())
		d := decide(&o)
		require.NoError(t, d.check(), "seed %d", seed)
		assert.InDelta(t, 240, len(d.Faults), 40, "seed %d", seed)
		assert.LessOrEqual(t, d.Plan.EndNanos-d.Plan.CalmAtNanos, int64(longestCalm), "seed %d", seed)
		var widest int64
		for i := 1; i < len(d.Faults); i++ {
			widest = max(widest, d.Faults[i].At-d.Faults[i-1].At)
		}
		assert.Less(t, widest, int64(25*time.Minute), "seed %d", seed)
	}
	o := Options{Nodes: 3, Duration: time.Minute, Pace: 2 * time.Hour, Module: []byte{0}}
	require.ErrorIs(t, o.check(), ErrOptions)
}

// Which faults a seed has does not depend on how long the run is, as far as both go.
func TestScheduleIsAPrefix(t *testing.T) {
	o := Options{Seed: 12, Nodes: 5, Duration: 30 * time.Second}
	p := Derive(o)
	short := Schedule(o, &p)
	o.Duration = time.Minute
	p = Derive(o)
	long := Schedule(o, &p)
	lost := func(f Fault) bool { return f.ID >= destructionID } // these have a time of their own
	short, long = slices.DeleteFunc(short, lost), slices.DeleteFunc(long, lost)
	require.Greater(t, len(long), len(short))
	for i := range short {
		long[i].For = short[i].For // cut off by the calm
		assert.Equal(t, short[i], long[i])
	}
}
