package sim

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const second = int64(1e9)

// The course of a clock through each fault, at chosen moments.
func TestClockCourse(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(*clock)
		shows map[int64]int64 // what the oscillator has counted, by virtual time
	}{
		"exact":   {func(*clock) {}, map[int64]int64{0: 0, 7: 7, 3600 * second: 3600 * second}},
		"fast":    {func(c *clock) { c.setRate(second, 100) }, map[int64]int64{second: second, 11 * second: 11*second + 1e6}},
		"slow":    {func(c *clock) { c.setRate(0, -rhoPPM) }, map[int64]int64{100 * second: 99 * second, 1: 0, 101: 99}},
		"clamped": {func(c *clock) { c.setRate(0, 5*rhoPPM) }, map[int64]int64{100 * second: 101 * second}},
		"there and back": {func(c *clock) { c.setRate(0, 100); c.setRate(10*second, 0) },
			map[int64]int64{10 * second: 10*second + 1e6, 20 * second: 20*second + 1e6}},
		"stall": {func(c *clock) { c.stall(second, second) }, map[int64]int64{
			second: second, 2*second - 1: second, 2 * second: second, 3 * second: 2*second + second/100,
			102 * second: 102 * second, 103 * second: 103 * second, 52 * second: second + 50*second*101/100}},
		"stall in a stall": {func(c *clock) { c.stall(second, second); c.stall(second*3/2, second/4) },
			map[int64]int64{2 * second: second, 102 * second: 102 * second}},
		"stall while it catches up": {func(c *clock) { c.stall(second, second); c.stall(3*second, second) },
			map[int64]int64{4 * second: 2*second + second/100, 204 * second: 204 * second}},
		"stall of a clock as fast as may be": {func(c *clock) { c.setRate(0, rhoPPM); c.stall(100*second, second) },
			map[int64]int64{101 * second: 101 * second, 1101 * second: 101*second + 1010*second}},
		"no stall": {func(c *clock) { c.stall(second, 0) }, map[int64]int64{5 * second: 5 * second}},
	} {
		var k clock
		c.fault(&k)
		for virtual, want := range c.shows {
			assert.Equal(t, want, k.elapsed(virtual), "%s at %d", name, virtual)
		}
	}
}

// Through any faults a monotonic clock never goes back, never gains more than ρ over any stretch of true time, and loses
// no more than ρ and its stalls; the moment at which it shows a time is found to the nanosecond.
func TestClockKeepsWithinRho(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := clock{bootNanos: rapid.Int64Range(0, 1e13).Draw(t, "boot")}
		now, stalls, changes := int64(0), int64(0), int64(0)
		type reading struct{ at, shown int64 }
		readings := []reading{{0, c.monotonic(0)}}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "fault") {
			case 0:
				c.setRate(now, rapid.Int64Range(-2*rhoPPM, 2*rhoPPM).Draw(t, "ppm"))
				changes++
			case 1:
				d := rapid.Int64Range(-5, 5*second).Draw(t, "stall")
				c.stall(now, d)
				stalls += max(d, 0)
				changes++
			case 2:
				c.wallNanos += rapid.Int64Range(-3600*second, 3600*second).Draw(t, "step")
			}
			require.Equal(t, readings[len(readings)-1].shown, c.monotonic(now), "a change moved the clock")
			now += rapid.Int64Range(0, 60*second).Draw(t, "pass")
			readings = append(readings, reading{now, c.monotonic(now)})

			ask := c.monotonic(now) + rapid.Int64Range(-second, 100*second).Draw(t, "ask")
			at := c.monotonicAt(ask)
			require.GreaterOrEqual(t, c.monotonic(at), ask)
			if at > now {
				require.Less(t, c.monotonic(at-1), ask, "it would have shown it earlier")
			}
			wall := c.wall(now) + rapid.Int64Range(0, 100*second).Draw(t, "ask wall")
			require.GreaterOrEqual(t, c.wall(c.wallAt(wall)), wall)
		}
		for i, a := range readings {
			for _, b := range readings[i+1:] {
				passed, shown := b.at-a.at, b.shown-a.shown
				require.GreaterOrEqual(t, shown, int64(0))
				most := new(big.Int).Mul(big.NewInt(passed), big.NewInt(million+rhoPPM))
				most.Div(most, big.NewInt(million))
				require.LessOrEqual(t, shown, most.Int64()+1, "beyond ρ, and more than rounding")
				least := new(big.Int).Mul(big.NewInt(passed), big.NewInt(million-rhoPPM))
				least.Div(least, big.NewInt(million))
				require.GreaterOrEqual(t, shown, least.Int64()-stalls*2-changes-1)
			}
		}
	})
}

// A time beyond all sense is answered without overflow, also by a clock off its rate.
func TestClockFarFuture(t *testing.T) {
	for _, ppm := range []int64{-rhoPPM, 0, rhoPPM} {
		var c clock
		c.setRate(second, ppm)
		c.stall(second, second)
		at := c.monotonicAt(longestWait)
		assert.Greater(t, at, int64(longestWait/2))
		assert.GreaterOrEqual(t, c.monotonic(at), int64(longestWait))
	}
}

// waitFor lets a lone process wait for one clock, while something happens to its machine, and returns when it woke.
func waitFor(t *testing.T, s subscription, at int64, happens func(*machine)) int64 {
	t.Helper()
	p := loneProcess()
	p.m.proc = p
	if happens != nil {
		p.m.w.at(at, func() { happens(p.m) })
	}
	require.Equal(t, []uint64{s.user}, pollOnce(t, p, s))
	return p.local
}

// A process that waits wakes when its clock shows the time, whatever happens to that clock meanwhile.
func TestPollFollowsTheClock(t *testing.T) {
	sleep := subscription{user: 1, tag: pollClock, clock: clockMonotonic, timeout: uint64(10 * second)}
	noon := subscription{user: 2, tag: pollClock, clock: clockRealtime, flags: clockAbsolute}
	noon.timeout = uint64(loneProcess().m.clock.wall(10 * second))
	for name, c := range map[string]struct {
		sub     subscription
		happens func(*machine)
		want    int64
	}{
		"nothing":                   {sleep, nil, 10 * second},
		"a fast clock":              {sleep, func(m *machine) { m.setRate(rhoPPM) }, 9_920_792_080},
		"a slow clock":              {sleep, func(m *machine) { m.setRate(-rhoPPM) }, 10_080_808_081},
		"a stall":                   {sleep, func(m *machine) { m.stallClock(second) }, 10_920_792_080},
		"a step, sleeping":          {sleep, func(m *machine) { m.stepWall(5 * second) }, 10 * second},
		"a step forward":            {noon, func(m *machine) { m.stepWall(5 * second) }, 5 * second},
		"a step over it":            {noon, func(m *machine) { m.stepWall(3600 * second) }, 2 * second},
		"a step back":               {noon, func(m *machine) { m.stepWall(-3600 * second) }, 3610 * second},
		"a stall, by the wall":      {noon, func(m *machine) { m.stallClock(second) }, 10_920_792_080},
		"a fast clock, by the wall": {noon, func(m *machine) { m.setRate(rhoPPM) }, 9_920_792_080},
	} {
		assert.Equal(t, c.want, waitFor(t, c.sub, 2*second, c.happens), name)
	}
}

// A change does not take back what a process has read ahead of the world.
func TestClockChangeAfterReading(t *testing.T) {
	p := loneProcess()
	p.m.proc = p
	var read int64
	for range 100 {
		read = p.monotonic()
	}
	require.Greater(t, p.local, p.m.w.now)
	p.m.stallClock(second)
	assert.GreaterOrEqual(t, p.monotonic(), read)
}
