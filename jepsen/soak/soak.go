//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"holdfast/jepsen"
	"holdfast/jepsen/process"
)

// Config is what to do. Every field must be set.
type Config struct {
	Program process.Program
	// Dir takes the data directories and the logs.
	Dir string
	// For is how long the load lasts, at least LeastFor.
	For time.Duration
	// Load is the share of the most that is asked for, above 0 and below 1.
	Load float64
	// Seed makes all draws.
	Seed uint64
	// Progress takes a line for every step.
	Progress io.Writer

	// rate, if not 0, is asked for instead, in operations a second: for tests,
	// which have no time to find out what the most is.
	rate float64
	// beside, if set, runs with the load: it plants what must be found.
	beside func(context.Context, *process.Cluster)
}

// LeastFor is the shortest run that gives each third of it enough samples.
const LeastFor = 5 * time.Second

// The times of a run, and what they shrink to when the run is short.
const (
	betweenUpheavals = time.Minute
	sampleEvery      = 5 * time.Second
	warmUp           = 5 * time.Minute
	startTime        = time.Minute
	// mostShare of the run, between the two bounds, goes to measuring the most
	// before.
	mostShare = 0.05
	leastMost = 2 * time.Second
	mostMost  = 20 * time.Second
)

// members is the size of the cluster.
const members = 3

// snapshotCount makes members take a snapshot every ten seconds or so, so that
// disk and memory go through their cycles often: an entry of a batch may hold all
// that sixty-four clients ask for.
const snapshotCount = "500"

// run is one run under way.
type run struct {
	Config
	between, every time.Duration
	cluster        *process.Cluster
	clients        []*client
	began          time.Time // of the load
	report         *Report

	done, acknowledged, watches, events atomic.Int64
	upheavals                           atomic.Int64 // begun or ended

	mu       sync.Mutex // guards what follows, and report.Upheavals
	wrong    []string
	more     int
	failures []failure
}

// Run does all of it. An error means that the run could not be carried out; what
// it found is in the report.
func Run(ctx context.Context, cfg Config) (rep *Report, err error) {
	if cfg.For < LeastFor || cfg.Load <= 0 || cfg.Load >= 1 {
		return nil, fmt.Errorf("soak: for %v at a load of %v: out of range; at least %v, and a load between 0 and 1", cfg.For, cfg.Load, LeastFor)
	}
	r := &run{
		Config: cfg, began: time.Now(), report: &Report{WarmUp: min(warmUp, cfg.For/3)},
		between: min(betweenUpheavals, cfg.For/6), every: min(sampleEvery, cfg.For/100),
	}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if r.cluster, err = process.StartCluster(starting, cfg.Program, cfg.Dir, members, "--snapshot-count", snapshotCount); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	defer func() { err = errors.Join(err, r.cluster.StopAll()) }()
	for _, m := range r.cluster.Members {
		r.report.Series = append(r.report.Series, Series{m.Name, make([][]Point, len(Quantities()))})
	}
	for id := range clients {
		r.clients = append(r.clients, newClient(r, id))
	}
	if err := r.findPace(ctx); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	if err := r.load(ctx); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	if err := r.readBack(ctx); err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	for _, m := range r.cluster.Members {
		if err := m.Unexpected(); err != nil {
			r.accuse(err.Error())
		}
	}
	r.judge()
	return r.report, nil
}

// now is the clock of all clients: since the load began.
func (r *run) now() int64 { return int64(time.Since(r.began)) }

func (r *run) progress(format string, args ...any) {
	fmt.Fprintf(r.Progress, "%8s  %s\n", time.Duration(r.now()).Round(time.Second), fmt.Sprintf(format, args...))
}

// findPace lets the clients ask as fast as they are answered, to find out what a
// share of that is. The first third does not count.
func (r *run) findPace(ctx context.Context) error {
	if r.rate > 0 {
		r.report.Asked = r.rate
		return nil
	}
	takes := min(max(time.Duration(mostShare*float64(r.For)), leastMost), mostMost)
	end := time.Now().Add(takes)
	warm := time.AfterFunc(takes/3, func() { r.done.Store(0) })
	defer warm.Stop()
	r.ask(func() bool { return ctx.Err() == nil && time.Now().Before(end) })
	if err := ctx.Err(); err != nil {
		return err
	}
	r.report.Most = float64(r.done.Load()) / (takes * 2 / 3).Seconds()
	r.report.Asked = r.Load * r.report.Most
	if r.report.Asked == 0 {
		return fmt.Errorf("nothing was answered within %v; see the members' logs", takes)
	}
	r.progress("the most is %.0f operations a second; %.0f are asked for", r.report.Most, r.report.Asked)
	return nil
}

// ask lets all clients work until next says no to them.
func (r *run) ask(next func() bool) {
	var all sync.WaitGroup
	for _, c := range r.clients {
		all.Go(func() { c.work(next) })
	}
	all.Wait()
}

// load is the run itself. It ends early if a member ended by itself, or could not
// be brought back.
func (r *run) load(ctx context.Context) error {
	for i := range r.failures { // while the pace was found: before the load began
		r.failures[i].from -= time.Duration(r.now())
		r.failures[i].to -= time.Duration(r.now())
	}
	r.began = time.Now()
	r.done.Store(0)
	r.acknowledged.Store(0)
	until := r.began.Add(r.For)
	// Not a deadline: clients would take it for their own, and find it passed a
	// moment before the context has ended.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	end := time.AfterFunc(r.For, cancel)
	defer end.Stop()
	var all sync.WaitGroup
	errs := make([]error, members+1)
	watched := func(i int, work func() error) {
		all.Go(func() {
			if errs[i] = work(); errs[i] != nil {
				cancel()
			}
		})
	}
	for i, m := range r.cluster.Members {
		watched(i, func() error { return r.sampleOne(ctx, m, &r.report.Series[i]) })
	}
	watched(members, func() error { return r.upset(ctx, until) })
	all.Go(func() { r.findStalls(ctx) })
	for id := range polls + streams {
		all.Go(func() { r.watch(ctx, id) })
	}
	if r.beside != nil {
		all.Go(func() { r.beside(ctx, r.cluster) })
	}
	p := newPace(r.report.Asked)
	all.Go(func() { p.keep(ctx) })
	r.ask(p.next)
	all.Wait()
	r.report.Took = time.Duration(r.now())
	r.report.Operations, r.report.Acknowledged, r.report.Left = r.done.Load(), r.acknowledged.Load(), p.left
	r.report.Done = float64(r.report.Operations) / r.report.Took.Seconds()
	r.report.Watches, r.report.Events = r.watches.Load(), r.events.Load()
	if err := errors.Join(errs...); err != nil {
		r.accuse(err.Error())
	}
	if r.report.Took < r.For-time.Second && len(r.wrong) == 0 {
		return context.Cause(ctx)
	}
	return nil
}

const (
	// stallTick is how often it is looked whether this process still runs, stall the
	// gap between two looks from which it is taken for stopped.
	stallTick = 50 * time.Millisecond
	stall     = 500 * time.Millisecond
)

// findStalls notes when this process did not run, although it had to: then the
// members, on the same machine, did not either, and need not have answered.
func (r *run) findStalls(ctx context.Context) {
	tick := time.NewTicker(stallTick)
	defer tick.Stop()
	last := r.now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := r.now()
		if gap := time.Duration(now - last); gap >= stall {
			r.report.Stalls = append(r.report.Stalls, Stall{At: time.Duration(last), Until: time.Duration(now)})
		}
		last = now
	}
}

// readBack asks every member for all it holds, when it has the last write: who has
// that has all that were acknowledged before.
func (r *run) readBack(ctx context.Context) error {
	if len(r.wrong) > 0 && !r.allRun() {
		return nil // a member is gone
	}
	c := &jepsen.Client{Process: clients + polls + streams, Timeout: askTime, Now: r.now}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	last := key{path: lastKey}
	for _, m := range r.cluster.Members {
		c.Endpoint = m.ClientURL
		if err := r.until(ctx, "the last write", func() bool {
			o := c.Do(ctx, jepsen.Operation{Op: jepsen.Write, Key: lastKey, Arg: m.Name})
			last.learn(&o)
			return o.Outcome == jepsen.OK
		}); err != nil {
			return err
		}
	}
	for _, m := range r.cluster.Members {
		c.Endpoint = m.ClientURL
		if err := r.until(ctx, m.Name+" to have it", func() bool {
			o := c.Do(ctx, jepsen.Operation{Op: jepsen.LocalRead, Key: lastKey})
			return o.Outcome == jepsen.OK && o.Result == last.acked
		}); err != nil {
			return err
		}
		for _, owner := range r.clients {
			var o jepsen.Operation
			if err := r.until(ctx, "a listing of "+m.Name, func() bool {
				o = c.Do(ctx, jepsen.Operation{Op: jepsen.LocalList, Key: owner.dir})
				return o.Outcome == jepsen.OK
			}); err != nil {
				return err
			}
			owner.learnList(&o)
		}
	}
	return nil
}

func (r *run) allRun() bool {
	for _, m := range r.cluster.Members {
		if !m.Running() {
			return false
		}
	}
	return true
}

func (r *run) until(ctx context.Context, what string, done func() bool) error {
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w; see the members' logs", what, ctx.Err())
		case <-time.After(fleePause):
		}
	}
	return nil
}

// --- What is wrong -----------------------------------------------------------

const (
	// maxWrong bounds what is kept of what is wrong, maxFailures the operations
	// without an answer.
	maxWrong    = 20
	maxFailures = 100_000
)

// accuse notes what is wrong; an empty text is nothing.
func (r *run) accuse(text string) {
	if text == "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) == maxWrong {
		r.more++
		return
	}
	r.wrong = append(r.wrong, text)
}

// failure is an operation without an answer.
type failure struct {
	from, to time.Duration
	text     string
}

func (r *run) unanswered(o *jepsen.Operation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) < maxFailures {
		text := fmt.Sprintf("%s of %s through %s: %s", o.Op, o.Key, o.Member, o.Error)
		r.failures = append(r.failures, failure{time.Duration(o.Call), time.Duration(o.Return), text})
	}
}

// judge draws the conclusions.
func (r *run) judge() {
	r.mu.Lock()
	defer r.mu.Unlock()
	calm := 0
	for _, f := range r.failures {
		if r.explained(f) {
			r.report.Unanswered++
			continue
		}
		if calm++; calm <= maxWrong {
			r.report.Wrong = append(r.report.Wrong, fmt.Sprintf("no answer in calm times, from %v to %v: %s",
				f.from.Round(time.Millisecond), f.to.Round(time.Millisecond), f.text))
		}
	}
	if calm > maxWrong {
		r.report.Wrong = append(r.report.Wrong, fmt.Sprintf("and %d more operations without an answer in calm times", calm-maxWrong))
	}
	r.report.Wrong = append(r.report.Wrong, r.wrong...)
	if r.more > 0 {
		r.report.Wrong = append(r.report.Wrong, fmt.Sprintf("and %d more wrong answers", r.more))
	}
	for i, s := range r.report.Series {
		for q, quantity := range Quantities() {
			r.report.Verdicts = append(r.report.Verdicts, Judge(r.cluster.Members[i].Name, quantity, s.after(r.report.WarmUp, q)))
		}
	}
}

// explained tells whether the failure fell into the time of an upheaval or a stall.
func (r *run) explained(f failure) bool {
	for _, u := range r.report.Upheavals {
		if f.from <= u.Until && f.to >= u.At {
			return true
		}
	}
	for _, s := range r.report.Stalls {
		if f.from <= s.Until+settle && f.to >= s.At {
			return true
		}
	}
	return false
}
