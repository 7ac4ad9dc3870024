package memory

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// lookEvery is how often Return looks.
	lookEvery = time.Second
	// quiet is how long there must have been no work: no collection for other
	// reasons, and from one look to the next less than workBytes allocated. While
	// there is, memory that is returned is asked for again at once, page by page.
	quiet     = 2 * time.Second
	workBytes = 1 << 20
	// leastGain, in bytes, is not worth a collection.
	leastGain = 8 << 20
	// perGoroutine is what one that has ended may have held: a stack and buffers,
	// and sometimes a body.
	perGoroutine = 1 << 20
	// crowd is how many goroutines end when it was not just a client or two.
	crowd = 8
	// priceBytes is the gain that is worth a processor's second of collecting,
	// once a second; half of it is, every other second.
	priceBytes = 4 << 30
)

// Return gives memory back until ctx ends.
func Return(ctx context.Context) {
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	b := broker{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		before := look()
		if !b.due(time.Now(), before) {
			continue
		}
		if b.most >= before.goroutines+crowd {
			runtime.GC() // what they left in pools outlasts one collection
		}
		debug.FreeOSMemory()
		after := look()
		b.returned(time.Now(), after.collecting-before.collecting, after)
	}
}

// usage is what the runtime has counted.
type usage struct {
	collections uint64
	allocated   uint64  // bytes, since the start
	goroutines  uint64  // now
	collecting  float64 // seconds of a processor, since the start
}

func look() usage {
	samples := []metrics.Sample{
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/allocs:bytes"}, {Name: "/sched/goroutines:goroutines"},
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
	}
	metrics.Read(samples)
	return usage{samples[0].Value.Uint64(), samples[1].Value.Uint64(), samples[2].Value.Uint64(), samples[3].Value.Float64()}
}

// broker weighs what there is to gain against what it costs.
type broker struct {
	collections uint64    // that were seen
	allocated   uint64    // at the last look
	workedAt    time.Time // when there was work last
	then        usage     // when memory was last returned
	thenAt      time.Time
	cost        float64 // of that, in seconds of a processor
	most        uint64  // goroutines since then
}

// due tells whether to return memory now.
func (b *broker) due(now time.Time, u usage) bool {
	b.most = max(b.most, u.goroutines)
	if b.thenAt.IsZero() {
		b.thenAt = now
	}
	if u.collections != b.collections || u.allocated-b.allocated >= workBytes || b.workedAt.IsZero() {
		b.workedAt = now
	}
	b.collections, b.allocated = u.collections, u.allocated
	if now.Sub(b.workedAt) < quiet {
		return false
	}
	// All that was allocated may be garbage by now, and what ended goroutines held.
	gain := float64(u.allocated-b.then.allocated) + float64(b.most-u.goroutines)*perGoroutine
	return gain >= leastGain && gain*now.Sub(b.thenAt).Seconds() >= b.cost*priceBytes
}

func (b *broker) returned(now time.Time, cost float64, u usage) {
	*b = broker{collections: u.collections, allocated: u.allocated, workedAt: now, then: u, thenAt: now, cost: cost, most: u.goroutines}
}
