package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// audience is the watchers of one key and its writer. They go in rounds: a
// write, and the next only when every watcher has the event. So none falls
// behind, and the count of events is exact.
type audience struct {
	store  *store
	writer *client
	room   *room // nil: to be gathered again
}

// room is what an audience has until one of its watchers fails.
type room struct {
	base    time.Time
	arrived []atomic.Int64 // by watcher: nanoseconds since base of its last event
	left    atomic.Int64   // watchers still to get the event of this round
	all     chan struct{}  // gets a token when left has come to zero
	failed  chan error     // gets the first failure
	conns   []*conn
	group   sync.WaitGroup
}

// gather starts the watchers and returns when the store has taken them all: it
// sends the head of its answer then.
func (a *audience) gather() error {
	o := a.store.options
	if err := a.writer.dial(o.Timeout); err != nil {
		return err
	}
	a.writer.expire(time.Now().Add(o.Timeout))
	index, err := a.writer.putWatched()
	if err != nil {
		return err
	}
	r := &room{
		base: time.Now(), arrived: make([]atomic.Int64, o.Watchers),
		all: make(chan struct{}, 1), failed: make(chan error, 1),
	}
	a.room = r
	r.left.Store(int64(o.Watchers))
	for i := range o.Watchers {
		addresses := a.store.Addresses
		c := newClient(addresses[i%len(addresses)], a.store.space, o, i)
		if err := c.dial(o.Timeout); err != nil {
			a.dismiss()
			return err
		}
		r.conns = append(r.conns, c.conn)
		w := &watcher{client: c, room: r, number: i}
		r.group.Go(func() { w.run(index) })
	}
	timer := time.NewTimer(o.Timeout)
	defer timer.Stop()
	select {
	case <-r.all:
		return nil
	case err := <-r.failed:
		a.dismiss()
		return fmt.Errorf("watch: %w", err)
	case <-timer.C:
		left := r.left.Load()
		a.dismiss()
		return fmt.Errorf("watch: %d of %d watchers were not taken within %v", left, o.Watchers, o.Timeout)
	}
}

// dismiss ends all watchers.
func (a *audience) dismiss() {
	if a.room == nil {
		return
	}
	for _, c := range a.room.conns {
		c.close()
	}
	a.room.group.Wait()
	a.room = nil
}

// slice does rounds for a time, or until ctx is done.
func (a *audience) slice(ctx context.Context, length time.Duration, latency *hdrhistogram.Histogram) sample {
	var got sample
	for end := time.Now().Add(length); ctx.Err() == nil && time.Now().Before(end); {
		events, err := a.round(ctx, latency)
		got.Count += events
		if err == nil {
			got.operations++
			continue
		}
		got.Errors++
		got.failure = err
		a.dismiss()
		wait(ctx, errorPause)
	}
	return got
}

// round writes once and waits until the event is everywhere.
func (a *audience) round(ctx context.Context, latency *hdrhistogram.Histogram) (events int64, err error) {
	o := a.store.options
	if a.room == nil {
		if err := a.gather(); err != nil {
			return 0, err
		}
	}
	r := a.room
	if err := a.writer.dial(o.Timeout); err != nil {
		return 0, err
	}
	a.writer.expire(time.Now().Add(o.Timeout))
	r.left.Store(int64(o.Watchers))
	begun := time.Since(r.base)
	if _, err := a.writer.putWatched(); err != nil {
		return 0, fmt.Errorf("%s: %w", a.writer.address, err)
	}
	timer := time.NewTimer(o.Timeout)
	defer timer.Stop()
	select {
	case <-r.all:
	case err = <-r.failed:
	case <-timer.C:
		err = fmt.Errorf("%d of %d watchers did not get an event within %v", r.left.Load(), o.Watchers, o.Timeout)
	case <-ctx.Done():
	}
	for i := range r.arrived {
		if at := time.Duration(r.arrived[i].Load()); at >= begun {
			events++
			record(latency, at-begun)
		}
	}
	return events, err
}

// watcher is one long poll after the other, or one stream.
type watcher struct {
	*client
	room   *room
	number int
	taken  bool // the store has said that it watches
}

// run watches from behind an index until its connection is closed. It reports
// every other end as a failure.
func (w *watcher) run(index uint64) {
	watch := w.poll
	if w.options.Stream {
		watch = w.stream
	}
	err := watch(index)
	w.drop()
	select {
	case w.room.failed <- fmt.Errorf("%s: %w", w.address, err):
	default:
	}
}

func (w *watcher) poll(index uint64) error {
	for {
		if err := w.dial(w.options.Timeout); err != nil {
			return err
		}
		h, err := w.ask(w.question("?wait=true&waitIndex=", index+1))
		if err != nil {
			return err
		}
		w.sawHead(h)
		if err := w.readBody(h, w.answerBytes()); err != nil {
			return err
		}
		if h.status != 200 {
			return refused(h.status, w.kept)
		}
		if h.last {
			w.drop()
		}
		// A server may end a poll without an event.
		if n := numberAfter(w.kept, modifiedIndex); n > 0 {
			index = n
			w.arrive()
		}
	}
}

func (w *watcher) stream(index uint64) error {
	h, err := w.ask(w.question("?wait=true&stream=true&waitIndex=", index+1))
	if err != nil {
		return err
	}
	if h.status != 200 || !h.chunked {
		return &refusal{h.status, "no stream"}
	}
	w.sawHead(h)
	for {
		n, err := w.chunk()
		if err != nil {
			return err
		}
		w.kept = w.kept[:0]
		if err := w.takeBytes(n, n); err != nil {
			return err
		}
		// Each event is a line of its own.
		for range bytes.Count(w.kept, []byte{'\n'}) {
			w.arrive()
		}
		if err := w.chunkEnd(); err != nil {
			return err
		}
		if n == 0 {
			return errors.New("the server ended the stream")
		}
	}
}

func (w *watcher) question(query string, index uint64) []byte {
	w.begin("GET ")
	w.request = append(w.space.appendWatched(w.request), query...)
	w.request = strconv.AppendUint(w.request, index, 10)
	w.endHead()
	return w.request
}

// sawHead counts this watcher in, once.
func (w *watcher) sawHead(h head) {
	if !w.taken && h.status == 200 {
		w.taken = true
		w.count()
	}
}

// arrive notes an event.
func (w *watcher) arrive() {
	w.room.arrived[w.number].Store(int64(time.Since(w.room.base)))
	w.count()
}

func (w *watcher) count() {
	if w.room.left.Add(-1) == 0 {
		select {
		case w.room.all <- struct{}{}:
		default:
		}
	}
}
