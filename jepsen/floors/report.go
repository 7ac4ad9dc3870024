package floors

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

// ErrBelow says that a ratio is below its floor.
var ErrBelow = errors.New("below its floor")

// Spread is the least, the median and the greatest of the slices' ratios.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// String is the median with least and greatest, or that there is none.
func (s *Spread) String() string {
	if s == nil {
		return "not measured"
	}
	return fmt.Sprintf("×%.2f (%.2f to %.2f)", s.Median, s.Min, s.Max)
}

// Result is a row with its figures; a nil figure was not measured.
type Result struct {
	Row
	// Rate and Other are the medians of what both did in a second.
	Rate, Other float64
	// Throughput and CPU are the ratios, ours to the other's.
	Throughput, CPU *Spread
	// Missing says why figures are missing.
	Missing error
}

// Err is nil if the row holds, and wraps [ErrBelow] otherwise.
func (r *Result) Err() error {
	name := fmt.Sprintf("%s, %d members, %d connections", r.Name, r.Members, r.Connections)
	if r.Missing != nil {
		return fmt.Errorf("%s: %w: not measured: %w", name, ErrBelow, r.Missing)
	}
	return errors.Join(below(name+": throughput", r.Throughput, r.PerSecond), below(name+": per CPU second", r.CPU, r.PerCPU))
}

func below(name string, s *Spread, floor float64) error {
	switch {
	case floor == 0:
	case s == nil:
		return fmt.Errorf("%s: %w: not measured", name, ErrBelow)
	case !(s.Median >= floor):
		return fmt.Errorf("%s: %w: ×%.2f, at least ×%.2f", name, ErrBelow, s.Median, floor)
	}
	return nil
}

// Report is all rows of a run.
type Report []Result

// Err joins the rows that do not hold; nil if all do.
func (r Report) Err() error {
	var all error
	for i := range r {
		all = errors.Join(all, r[i].Err())
	}
	return all
}

// Write prints the rows as a table.
func (r Report) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "load\tmembers\tclients\tagainst\tours/s\ttheirs/s\tratio\tat least\tper CPU s\tat least\t")
	for i := range r {
		row := &r[i]
		against, members := "etcd 3.4", fmt.Sprint(row.Members)
		if row.Bare {
			against = "bare"
		}
		if row.Follower {
			members += ", follower"
		}
		verdict := "holds"
		if row.Err() != nil {
			verdict = "BELOW"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%.0f\t%.0f\t%v\t%s\t%v\t%s\t%s\n", row.Name, members, row.Connections, against,
			row.Rate, row.Other, row.Throughput, atLeast(row.PerSecond), row.CPU, atLeast(row.PerCPU), verdict)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func atLeast(floor float64) string {
	if floor == 0 {
		return "—"
	}
	return fmt.Sprintf("×%.2f", floor)
}

// benchReport is what this package reads of the JSON of "holdfast bench".
type benchReport struct {
	Runs []struct {
		Targets []struct {
			PerSecond struct {
				Median float64 `json:"median"`
			} `json:"per_second"`
			Errors      int    `json:"errors"`
			ErrorSample string `json:"error_sample"`
		} `json:"targets"`
		Ratios []struct {
			PerSecond    *Spread `json:"per_second"`
			PerCPUSecond *Spread `json:"per_server_cpu_second"`
		} `json:"ratios"`
	} `json:"runs"`
}

// read takes the figures from what the bench has written.
func (r *Result) read(text []byte) error {
	var b benchReport
	if err := json.Unmarshal(text, &b); err != nil {
		return fmt.Errorf("read the bench's report: %w", err)
	}
	if len(b.Runs) != 1 || len(b.Runs[0].Targets) != 2 || len(b.Runs[0].Ratios) != 1 {
		return fmt.Errorf("read the bench's report: expected one run of two stores: %.200s", text)
	}
	run := b.Runs[0]
	r.Rate, r.Other = run.Targets[0].PerSecond.Median, run.Targets[1].PerSecond.Median
	r.Throughput, r.CPU = run.Ratios[0].PerSecond, run.Ratios[0].PerCPUSecond
	for i, t := range run.Targets {
		if t.Errors > 0 {
			return fmt.Errorf("%d requests to the %s failed: %s", t.Errors, []string{"target", "other"}[i], t.ErrorSample)
		}
	}
	return nil
}
