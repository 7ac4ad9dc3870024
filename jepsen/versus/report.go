package versus

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// ErrNotHeld says that a comparison does not come out as it must.
var ErrNotHeld = errors.New("does not hold")

// Line is one comparison. Less is better in all of them.
type Line struct {
	// Name says what was measured, Unit in what: "s" or "MB".
	Name, Unit string
	// AtMost is the ratio, ours to theirs, up to which the line holds. Zero:
	// the line only tells.
	AtMost float64
	// Ours and Theirs are the figures of all rounds, in Unit.
	Ours, Theirs []float64
	// Missing says why figures are missing, as far as that is known.
	Missing string
}

// Ratio is the ratio of the medians, ours to theirs, if there is one.
func (l *Line) Ratio() (ratio float64, known bool) {
	ours, theirs := median(l.Ours), median(l.Theirs)
	if len(l.Ours) == 0 || len(l.Theirs) == 0 || theirs <= 0 {
		return 0, false
	}
	return ours / theirs, true
}

// Err is nil if the line holds, and wraps [ErrNotHeld] otherwise. What could not
// be measured does not hold.
func (l *Line) Err() error {
	if l.AtMost == 0 {
		return nil
	}
	ratio, known := l.Ratio()
	switch {
	case !known || l.Missing != "":
		why := l.Missing
		if why == "" {
			why = "no figures"
		}
		return fmt.Errorf("%s: %w: not measured: %s", l.Name, ErrNotHeld, why)
	case ratio > l.AtMost:
		return fmt.Errorf("%s: %w: ×%.3f, at most ×%.2f", l.Name, ErrNotHeld, ratio, l.AtMost)
	}
	return nil
}

// median is the middle of the figures, the mean of the two in the middle of an
// even number; 0 of none.
func median(figures []float64) float64 {
	if len(figures) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Report is every comparison of a run.
type Report struct {
	// Ours and Theirs name the programs.
	Ours, Theirs string
	Lines        []*Line
}

// Err joins what does not hold; nil if all does.
func (r *Report) Err() error {
	var all error
	for _, l := range r.Lines {
		all = errors.Join(all, l.Err())
	}
	return all
}

// Write prints the report as a table: a line's medians with least and most, the
// ratio of the medians, up to where it holds, and the verdict.
func (r *Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\t%s\t%s\tratio\tat most\t\n", r.Ours, r.Theirs)
	for _, l := range r.Lines {
		ratio, ceiling := "—", "—"
		if x, known := l.Ratio(); known {
			ratio = fmt.Sprintf("×%.2f", x)
		}
		verdict := ""
		if l.AtMost > 0 {
			ceiling, verdict = fmt.Sprintf("×%.2f", l.AtMost), "holds"
		}
		if l.Err() != nil {
			verdict = "DOES NOT HOLD"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, show(l.Ours, l.Unit), show(l.Theirs, l.Unit), ratio, ceiling, verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// show is a cell: the median, and least and most of how many.
func show(figures []float64, unit string) string {
	if len(figures) == 0 {
		return "not measured"
	}
	digits := 3
	if unit == "MB" {
		digits = 0
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', digits, 64) }
	return strings.Join([]string{
		number(median(figures)), unit,
		fmt.Sprintf("(%s to %s, %d)", number(slices.Min(figures)), number(slices.Max(figures)), len(figures)),
	}, " ")
}
