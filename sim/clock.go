package sim

import "math/bits"

// readingNanos is the price of a host call that asks for the time, in virtual time, so that a loop that waits for time to
// pass ends.
const readingNanos = 40

// rhoPPM is ρ, the bound on the rate error of any clock that the store's promises are made under, in parts per million.
// No fault makes a clock break it forwards: over any stretch of true time a monotonic clock advances by at most 1 + ρ times
// that. Backwards a stall does.
const rhoPPM = 10_000

const million = 1_000_000

// clock turns virtual time, which is true, into what a machine's clocks show. Both run on one oscillator; they differ in
// where they began, and only the wall clock is ever set. The zero clock is exact.
//
// What the oscillator has counted by a moment is the lesser of two lines. The course has the slope 1 + rate. The limit
// begins at a stall, level, and rises with 1 + ρ when that is over: thus a clock that has stood still runs as fast as it
// may until it is on course again. Either is a function of the present state alone, so times must not be asked for from
// before the last change; a process's own time may be, by a few nanoseconds, and gets what the clock showed at the change.
type clock struct {
	bootNanos int64 // what the monotonic clock shows at virtual time 0
	wallNanos int64 // what the wall clock is ahead of the truth, but for the rate error; may be negative

	course line
	limit  line // meaningful if stalled
	// stalled: there has been a stall.
	stalled bool
}

// line is a count that stands at base until a moment and rises from there.
type line struct {
	from int64 // virtual time
	base int64 // what it has counted by then
	ppm  int64 // by how much it rises faster than time, in parts per million; > -million
}

// at is the count at a moment, rounded down.
func (l line) at(virtual int64) int64 {
	d := max(virtual-l.from, 0)
	if l.ppm != 0 {
		hi, lo := bits.Mul64(uint64(d), uint64(million+l.ppm))
		q, _ := bits.Div64(hi, lo, million)
		d = int64(q)
	}
	return l.base + d
}

// when is the first moment at which the count has come to n, 0 if it had before the line began. n is up to longestWait.
func (l line) when(n int64) int64 {
	if n <= l.base {
		return 0
	}
	d := n - l.base
	if l.ppm != 0 {
		slope := uint64(million + l.ppm)
		hi, lo := bits.Mul64(uint64(d), million)
		q, rest := bits.Div64(hi, lo, slope)
		if rest > 0 {
			q++
		}
		d = int64(q)
	}
	return l.from + d
}

// elapsed is what the oscillator has counted since virtual time 0.
func (c *clock) elapsed(virtual int64) int64 {
	n := c.course.at(virtual)
	if c.stalled {
		n = min(n, c.limit.at(virtual))
	}
	return n
}

// when is the first moment at which the oscillator has counted n.
func (c *clock) when(n int64) int64 {
	at := c.course.when(n)
	if c.stalled {
		at = max(at, c.limit.when(n))
	}
	return at
}

func (c *clock) monotonic(virtual int64) int64 { return c.bootNanos + c.elapsed(virtual) }
func (c *clock) wall(virtual int64) int64      { return epochNanos + c.wallNanos + c.elapsed(virtual) }

// monotonicAt and wallAt are the first moments at which the clocks show a time, 0 if they did before.
func (c *clock) monotonicAt(shown int64) int64 { return c.when(shown - c.bootNanos) }
func (c *clock) wallAt(shown int64) int64      { return c.when(shown - epochNanos - c.wallNanos) }

// setRate makes both clocks run faster than the truth by ppm parts per million from a moment on, slower if ppm is negative,
// within ±rhoPPM; what they show then stays.
func (c *clock) setRate(virtual, ppm int64) {
	c.course = line{from: virtual, base: c.course.at(virtual), ppm: min(max(ppm, -rhoPPM), rhoPPM)}
}

// stall makes both clocks stand still from a moment on for some time, longer if they do already until later.
func (c *clock) stall(virtual, nanos int64) {
	if nanos <= 0 {
		return
	}
	until := virtual + nanos
	if c.stalled {
		until = max(until, c.limit.from)
	}
	c.limit, c.stalled = line{from: until, base: c.elapsed(virtual), ppm: rhoPPM}, true
}

// setRate changes the rate of the machine's clocks from now on: by ppm parts per million, within ±rhoPPM, 0 being right.
func (m *machine) setRate(ppm int64) {
	m.clock.setRate(m.clockChange(), ppm)
	m.clockChanged()
}

// stallClock makes the machine's clocks stand still from now on. Afterwards they run as fast as ρ allows until they have
// caught up: after a stall of a second, at a right rate, that takes a hundred.
func (m *machine) stallClock(nanos int64) {
	m.clock.stall(m.clockChange(), nanos)
	m.clockChanged()
}

// stepWall sets the machine's wall clock forward, or back if delta is negative, now.
func (m *machine) stepWall(delta int64) {
	m.clock.wallNanos += delta
	m.clockChanged()
}

// clockChange is when a change of now takes effect: not before what the process has read already.
func (m *machine) clockChange() int64 {
	if m.proc != nil {
		return max(m.w.now, m.proc.local)
	}
	return m.w.now
}

// clockChanged lets a process that waits work out again until when.
func (m *machine) clockChanged() {
	if m.proc != nil {
		m.proc.wake(m.w.now)
	}
}
