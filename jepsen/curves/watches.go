package curves

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"holdfast/jepsen/process"
)

const parkedMetric = "holdfast_watchers"

// watches measures puts that nobody watches beside ever more watches of other
// keys, on one member and on several, and the delivery of events to ever more
// watchers of one key.
func (w *walk) watches(ctx context.Context) error {
	w.axis.X = map[string]string{"": "watches of other keys", "delivered": "watchers of the key", "memory": "watches"}
	// A put looks its path and the directories above it up among the watches.
	parked := Rule{Most: 1.3}
	// Few watchers bear the write that they wait for.
	each := Rule{From: 100, Most: 1.5}
	list := w.add(
		Curve{Name: "put, one member", Unit: perOperation, Rule: parked},
		Curve{Name: fmt.Sprintf("put, %d members together", SpreadMembers), Unit: perOperation, Rule: parked},
		Curve{Name: "event by stream", Unit: perEvent, Chart: "delivered", Rule: each},
		Curve{Name: "event by long poll", Unit: perEvent, Chart: "delivered", Rule: each},
		Curve{Name: "resident memory", Unit: "bytes", Chart: "memory", Rule: Rule{From: 10_000, Most: 1.3, PerX: true}})
	if err := w.parked(ctx, list[0], nil, 1, w.Plan.Parked); err != nil {
		return err
	}
	// Elections are not what is measured.
	if err := w.parked(ctx, list[1], list[4], SpreadMembers, w.Plan.Spread, "--heartbeat-interval", "500", "--election-timeout", "5000"); err != nil {
		return err
	}
	return w.delivered(ctx, list[2], list[3])
}

// parked measures puts beside parked watches, and the memory of all members.
func (w *walk) parked(ctx context.Context, puts, memory *Curve, members int, places []int, extra ...string) error {
	c, stop, err := w.cluster(ctx, fmt.Sprintf("parked%d", members), members, extra...)
	if err != nil {
		return err
	}
	lot := &lot{walk: w}
	for _, n := range places {
		if err = w.parkedAt(ctx, c, lot, n, puts, memory); err != nil {
			break
		}
	}
	return stop(errors.Join(err, lot.leave()))
}

func (w *walk) parkedAt(ctx context.Context, c *process.Cluster, lot *lot, n int, puts, memory *Curve) error {
	if err := lot.grow(ctx, c, n); err != nil {
		return err
	}
	points, err := w.bench(ctx, c, float64(n), "--workload", "put", "--connections", "64", "--keep", "curves")
	if err != nil {
		return err
	}
	// Watches that ended meanwhile would have cost nothing.
	var still float64
	for _, m := range c.Members {
		here, err := metric(ctx, m, parkedMetric)
		if err != nil {
			return err
		}
		still += here
	}
	if int(still) != n {
		return fmt.Errorf("%d of %d watches are left after the puts", int(still), n)
	}
	w.point(puts, points[0])
	if memory != nil {
		w.point(memory, Point{X: float64(n), Cost: float64(points[0].Load.RSSBytes)})
	}
	return nil
}

// delivered measures the cost of an event per watcher that gets it.
func (w *walk) delivered(ctx context.Context, stream, poll *Curve) error {
	c, stop, err := w.cluster(ctx, "delivered", 1)
	if err != nil {
		return err
	}
	for _, n := range w.Plan.Watchers {
		for mode, curve := range map[string]*Curve{"stream": stream, "poll": poll} {
			points, benchErr := w.bench(ctx, c, float64(n), "--workload", "watch", "--watchers", strconv.Itoa(n), "--watch-mode", mode)
			if benchErr != nil {
				return stop(benchErr)
			}
			w.point(curve, points[0])
		}
	}
	return stop(nil)
}
