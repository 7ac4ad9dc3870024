package load

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Report is all that one call measured.
type Report struct {
	// Version is that of the program that measured.
	Version  string    `json:"holdfast"`
	Started  time.Time `json:"started"`
	Settings Settings  `json:"settings"`
	// Interrupted says that the call was stopped before its end: the last run
	// may have fewer slices, and runs may be missing.
	Interrupted bool  `json:"interrupted"`
	Runs        []Run `json:"runs"`
}

// Settings are the options that all runs share.
type Settings struct {
	Slices        int     `json:"slices"`
	SliceSeconds  float64 `json:"slice_seconds"`
	WarmupSeconds float64 `json:"warmup_seconds"`
	ValueBytes    int     `json:"value_bytes"`
	Keys          int     `json:"keys"`
	HotKeys       int     `json:"hot_keys"`
	Watchers      int     `json:"watchers"`
	WatchMode     string  `json:"watch_mode"`
	TTLSeconds    int     `json:"ttl_seconds"`
	ReadPercent   int     `json:"read_percent"`
}

// Run is one workload with one number of connections against all targets.
type Run struct {
	Workload Workload `json:"workload"`
	// Connections per target; of Watch the writer's one.
	Connections int `json:"connections"`
	// Counts names what rates count: ops, wins or events.
	Counts  string   `json:"counts"`
	Targets []Result `json:"targets"`
	Ratios  []Ratio  `json:"ratios"`
}

// Result is what one target did in a run. What was not measured is nil.
type Result struct {
	Target    string   `json:"target"`
	Addresses []string `json:"addresses"`
	// Count is of what the run counts. Operations is of all that were answered;
	// of Watch: the writes.
	Count       int64   `json:"count"`
	Operations  int64   `json:"operations"`
	Errors      int64   `json:"errors"`
	ErrorSample string  `json:"error_sample,omitempty"`
	Seconds     float64 `json:"seconds"` // in slices
	// PerSecond is of the rates of the slices.
	PerSecond Spread `json:"per_second"`
	// Latency is of operations; of Watch: from sending the write to the event's
	// arrival at each watcher.
	Latency Latency `json:"latency_ms"`
	// Server's CPU time within the slices, what it did per second of it, and
	// the most memory it held at the end of a slice.
	CPUSeconds   *float64 `json:"server_cpu_seconds,omitempty"`
	PerCPUSecond *float64 `json:"per_server_cpu_second,omitempty"`
	RSSBytes     *int64   `json:"server_rss_bytes,omitempty"`
	// GeneratorCPUSeconds is what this program used meanwhile: near the number
	// of free cores, it measures itself.
	GeneratorCPUSeconds *float64 `json:"generator_cpu_seconds,omitempty"`
	Slices              []Slice  `json:"slices"`
}

// Slice is one turn of a target.
type Slice struct {
	Seconds    float64  `json:"seconds"`
	Count      int64    `json:"count"`
	Errors     int64    `json:"errors"`
	CPUSeconds *float64 `json:"server_cpu_seconds,omitempty"`
}

func (s Slice) rate() float64 { return float64(s.Count) / s.Seconds }

// perCPU is what was done per second of CPU time; false if that is not known or
// too little to tell.
func (s Slice) perCPU() (float64, bool) {
	if s.CPUSeconds == nil || *s.CPUSeconds <= 0 {
		return 0, false
	}
	return float64(s.Count) / *s.CPUSeconds, true
}

// Ratio holds the first target of a run against another, pair by pair of
// slices: above 1 the first did more.
type Ratio struct {
	Of        string    `json:"of"`
	Over      string    `json:"over"`
	PerSecond *Spread   `json:"per_second,omitempty"`
	PerCPU    *Spread   `json:"per_server_cpu_second,omitempty"`
	Pairs     []float64 `json:"pairs"` // of PerSecond, in the order of the slices
}

// Spread is the least, the middle and the greatest of some values.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// spreadOf is nil without values. The median of an even number is the mean of
// the middle two.
func spreadOf(values []float64) *Spread {
	n := len(values)
	if n == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(values))
	return &Spread{Min: sorted[0], Median: (sorted[(n-1)/2] + sorted[n/2]) / 2, Max: sorted[n-1]}
}

// ratioOf holds the slices of one target against another's. Slices without a
// partner, and partners that did nothing, are left out.
func ratioOf(first, other Result) Ratio {
	r := Ratio{Of: first.Target, Over: other.Target, Pairs: []float64{}}
	var cpu []float64
	for i := range min(len(first.Slices), len(other.Slices)) {
		a, b := first.Slices[i], other.Slices[i]
		if b.Count == 0 {
			continue
		}
		r.Pairs = append(r.Pairs, a.rate()/b.rate())
		ofA, okA := a.perCPU()
		ofB, okB := b.perCPU()
		if okA && okB {
			cpu = append(cpu, ofA/ofB)
		}
	}
	r.PerSecond, r.PerCPU = spreadOf(r.Pairs), spreadOf(cpu)
	return r
}

// Latency holds percentiles in milliseconds, and the curve to draw.
type Latency struct {
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p99.9"`
	Max   float64 `json:"max"`
	Curve []Point `json:"curve"`
}

// Point is one of the latency curve: that many percent took no longer.
type Point struct {
	Percentile float64 `json:"percentile"`
	Millis     float64 `json:"ms"`
}

const (
	// longestMicros is the longest latency told apart from longer ones.
	longestMicros = 100_000_000
	// latencyDigits is the precision of latencies, in decimal digits.
	latencyDigits = 3
	// curveSteps is the number of points of the curve from one nine to the next.
	curveSteps = 10
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longestMicros, latencyDigits)
}

// record notes a latency.
func record(h *hdrhistogram.Histogram, d time.Duration) {
	// Only a value out of range is an error, and this one is not.
	_ = h.RecordValue(min(max(d.Microseconds(), 0), longestMicros))
}

func latencyOf(h *hdrhistogram.Histogram) Latency {
	at := func(percentile float64) float64 { return float64(h.ValueAtPercentile(percentile)) / 1000 }
	l := Latency{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000, Curve: []Point{}}
	// The curve ends where less than one operation lies beyond. It does not
	// begin at 0: the one fastest operation says nothing.
	for step := 1; ; step++ {
		beyond := math.Pow(10, -float64(step)/curveSteps)
		if beyond*float64(h.TotalCount()) < 1 {
			return l
		}
		percentile := math.Round((1-beyond)*1e8) / 1e6
		l.Curve = append(l.Curve, Point{Percentile: percentile, Millis: at(percentile)})
	}
}

// Floor is what ratios must reach. Zeros ask for nothing.
type Floor struct {
	PerSecond float64 // least median ratio of rates
	PerCPU    float64 // least median ratio of rates per second of server CPU time
}

// Misses lists in words where a report stays below the floor. What could not be
// compared is a miss too: a floor that was not seen does not hold.
func (f Floor) Misses(r Report) []string {
	var misses []string
	check := func(run Run, ratio Ratio, what string, got *Spread, least float64) {
		at := fmt.Sprintf("%s: %s/%s, %s", run.Title(), ratio.Of, ratio.Over, what)
		switch {
		case least == 0:
		case got == nil:
			misses = append(misses, at+": nothing to compare")
		case got.Median < least:
			misses = append(misses, fmt.Sprintf("%s: the median ratio %.3f is below %.3f", at, got.Median, least))
		}
	}
	for _, run := range r.Runs {
		for _, ratio := range run.Ratios {
			check(run, ratio, run.Counts+" per second", ratio.PerSecond, f.PerSecond)
			check(run, ratio, run.Counts+" per server CPU second", ratio.PerCPU, f.PerCPU)
		}
	}
	if r.Interrupted && f != (Floor{}) {
		misses = append(misses, "interrupted before all was measured")
	}
	return misses
}

// Title names a run in a line of text.
func (r Run) Title() string {
	if r.Workload == Watch {
		return string(r.Workload)
	}
	if r.Connections == 1 {
		return string(r.Workload) + ", 1 connection"
	}
	return fmt.Sprintf("%s, %d connections", r.Workload, r.Connections)
}
