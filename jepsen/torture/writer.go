package torture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"holdfast/jepsen"
)

// root is the directory all keys of a run lie in.
const root = "/torture"

// retryPause keeps a writer from spinning while nobody answers.
const retryPause = 20 * time.Millisecond

func counterKey(i int) string { return fmt.Sprintf("%s/counter-%d", root, i) }

// put writes one key through any member until that is confirmed.
func (r *run) put(ctx context.Context, key, value string) (jepsen.Operation, error) {
	ctx, cancel := context.WithTimeout(ctx, returnTime)
	defer cancel()
	c := &jepsen.Client{Process: r.Writers, Timeout: writeTime, Now: r.now}
	defer c.Close()
	for n := 0; ; n++ {
		c.Endpoint = r.cluster.Members[n%len(r.cluster.Members)].ClientURL
		o := c.Do(ctx, jepsen.Operation{Op: jepsen.Write, Key: key, Arg: value})
		if o.Outcome == jepsen.OK {
			return o, nil
		}
		if ctx.Err() != nil {
			return o, fmt.Errorf("torture: write %s: %w; last answer: %s", key, ctx.Err(), o.Error)
		}
		time.Sleep(retryPause)
	}
}

// startWriters starts the writers; the function returned waits for their end.
func (r *run) startWriters(ctx context.Context) (wait func() error) {
	var wg sync.WaitGroup
	errs := make([]error, r.Writers)
	for p := range r.Writers {
		w := &writer{run: r, last: make([]string, counters), rng: rand.New(rand.NewPCG(r.Seed, uint64(p)+2))}
		w.client = &jepsen.Client{Process: p, Timeout: writeTime, Now: r.now}
		wg.Go(func() { errs[p] = w.work(ctx) })
	}
	return func() error {
		wg.Wait()
		return errors.Join(errs...)
	}
}

// writer is one client.
type writer struct {
	*run
	client *jepsen.Client
	rng    *rand.Rand
	last   []string // of each counter, as far as this writer knows
}

// work alternates between new keys and increments until ctx ends. Operations
// are not cut short by that: one under way is finished and journalled.
func (w *writer) work(ctx context.Context) error {
	defer w.client.Close()
	w.anotherMember()
	for n := 0; ctx.Err() == nil; n++ {
		o := jepsen.Operation{Op: jepsen.Write, Key: fmt.Sprintf("%s/key-%d-%06d", root, w.client.Process, n), Arg: fmt.Sprintf("%d.%d", w.client.Process, n)}
		if w.rng.IntN(2) == 0 {
			o = w.increment()
		}
		o = w.client.Do(context.Background(), o)
		if err := w.journal.add(o); err != nil {
			return err
		}
		w.learn(&o)
	}
	return nil
}

// increment swaps a counter from the value last seen to the next, or reads it.
func (w *writer) increment() jepsen.Operation {
	i := w.rng.IntN(counters)
	o := jepsen.Operation{Op: jepsen.Read, Key: counterKey(i)}
	if n, err := strconv.Atoi(w.last[i]); err == nil {
		o.Op, o.Prev, o.Arg = jepsen.CAS, w.last[i], strconv.Itoa(n+1)
	}
	return o
}

// learn remembers what an answer tells and leaves a member that gave none.
func (w *writer) learn(o *jepsen.Operation) {
	for i := range w.last {
		if o.Key != counterKey(i) {
			continue
		}
		w.last[i] = o.Result // read, or met by a swap that failed, or unknown
		if o.Outcome == jepsen.OK && o.Op == jepsen.CAS {
			w.last[i] = o.Arg
		}
	}
	if o.Outcome == jepsen.Unknown || o.Outcome == jepsen.Fail && o.ErrorCode == 0 {
		w.anotherMember()
		time.Sleep(retryPause)
	}
}

func (w *writer) anotherMember() {
	urls := w.cluster.URLs()
	w.client.Endpoint = urls[w.rng.IntN(len(urls))]
}
