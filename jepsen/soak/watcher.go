//go:build linux

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"holdfast/jepsen"
)

// How many wait for events at once, each for a time between the two, before it
// hangs up and another comes.
const (
	polls        = 24
	streams      = 8
	leastWatched = 2 * time.Second
	mostWatched  = 6 * time.Second
	watchPause   = 200 * time.Millisecond // after one that failed
)

// watch has one watch after the other of some client's directory, each on a
// connection of its own unless an event has ended the one before.
func (r *run) watch(ctx context.Context, id int) {
	urls := r.cluster.URLs()
	rng := rand.New(rand.NewPCG(r.Seed, 1<<32+uint64(id)))
	c := &jepsen.Client{Process: clients + id, Endpoint: urls[id%len(urls)], Now: r.now}
	defer c.Close()
	upheaval := r.upheavals.Load()
	for ctx.Err() == nil {
		if now := r.upheavals.Load(); now != upheaval {
			upheaval = now
			c.Close()
		}
		o := jepsen.Operation{Op: jepsen.Watch, Key: fmt.Sprintf("%s/%d", keysRoot, rng.IntN(clients)), Recursive: true}
		if id >= polls {
			o.Op = jepsen.Stream
		}
		c.WatchTimeout = leastWatched + time.Duration(rng.Int64N(int64(mostWatched-leastWatched)))
		o = c.Do(ctx, o)
		if ctx.Err() != nil {
			return
		}
		r.watches.Add(1)
		r.events.Add(int64(len(o.Events)))
		if o.Outcome != jepsen.OK {
			r.unanswered(&o)
			time.Sleep(watchPause)
		}
	}
}
