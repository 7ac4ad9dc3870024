package soak

import (
	"fmt"
	"slices"
	"time"
)

// Quantity is what is sampled of a member, and how much of it may come on top in
// the judged part of a run before that counts as growth.
type Quantity struct {
	Name string
	Unit string
	// Share and More are the tolerance: a share of the level at the beginning, and
	// so much on top in the quantity's unit.
	Share, More float64
}

// Quantities lists what is sampled, in the order of Sample.Values.
//
// Goroutines and descriptors follow connections and watches, whose number is
// drawn. Memory has the collector's cycle in it, and what Go has not given back to
// the system yet; disk the cycle of segments and snapshots: 4 MiB and some.
func Quantities() []Quantity {
	return []Quantity{
		{"goroutines", "", 0.10, 20},
		{"descriptors", "", 0.10, 15},
		{"resident memory", "MiB", 0.15, 12},
		{"heap in use", "MiB", 0.15, 8},
		{"disk", "MiB", 0.15, 8},
	}
}

// tolerance is what may come on top of a level.
func (q Quantity) tolerance(level float64) float64 { return q.Share*level + q.More }

// unit is what follows a figure.
func (q Quantity) unit() string {
	if q.Unit == "" {
		return ""
	}
	return " " + q.Unit
}

// Point is one sample of one quantity.
type Point struct {
	At    time.Duration // since the load began
	Value float64
}

// minPoints is how many points each third needs to be judged.
const minPoints = 5

// Verdict is what a series comes to.
type Verdict struct {
	Member   string
	Quantity Quantity
	// First and Last are the medians of the first and the last third, Growth what
	// the robust slope (Theil and Sen: the median of the slopes of all pairs) makes
	// of the whole time.
	First, Last, Growth float64
	// Wrong says why it is not flat; empty if it is.
	Wrong string
}

// Judge says whether a series is flat: neither the median of its last third is
// above that of the first, nor does its robust slope, over its whole time, add up
// to more, than the tolerance allows. Spikes and cycles leave medians where they
// are. What it cannot see is a step in the last sixth, or a leak so slow that it
// stays within the tolerance.
func Judge(member string, q Quantity, points []Point) Verdict {
	v := Verdict{Member: member, Quantity: q}
	if len(points) < 3*minPoints {
		v.Wrong = fmt.Sprintf("%d samples: too few to say anything; let it run longer", len(points))
		return v
	}
	begin, end := points[0].At, points[len(points)-1].At
	var first, last []float64
	for _, p := range points {
		switch {
		case p.At <= begin+(end-begin)/3:
			first = append(first, p.Value)
		case p.At >= end-(end-begin)/3:
			last = append(last, p.Value)
		}
	}
	if len(first) < minPoints || len(last) < minPoints {
		v.Wrong = "too few samples in the first or the last third; was it down for long?"
		return v
	}
	v.First, v.Last = median(first), median(last)
	v.Growth = slope(points) * (end - begin).Seconds()
	allowed := q.tolerance(v.First)
	switch {
	case v.Last-v.First > allowed:
		v.Wrong = fmt.Sprintf("the level rose from %.1f to %.1f%s; %.1f more are allowed", v.First, v.Last, q.unit(), allowed)
	case v.Growth > allowed:
		v.Wrong = fmt.Sprintf("it grows, by %.1f%s in %v; %.1f are allowed", v.Growth, q.unit(), (end - begin).Round(time.Second), allowed)
	}
	return v
}

func median(values []float64) float64 {
	values = slices.Clone(values)
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// maxPairPoints bounds the points of which all pairs are looked at.
const maxPairPoints = 600

// slope is the estimate of Theil and Sen, per second.
func slope(points []Point) float64 {
	step := (len(points) + maxPairPoints - 1) / maxPairPoints
	var slopes []float64
	for i := 0; i < len(points); i += step {
		for j := i + step; j < len(points); j += step {
			if dt := (points[j].At - points[i].At).Seconds(); dt > 0 {
				slopes = append(slopes, (points[j].Value-points[i].Value)/dt)
			}
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	return median(slopes)
}
