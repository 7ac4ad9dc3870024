package jepsen

import (
	"context"
	"fmt"
	"math/rand/v2"
)

// RegisterWorkload is a client's work on a few registers: quorum reads, writes
// of values nobody else writes, swaps of the value last seen, and deletes.
type RegisterWorkload struct {
	// Keys are shared by all clients; few keys make much contention.
	Keys []string
	// Operations is how many operations to perform.
	Operations int
	// Endpoints are the members; before each operation, with the chance
	// SwitchChance in 0..1, the client moves to another one.
	Endpoints    []string
	SwitchChance float64
	// Deletes mixes in deletes, about one in twenty operations.
	Deletes bool
	// Pause is called before every operation, if set, for pacing.
	Pause func()
}

// Run performs the work with c, drawing from rng, and records each operation.
// The first endpoint drawn replaces c.Endpoint. It ends early, without error,
// when ctx does; errors are the recorder's.
func (w *RegisterWorkload) Run(ctx context.Context, c *Client, rng *rand.Rand, rec *Recorder) error {
	last := make([]string, len(w.Keys)) // the value last seen of each key
	c.Endpoint = w.Endpoints[rng.IntN(len(w.Endpoints))]
	for n := 0; n < w.Operations && ctx.Err() == nil; n++ {
		if w.Pause != nil {
			w.Pause()
		}
		if rng.Float64() < w.SwitchChance {
			c.Endpoint = w.Endpoints[rng.IntN(len(w.Endpoints))]
		}
		k := rng.IntN(len(w.Keys))
		o := w.draw(rng, k, last[k], fmt.Sprintf("p%d-%d", c.Process, n))
		o = c.Do(ctx, o)
		last[k] = lastSeen(&o, last[k])
		if err := rec.Record(o); err != nil {
			return err
		}
	}
	return nil
}

// draw picks the next operation on key k.
func (w *RegisterWorkload) draw(rng *rand.Rand, k int, last, fresh string) Operation {
	o := Operation{Op: Read, Key: w.Keys[k]}
	switch p := rng.IntN(100); {
	case p < 5 && w.Deletes:
		o.Op = Delete
	case p < 35:
		o.Op, o.Arg = Write, fresh
	case p < 65 && last != "":
		o.Op, o.Prev, o.Arg = CAS, last, fresh
	}
	return o
}

// lastSeen is the value the client believes the key has after o.
func lastSeen(o *Operation, before string) string {
	switch {
	case o.Missing, o.Op == Delete && o.Outcome == OK:
		return ""
	case o.Outcome == OK && (o.Op == Write || o.Op == CAS):
		return o.Arg
	case o.Result != "" && o.Op != Delete:
		return o.Result
	}
	return before
}
