package main

import (
	"context"
	"time"
)

// tickEvery is how often each calls tick.
const tickEvery = 500 * time.Millisecond

// each does jobs, at most so many at a time, until next has no more or ctx is done, and waits for those under way. It calls
// next, done and tick one after the other, from one goroutine.
func each[J, R any](ctx context.Context, jobs int, next func() (J, bool), do func(J) R, done func(R), tick func()) {
	results, running := make(chan R), 0
	fill := func() {
		for running < jobs && ctx.Err() == nil {
			job, more := next()
			if !more {
				return
			}
			running++
			go func() { results <- do(job) }()
		}
	}
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for fill(); running > 0; {
		select {
		case r := <-results:
			running--
			done(r)
			fill()
		case <-ticker.C:
			tick()
		}
	}
}

// within gives the elements of a list to each, one by one.
func within[J any](list []J) func() (J, bool) {
	return func() (job J, more bool) {
		if len(list) > 0 {
			job, list, more = list[0], list[1:], true
		}
		return job, more
	}
}
