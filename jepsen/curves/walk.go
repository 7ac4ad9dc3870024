package curves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"holdfast/jepsen/process"
)

// Names lists the axes in the order in which they are walked.
var Names = []string{"keys", "connections", "watches", "values"}

// Plan holds the places to measure at, each list growing, and how long.
type Plan struct {
	Keys, Connections, ValueBytes []int
	// Parked are watches of one member, and Spread those of SpreadMembers, on keys
	// that nobody writes. Watchers watch the key that is written.
	Parked, Spread, Watchers []int
	// Slices and Slice are the bench's, for each place.
	Slices int
	Slice  time.Duration
}

// SpreadMembers is the size of the cluster that holds more watches than one
// member takes connections (16,384).
const SpreadMembers = 4

// FullPlan is what the command walks; all of it takes about ten minutes.
func FullPlan() Plan {
	return Plan{
		Keys:        []int{10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000},
		Connections: []int{1, 8, 64, 256, 1000, 2000},
		Parked:      []int{1, 100, 1000, 10_000, 16_000},
		Spread:      []int{4, 1000, 10_000, 50_000},
		Watchers:    []int{1, 10, 100, 1000},
		ValueBytes:  []int{16, 256, 4 << 10, 64 << 10, 1 << 20},
		Slices:      5, Slice: time.Second,
	}
}

// Config is what to do.
type Config struct {
	// Program is Holdfast: the daemon, and "bench" too.
	Program process.Program
	// Dir takes data and logs.
	Dir  string
	Plan Plan
	// Parker is a command that does what [Park] does, given ENDPOINT FIRST COUNT
	// as its last arguments. Each process may hold but so many connections. Empty:
	// this process parks.
	Parker []string
	// Progress takes a line for every measurement.
	Progress io.Writer
}

// walk is an axis under way.
type walk struct {
	Config
	axis Axis
}

// Walk measures along one axis of [Names].
func Walk(ctx context.Context, cfg Config, name string) (Axis, error) {
	w := &walk{Config: cfg, axis: Axis{Name: name}}
	along := map[string]func(context.Context) error{
		"keys": w.keys, "connections": w.connections, "watches": w.watches, "values": w.values,
	}[name]
	if along == nil {
		return Axis{}, fmt.Errorf("curves: %q is no axis: %s", name, strings.Join(Names, ", "))
	}
	before := loadAverage()
	begun := time.Now()
	if err := along(ctx); err != nil {
		return Axis{}, fmt.Errorf("curves: %s: %w", name, err)
	}
	w.axis.Machine = fmt.Sprintf("%d cores, load average %s before and %s after %v",
		runtime.NumCPU(), before, loadAverage(), time.Since(begun).Round(time.Second))
	return w.axis, nil
}

// loadAverage is that of the last minute.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

// add makes room for curves and gives them to fill.
func (w *walk) add(curves ...Curve) []*Curve {
	at := len(w.axis.Curves)
	w.axis.Curves = append(w.axis.Curves, curves...)
	var list []*Curve
	for i := range curves {
		list = append(list, &w.axis.Curves[at+i])
	}
	return list
}

// add puts a point on a curve and tells of it.
func (w *walk) point(c *Curve, p Point) {
	c.Points = append(c.Points, p)
	fmt.Fprintf(w.Progress, "%s, %s: %s: %.4g %s\n", w.axis.Name, c.Name, count(p.X), p.Cost, c.Unit)
}

// cluster starts members in a directory of their own, and stop ends them. A
// stopped store is removed: it may be large.
func (w *walk) cluster(ctx context.Context, name string, members int, extra ...string) (c *process.Cluster, stop func(error) error, err error) {
	dir := filepath.Join(w.Dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("make a directory: %w", err)
	}
	if c, err = process.StartCluster(ctx, w.Program, dir, members, extra...); err != nil {
		return nil, nil, err
	}
	return c, func(err error) error {
		for _, m := range c.Members {
			err = errors.Join(err, m.Unexpected())
		}
		if err = errors.Join(err, c.StopAll()); err != nil {
			return err
		}
		return os.RemoveAll(dir)
	}, nil
}

const (
	perOperation = "CPU µs per operation"
	perEvent     = "CPU µs per event"
)

// connections asks a store of one member over ever more connections.
func (w *walk) connections(ctx context.Context) error {
	c, stop, err := w.cluster(ctx, "connections", 1)
	if err != nil {
		return err
	}
	// Beyond 64, batches and wake-ups are shared as far as they can be.
	rule := Rule{From: 64, Most: 1.5}
	list := w.add(Curve{Name: "put", Unit: perOperation, Rule: rule}, Curve{Name: "get", Unit: perOperation, Rule: rule})
	w.axis.X = map[string]string{"": "connections"}
	for _, n := range w.Plan.Connections {
		if err = w.putAndGet(ctx, c, float64(n), list, "--connections", fmt.Sprint(n), "--keep", "curves"); err != nil {
			break
		}
	}
	return stop(err)
}

// values puts and gets ever larger values.
func (w *walk) values(ctx context.Context) error {
	// The ring holds whole events: with 1,000 of them the store would still be
	// growing when the largest values have been measured.
	c, stop, err := w.cluster(ctx, "values", 1, "--history-events", "100")
	if err != nil {
		return err
	}
	// What a small value costs per byte is the cost of an operation. From here on
	// it is that of carrying bytes, which should not depend on how many.
	rule := Rule{From: 64 << 10, Most: 1.5, PerX: true}
	list := w.add(Curve{Name: "put", Unit: perOperation, Rule: rule}, Curve{Name: "get", Unit: perOperation, Rule: rule})
	w.axis.X = map[string]string{"": "bytes of the value"}
	for _, n := range w.Plan.ValueBytes {
		if err = w.putAndGet(ctx, c, float64(n), list, "--connections", "8", "--keys", "16", "--value-bytes", fmt.Sprint(n)); err != nil {
			break
		}
	}
	return stop(err)
}
