package replica

import (
	"sync/atomic"
	"time"
)

// Histogram is how observed values were spread, at one moment.
type Histogram struct {
	// Bounds are the upper bounds of the buckets, each included, ascending.
	Bounds []uint64
	// Counts are the values in each bucket alone; the last, one more than there
	// are bounds, has those above all of them.
	Counts []uint64
	// Sum is that of all values.
	Sum uint64
}

// histogram counts values by size. Observing one costs a search in at most
// maxBounds numbers and two additions; it never allocates and never waits.
type histogram struct {
	bounds []uint64
	counts [maxBounds + 1]atomic.Uint64
	sum    atomic.Uint64
}

// maxBounds is how many bounds a histogram may have.
const maxBounds = 16

// Bounds of what is observed: times in nanoseconds, commands by number, bytes.
// The counts go by fours up to what a batch may hold, and the times by about
// three, from a fast disk to one that is about to be given up.
var (
	timeBounds = durations(
		30*time.Microsecond, 100*time.Microsecond, 300*time.Microsecond, time.Millisecond, 2*time.Millisecond, 4*time.Millisecond,
		8*time.Millisecond, 16*time.Millisecond, 32*time.Millisecond, 64*time.Millisecond, 128*time.Millisecond, 256*time.Millisecond,
		512*time.Millisecond, time.Second, 3*time.Second, 10*time.Second)
	commandBounds = []uint64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096}
	byteBounds    = []uint64{256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20}
)

func durations(list ...time.Duration) (bounds []uint64) {
	for _, d := range list {
		bounds = append(bounds, uint64(d))
	}
	return bounds
}

func (h *histogram) observe(v uint64) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(v)
}

// took observes a time. One that a clock makes negative counts as none at all.
func (h *histogram) took(d time.Duration) { h.observe(uint64(max(d, 0))) }

// read gives what was observed so far. What is observed meanwhile may be in the
// counts and not yet in the sum.
func (h *histogram) read() Histogram {
	s := Histogram{Bounds: h.bounds, Counts: make([]uint64, len(h.bounds)+1), Sum: h.sum.Load()}
	for i := range s.Counts {
		s.Counts[i] = h.counts[i].Load()
	}
	return s
}
