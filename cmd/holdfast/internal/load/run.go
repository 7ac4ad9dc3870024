package load

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Measure makes all runs and hands each to done as soon as it has ended. When
// ctx is done it stops in an orderly way and returns what was measured until
// then. A store that cannot be used at all is an *UnusableError; what a run
// met later is counted in its results. All keys are put below a directory of
// their own, which is removed at the end; an error of that alone leaves the
// report whole.
func Measure(ctx context.Context, o Options, done func(Run)) (Report, error) {
	report := Report{Started: time.Now().UTC().Truncate(time.Second), Settings: settingsOf(o), Runs: []Run{}}
	stores := make([]*store, len(o.Targets))
	space := newKeyspace()
	if o.Keep != "" {
		space.dir = o.Keep
	}
	for i, t := range o.Targets {
		stores[i] = &store{Target: t, options: &o, space: space}
		if _, err := readUsage(t.PIDs); err != nil {
			return report, err
		}
	}
	err := measureAll(ctx, stores, o, func(run Run) {
		report.Runs = append(report.Runs, run)
		done(run)
	})
	report.Interrupted = ctx.Err() != nil
	if report.Interrupted && errors.Is(err, ctx.Err()) {
		err = nil
	}
	for _, s := range stores {
		if s.touched && o.Keep == "" {
			err = cmp.Or(err, s.remove())
		}
	}
	return report, err
}

func settingsOf(o Options) Settings {
	mode := "poll"
	if o.Stream {
		mode = "stream"
	}
	return Settings{
		Slices: o.Slices, SliceSeconds: o.Slice.Seconds(), WarmupSeconds: o.Warmup.Seconds(),
		ValueBytes: o.ValueBytes, Keys: o.Keys, HotKeys: o.HotKeys,
		Watchers: o.Watchers, WatchMode: mode, TTLSeconds: o.TTLSeconds, ReadPercent: o.ReadPercent,
	}
}

func measureAll(ctx context.Context, stores []*store, o Options, done func(Run)) error {
	for _, w := range o.Workloads {
		connections := o.Connections
		if w == Watch {
			connections = []int{1}
		}
		for _, n := range connections {
			run, err := measure(ctx, stores, w, n)
			if err != nil {
				return err
			}
			if len(run.Targets) > 0 {
				done(run)
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return nil
}

// tally gathers the slices of one target in a run.
type tally struct {
	result       Result
	latency      *hdrhistogram.Histogram
	generatorCPU time.Duration
	resident     int64
}

// measure makes one run. Interrupted before its first slice has ended, it has
// no targets.
func measure(ctx context.Context, stores []*store, w Workload, connections int) (Run, error) {
	run := Run{Workload: w, Connections: connections, Counts: w.Counts(), Ratios: []Ratio{}}
	tallies := make([]tally, len(stores))
	for i, s := range stores {
		defer s.close()
		s.touched = true
		if w.needsKeys() {
			if err := s.fill(ctx); err != nil {
				return run, err
			}
		}
		if err := s.open(w, connections); err != nil {
			return run, err
		}
		tallies[i] = tally{result: Result{Target: s.Name, Addresses: s.Addresses, Slices: []Slice{}}, latency: newHistogram()}
	}
	o := stores[0].options
	// The stores take turns, so one set serves them all.
	latencies := make([]*hdrhistogram.Histogram, connections)
	for i := range latencies {
		latencies[i] = newHistogram()
	}
	for _, s := range stores {
		if o.Warmup == 0 {
			break
		}
		if _, err := s.slice(ctx, w, o.Warmup, latencies); err != nil {
			return run, err
		}
		gather(nil, latencies)
	}
	for range o.Slices {
		for i, s := range stores {
			if ctx.Err() != nil {
				break
			}
			got, err := s.slice(ctx, w, o.Slice, latencies)
			if err != nil {
				return run, err
			}
			tallies[i].add(got)
			gather(tallies[i].latency, latencies)
		}
	}
	if len(tallies[0].result.Slices) == 0 {
		return run, nil
	}
	for i := range tallies {
		run.Targets = append(run.Targets, tallies[i].close())
		if i > 0 {
			run.Ratios = append(run.Ratios, ratioOf(run.Targets[0], run.Targets[i]))
		}
	}
	return run, nil
}

// gather empties histograms into one; nil discards them.
func gather(into *hdrhistogram.Histogram, from []*hdrhistogram.Histogram) {
	for _, h := range from {
		if into != nil {
			into.Merge(h)
		}
		h.Reset()
	}
}

// add takes a slice. One that was cut off so early that it says nothing is left
// out.
func (t *tally) add(got sample) {
	if got.Seconds < MinSlice.Seconds()/2 {
		return
	}
	r := &t.result
	r.Slices = append(r.Slices, got.Slice)
	r.Count += got.Count
	r.Operations += got.operations
	r.Errors += got.Errors
	r.Seconds += got.Seconds
	if got.failure != nil {
		r.ErrorSample = got.failure.Error()
	}
	t.generatorCPU += got.generatorCPU
	t.resident = max(t.resident, got.residentBytes)
}

// close sums up.
func (t *tally) close() Result {
	r := t.result
	var rates []float64
	var cpu float64
	known := false
	for _, s := range r.Slices {
		rates = append(rates, s.rate())
		if s.CPUSeconds != nil {
			cpu += *s.CPUSeconds
			known = true
		}
	}
	if spread := spreadOf(rates); spread != nil {
		r.PerSecond = *spread
	}
	r.Latency = latencyOf(t.latency)
	if known {
		r.CPUSeconds, r.RSSBytes = &cpu, &t.resident
		if cpu > 0 {
			perCPU := float64(r.Count) / cpu
			r.PerCPUSecond = &perCPU
		}
	}
	if t.generatorCPU > 0 {
		seconds := t.generatorCPU.Seconds()
		r.GeneratorCPUSeconds = &seconds
	}
	return r
}

// generatorCPU is the CPU time of this process; 0 where it cannot be read.
func generatorCPU() time.Duration {
	u, err := processUsage(os.Getpid())
	if err != nil {
		return 0
	}
	return u.cpu
}
