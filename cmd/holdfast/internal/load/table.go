package load

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Heads are the columns of a run's table.
func (r Run) Heads() []string {
	return []string{
		"target", r.Counts + "/s", "least", "most", "p50", "p90", "p99", "p99.9", "max", "errors",
		"CPU s", r.Counts + "/CPU s", "RSS MB",
	}
}

// WriteTable writes one run for people: a line per target, a line per ratio.
func WriteTable(text *bytes.Buffer, run Run) {
	fmt.Fprintf(text, "%s: latency in ms\n", run.Title())
	columns := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, strings.Join(run.Heads(), "\t")+"\t")
	for _, r := range run.Targets {
		fmt.Fprintln(columns, strings.Join(r.Cells(), "\t")+"\t")
	}
	_ = columns.Flush() // a buffer takes all
	for _, r := range run.Ratios {
		fmt.Fprintf(text, "  %s\n", r.Sentence(run.Counts))
	}
	for _, r := range run.Targets {
		if r.Errors > 0 {
			fmt.Fprintf(text, "  %s: an error: %s\n", r.Target, r.ErrorSample)
		}
	}
	text.WriteByte('\n')
}

// Cells are the columns of a result's line; a dash is what was not measured.
func (r Result) Cells() []string {
	cells := []string{
		r.Target, whole(r.PerSecond.Median), whole(r.PerSecond.Min), whole(r.PerSecond.Max),
		millis(r.Latency.P50), millis(r.Latency.P90), millis(r.Latency.P99), millis(r.Latency.P999), millis(r.Latency.Max),
		strconv.FormatInt(r.Errors, 10), "-", "-", "-",
	}
	optional := cells[len(cells)-3:]
	if r.CPUSeconds != nil {
		optional[0] = strconv.FormatFloat(*r.CPUSeconds, 'f', 2, 64)
	}
	if r.PerCPUSecond != nil {
		optional[1] = whole(*r.PerCPUSecond)
	}
	if r.RSSBytes != nil {
		optional[2] = whole(float64(*r.RSSBytes) / 1e6)
	}
	return cells
}

// Sentence says what a ratio is.
func (r Ratio) Sentence(counts string) string {
	if r.PerSecond == nil {
		return fmt.Sprintf("%s/%s: nothing to compare", r.Of, r.Over)
	}
	text := fmt.Sprintf("%s/%s: %s/s %s", r.Of, r.Over, counts, r.PerSecond)
	if r.PerCPU != nil {
		text += fmt.Sprintf("; %s/CPU s %s", counts, r.PerCPU)
	}
	return fmt.Sprintf("%s; %d pairs", text, len(r.Pairs))
}

// String gives the median, and the least and the greatest in brackets.
func (s Spread) String() string {
	return fmt.Sprintf("×%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max)
}

func whole(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }

func millis(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }
