package load

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

const (
	// errorPause is how long a client rests after an error, so that a store
	// that refuses at once is not asked in a spin.
	errorPause = 10 * time.Millisecond
	// fillers is the number of connections that load the keyspace.
	fillers = 256
	// maxIdle is how long a connection may rest between slices: a server closes
	// one that rests for minutes, which is no error of its.
	maxIdle = time.Minute
)

// UnusableError says that a target did not do what comes before measuring, to
// accept connections and take the keys, or after it, to remove them.
type UnusableError struct {
	Target  string
	Address string
	Err     error
}

// Error implements error.
func (e *UnusableError) Error() string {
	if e.Target == e.Address {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s: %v", e.Address, e.Err)
}

// Unwrap gives the cause.
func (e *UnusableError) Unwrap() error { return e.Err }

// store is a target while it is measured.
type store struct {
	Target
	options *Options
	space   keyspace
	touched bool // something may have been put
	filled  bool

	clients  []*client
	audience *audience // Watch
	used     time.Time // end of the last slice
}

// open makes the clients of a run and connects them.
func (s *store) open(w Workload, connections int) error {
	for i := range connections {
		c := newClient(s.Addresses[i%len(s.Addresses)], s.space, s.options, i)
		s.clients = append(s.clients, c)
		if err := c.dial(s.options.Timeout); err != nil {
			return &UnusableError{s.Name, c.address, err}
		}
	}
	s.used = time.Now()
	if w != Watch {
		return nil
	}
	s.audience = &audience{store: s, writer: s.clients[0]}
	if err := s.audience.gather(); err != nil {
		return &UnusableError{s.Name, s.clients[0].address, err}
	}
	return nil
}

// close ends the run.
func (s *store) close() {
	if s.audience != nil {
		s.audience.dismiss()
		s.audience = nil
	}
	for _, c := range s.clients {
		c.close()
	}
	s.clients = nil
}

// fill puts every key once, those apart that a kept keyspace has already.
func (s *store) fill(ctx context.Context) error {
	if s.filled {
		return nil
	}
	first := 0
	c := newClient(s.Addresses[0], s.space, s.options, 0)
	defer c.close()
	if s.options.Keep != "" {
		had, err := c.filled()
		if err != nil {
			return &UnusableError{s.Name, c.address, fmt.Errorf("read /%s%s: %w", s.space.dir, filledName, err)}
		}
		first = had
	}
	if err := s.fillFrom(ctx, first); err != nil || ctx.Err() != nil {
		return cmp.Or(err, ctx.Err())
	}
	if s.options.Keep != "" && first < s.options.Keys {
		if err := c.noteFilled(s.options.Keys); err != nil {
			return &UnusableError{s.Name, c.address, fmt.Errorf("write /%s%s: %w", s.space.dir, filledName, err)}
		}
	}
	s.filled = true
	return nil
}

// fillFrom puts the keys from a number on.
func (s *store) fillFrom(ctx context.Context, first int) error {
	var next atomic.Int64
	next.Store(int64(first))
	var group sync.WaitGroup
	failures := make(chan error, fillers)
	for i := range max(0, min(fillers, s.options.Keys-first)) {
		c := newClient(s.Addresses[i%len(s.Addresses)], s.space, s.options, i)
		group.Go(func() {
			defer c.close()
			for ctx.Err() == nil {
				key := int(next.Add(1)) - 1
				if key >= s.options.Keys {
					return
				}
				if err := c.fill(key); err != nil {
					next.Store(int64(s.options.Keys)) // the others stop too
					failures <- &UnusableError{s.Name, c.address, err}
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-failures:
		return err
	default:
		return nil
	}
}

// fill puts one key, within the timeout.
func (c *client) fill(key int) error {
	if err := c.dial(c.options.Timeout); err != nil {
		return err
	}
	c.expire(time.Now().Add(c.options.Timeout))
	return c.put(key)
}

// sample is what one slice gave.
type sample struct {
	Slice
	operations    int64
	generatorCPU  time.Duration
	residentBytes int64
	failure       error // one of the errors
}

// slice works for a time, or until ctx is done. Each client writes its
// latencies into one of latencies, of which there is one per client.
func (s *store) slice(ctx context.Context, w Workload, length time.Duration, latencies []*hdrhistogram.Histogram) (sample, error) {
	if time.Since(s.used) > maxIdle {
		for _, c := range s.clients {
			c.drop()
		}
	}
	before, err := readUsage(s.PIDs)
	if err != nil {
		return sample{}, err
	}
	generator := generatorCPU()
	begun := time.Now()
	var got sample
	if w == Watch {
		got = s.audience.slice(ctx, length, latencies[0])
	} else {
		got = s.work(ctx, w, length, latencies)
	}
	s.used = time.Now()
	got.Seconds = s.used.Sub(begun).Seconds()
	got.generatorCPU = generatorCPU() - generator
	after, err := readUsage(s.PIDs)
	if err != nil {
		return sample{}, err
	}
	if len(s.PIDs) > 0 {
		seconds := (after.cpu - before.cpu).Seconds()
		got.CPUSeconds, got.residentBytes = &seconds, after.residentBytes
	}
	return got, nil
}

// work lets all clients work for a time.
func (s *store) work(ctx context.Context, w Workload, length time.Duration, latencies []*hdrhistogram.Histogram) sample {
	var stop atomic.Bool
	var group sync.WaitGroup
	parts := make([]sample, len(s.clients))
	for i, c := range s.clients {
		c.expire(time.Time{})
		group.Go(func() { parts[i] = c.work(w, &stop, latencies[i]) })
	}
	wait(ctx, length)
	stop.Store(true)
	for _, c := range s.clients {
		c.expire(time.Now().Add(s.options.Timeout))
	}
	group.Wait()
	var sum sample
	for _, part := range parts {
		sum.Count += part.Count
		sum.operations += part.operations
		sum.Errors += part.Errors
		if part.failure != nil {
			sum.failure = part.failure
		}
	}
	return sum
}

// work does operations until told to stop.
func (c *client) work(w Workload, stop *atomic.Bool, latency *hdrhistogram.Histogram) sample {
	var got sample
	begun := time.Now()
	for !stop.Load() {
		won, err := c.operation(w)
		ended := time.Now()
		if err != nil {
			got.Errors++
			got.failure = fmt.Errorf("%s: %w", c.address, err)
			time.Sleep(errorPause)
			ended = time.Now()
		} else {
			got.operations++
			record(latency, ended.Sub(begun))
			if won {
				got.Count++
			}
		}
		begun = ended
	}
	return got
}

// wait ends after a time or when ctx is done.
func wait(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// remove deletes what was put.
func (s *store) remove() error {
	c := newClient(s.Addresses[0], s.space, s.options, 0)
	defer c.close()
	if err := c.remove(); err != nil {
		return &UnusableError{s.Name, c.address, fmt.Errorf("remove /%s: %w", s.space.dir, err)}
	}
	return nil
}
