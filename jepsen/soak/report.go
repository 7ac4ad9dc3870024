package soak

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// ErrNotFlat says that something grew, or that a promise was broken.
var ErrNotFlat = errors.New("not flat")

// Upheaval is one thing done to a member, and the time in which clients may go
// without an answer because of it.
type Upheaval struct {
	Member string
	How    string // stopped, killed, paused
	Leader bool   // whether it led
	// At and Until are counted from the start of the load.
	At, Until time.Duration
}

// Series is what was sampled of one member.
type Series struct {
	Member string
	// Points has the points of each of Quantities. A member that was down, or gave
	// no answer, has none of that time.
	Points [][]Point
}

// Stall is a time in which the run's own process stood still: the machine was
// overloaded, or did.
type Stall struct{ At, Until time.Duration }

// Report is what happened.
type Report struct {
	// Most is what was done when nothing was held back, Asked what was asked for
	// then, Done what was: operations a second.
	Most, Asked, Done float64
	// Operations were done while it lasted, watches apart, and Acknowledged of them
	// changed something; Left were due and not begun, because all clients waited.
	Operations, Acknowledged, Left int64
	// Watches were ended by an event, by their client or by their member, and saw
	// so many Events.
	Watches, Events int64
	// Unanswered operations fell into the time of an upheaval or a stall.
	Unanswered int
	Upheavals  []Upheaval
	Stalls     []Stall
	// Series are what was sampled while it lasted, WarmUp of which is not judged.
	Series   []Series
	WarmUp   time.Duration
	Took     time.Duration // from the first paced operation to the last
	Verdicts []Verdict
	// Wrong lists what has nothing to do with growth: lost writes, members that
	// ended, clients without an answer.
	Wrong []string
}

// Err is nil if all is flat and nothing wrong; it wraps ErrNotFlat otherwise.
func (r *Report) Err() error {
	var all []string
	all = append(all, r.Wrong...)
	for _, v := range r.Verdicts {
		if v.Wrong != "" {
			all = append(all, fmt.Sprintf("%s of %s: %s", v.Quantity.Name, v.Member, v.Wrong))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d faults; first: %s", ErrNotFlat, len(all), all[0])
}

// Show prints the figures: what was done, and a line for each series.
func (r *Report) Show(w io.Writer) {
	if r.Most > 0 {
		fmt.Fprintf(w, "the most       %.0f operations a second\n", r.Most)
	}
	fmt.Fprintf(w, "load           %.0f a second asked for, %.0f done, for %v\n", r.Asked, r.Done, r.Took.Round(time.Second))
	fmt.Fprintf(w, "operations     %d, of them %d changes acknowledged; %d left out, for all clients waited\n", r.Operations, r.Acknowledged, r.Left)
	fmt.Fprintf(w, "watches        %d came and went, and saw %d events\n", r.Watches, r.Events)
	how := map[string]int{}
	for _, u := range r.Upheavals {
		how[u.How]++
		if u.Leader {
			how["leader"]++
		}
	}
	fmt.Fprintf(w, "members        %d stopped, %d killed, %d held up; %d of them led; %d operations without an answer meanwhile\n",
		how["stopped"], how["killed"], how["paused"], how["leader"], r.Unanswered)
	longest := time.Duration(0)
	for _, s := range r.Stalls {
		longest = max(longest, s.Until-s.At)
	}
	fmt.Fprintf(w, "machine        stood still %d times, for %v at the longest\n", len(r.Stalls), longest.Round(time.Millisecond))
	fmt.Fprintf(w, "judged         from %v on\n\n", r.WarmUp.Round(time.Second))
	fmt.Fprintf(w, "%-20s %-3s %8s %8s %8s %8s\n", "", "", "first", "last", "slope", "allowed")
	for _, v := range r.Verdicts {
		fmt.Fprintf(w, "%-20s %-3s %8.1f %8.1f %+8.1f %+8.1f\n", v.Quantity.Name+v.Quantity.unit(), v.Member, v.First, v.Last, v.Growth, v.Quantity.tolerance(v.First))
	}
	fmt.Fprintln(w)
	for _, v := range r.Verdicts {
		if v.Wrong != "" {
			fmt.Fprintf(w, "NOT FLAT       %s of %s: %s\n", v.Quantity.Name, v.Member, v.Wrong)
		}
	}
	for _, wrong := range r.Wrong {
		fmt.Fprintf(w, "BROKEN         %s\n", wrong)
	}
	if r.Err() == nil {
		fmt.Fprintln(w, "flat; every acknowledged change is on every member; no answer failed in calm times")
	}
}

// after gives the points of one quantity from a time on.
func (s Series) after(at time.Duration, quantity int) []Point {
	points := s.Points[quantity]
	for i, p := range points {
		if p.At >= at {
			return points[i:]
		}
	}
	return nil
}
