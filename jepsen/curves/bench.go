package curves

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"

	"holdfast/jepsen/process"
)

// measured is what of bench's report is used.
type measured struct {
	Runs []struct {
		Workload string `json:"workload"`
		Targets  []struct {
			Count       int64  `json:"count"`
			Errors      int64  `json:"errors"`
			ErrorSample string `json:"error_sample"`
			PerSecond   struct {
				Median float64 `json:"median"`
			} `json:"per_second"`
			Latency struct {
				P50 float64 `json:"p50"`
				P99 float64 `json:"p99"`
			} `json:"latency_ms"`
			CPUSeconds float64 `json:"server_cpu_seconds"`
			RSSBytes   int64   `json:"server_rss_bytes"`
		} `json:"targets"`
	} `json:"runs"`
}

// bench lets "holdfast bench" ask the first member of a cluster, and gives a
// point of cost per operation for each run. A writer's cost is that of all
// members.
func (w *walk) bench(ctx context.Context, c *process.Cluster, x float64, args ...string) ([]Point, error) {
	leader, err := c.Leader(ctx)
	if err != nil {
		return nil, err
	}
	all := append([]string{"bench", "--timeout", "60s", "--target", "store=" + leader.ClientURL,
		"--pid", "store=" + c.PIDs(), "--json", "-",
		"--warmup", (w.Plan.Slice / 2).String(), "--slice", w.Plan.Slice.String(), "--slices", strconv.Itoa(w.Plan.Slices)}, args...)
	var out, errs bytes.Buffer
	command := exec.CommandContext(ctx, w.Program.Path, all...)
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("holdfast %s: %w: %s", strings.Join(all, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	points, err := readBench(out.Bytes(), x)
	if err != nil {
		return nil, fmt.Errorf("holdfast %s: %w", strings.Join(all, " "), err)
	}
	return points, nil
}

// readBench makes points of bench's JSON.
func readBench(text []byte, x float64) ([]Point, error) {
	var got measured
	if err := json.Unmarshal(text, &got); err != nil {
		return nil, fmt.Errorf("read its report: %w", err)
	}
	var points []Point
	for _, run := range got.Runs {
		if len(run.Targets) != 1 || run.Targets[0].Count == 0 {
			return nil, fmt.Errorf("%s: nothing was measured", run.Workload)
		}
		t := run.Targets[0]
		points = append(points, Point{X: x, Cost: t.CPUSeconds * 1e6 / float64(t.Count), Load: &Load{
			PerSecond: t.PerSecond.Median, P50Millis: t.Latency.P50, P99Millis: t.Latency.P99,
			RSSBytes: t.RSSBytes, Errors: t.Errors,
		}})
	}
	return points, nil
}

// putAndGet measures both at a place, for a curve each.
func (w *walk) putAndGet(ctx context.Context, c *process.Cluster, x float64, list []*Curve, args ...string) error {
	points, err := w.bench(ctx, c, x, append([]string{"--workload", "put,get"}, args...)...)
	if err != nil {
		return err
	}
	if len(points) != 2 {
		return fmt.Errorf("%d runs where put and get were asked for", len(points))
	}
	for i, p := range points {
		w.point(list[i], p)
	}
	return nil
}
