package load

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// sampleReport is a report of all kinds of results.
func sampleReport() Report {
	number := func(v float64) *float64 { return &v }
	resident := int64(123_456_789)
	curve := []Point{{50, 1.5}, {90, 4}, {99, 20}, {99.9, 64.1}}
	first := Result{
		Target: "holdfast", Addresses: []string{"127.0.0.1:1", "127.0.0.1:2"}, Count: 300, Operations: 300, Seconds: 2,
		PerSecond: Spread{100, 150, 200}, Latency: Latency{1.5, 4, 20, 64.1, 70.25, curve},
		CPUSeconds: number(0.5), PerCPUSecond: number(600), RSSBytes: &resident, GeneratorCPUSeconds: number(0.25),
		Slices: []Slice{{1, 100, 0, number(0.2)}, {1, 200, 0, number(0.3)}},
	}
	other := Result{
		Target: "<script>alert(1)</script>", Addresses: []string{"127.0.0.1:3"}, Count: 100, Operations: 150, Errors: 2,
		ErrorSample: `127.0.0.1:3: status 500: <img src="http://x">`, Seconds: 2,
		PerSecond: Spread{50, 50, 50}, Latency: Latency{3, 5, 21, 64.1, 64.1, curve[:3]},
		Slices: []Slice{{1, 50, 1, nil}, {1, 50, 1, nil}},
	}
	silent := Result{Target: "silent", Addresses: []string{"127.0.0.1:4"}, Slices: []Slice{{1, 0, 9, nil}}, Errors: 9, ErrorSample: "EOF"}
	run := Run{Workload: CAS, Connections: 8, Counts: "wins", Targets: []Result{first, other, silent}}
	run.Ratios = []Ratio{ratioOf(first, other), ratioOf(first, silent)}
	return Report{
		Version: "1.2.3", Started: time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC), Interrupted: true,
		Settings: settingsOf(Options{Slices: 2, Slice: time.Second, Warmup: time.Second / 2, ValueBytes: 256, Keys: 100, HotKeys: 1, Watchers: 10, TTLSeconds: 2, ReadPercent: 90}),
		Runs: []Run{run, {Workload: Watch, Connections: 1, Counts: "events", Targets: []Result{first}, Ratios: []Ratio{}},
			{Workload: Get, Connections: 1, Counts: "ops", Targets: []Result{silent}, Ratios: []Ratio{}}},
	}
}

// The forms people and programs read do not change by accident.
func TestReportGolden(t *testing.T) {
	report := sampleReport()
	var table, page bytes.Buffer
	for _, run := range report.Runs {
		WriteTable(&table, run)
	}
	require.NoError(t, WriteHTML(&page, report))
	encoded, err := json.MarshalIndent(report, "", "  ")
	require.NoError(t, err)
	for name, got := range map[string][]byte{"table.txt": table.Bytes(), "report.json": encoded, "page.html": page.Bytes()} {
		file := filepath.Join("testdata", name)
		if *update {
			require.NoError(t, os.WriteFile(file, got, 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), "%s: if meant, go test ./cmd/holdfast/internal/load -update", name)
	}
}

// The page asks nobody for anything, and what servers say stays text.
func TestPageIsSelfContained(t *testing.T) {
	var page bytes.Buffer
	require.NoError(t, WriteHTML(&page, sampleReport()))
	text := page.String()
	assert.NotRegexp(t, regexp.MustCompile(`(?i)<(script|link|img|iframe|object)|\bsrc=|\bhref=|url\(|@import`), strings.ReplaceAll(text, "&lt;img src=", ""))
	assert.Contains(t, text, "&lt;script&gt;alert")
	assert.Contains(t, text, "prefers-color-scheme: dark")
	assert.Equal(t, 2, strings.Count(text, "<svg"), "a run without answers has no curve")
	assert.Equal(t, 3, strings.Count(text, "<polyline"))
	assert.NotContains(t, text, "NaN")
	assert.NotContains(t, text, "Inf")
}

// Curves of any shape are laid out on the paper, their names apart.
func TestChart(t *testing.T) {
	flat := func(name string, ms float64, percentiles ...float64) Result {
		r := Result{Target: name}
		for _, p := range percentiles {
			r.Latency.Curve = append(r.Latency.Curve, Point{p, ms})
		}
		return r
	}
	for name, targets := range map[string][]Result{
		"one point":       {flat("a", 0.5, 20)},
		"a power of ten":  {flat("a", 1, 20, 50)},
		"under a micro":   {flat("a", 0, 20, 50)},
		"hours and nines": {flat("a", 0.01, 20), flat("b", 100_000, 99.999999)},
		"equal":           {flat("a", 3, 20, 99), flat("b", 3, 20, 99), flat("c", 3, 20, 99)},
		"a long name":     {flat(strings.Repeat("n", 64), 3, 20)},
	} {
		c := newChart(Run{Targets: targets})
		require.Len(t, c.Lines, len(targets), name)
		assert.GreaterOrEqual(t, len(c.YTicks), 2, name)
		assert.LessOrEqual(t, len(c.YTicks), 10, name)
		for i, line := range c.Lines {
			assert.False(t, math.IsNaN(line.endY), name)
			assert.True(t, line.endX >= chartLeft && line.endX <= chartRight, name)
			assert.True(t, line.endY >= chartTop-1 && line.endY <= chartBottom+1, "%s: %v", name, line.endY)
			assert.LessOrEqual(t, len([]rune(line.Name)), maxLabel, name)
			if i > 0 {
				assert.GreaterOrEqual(t, math.Abs(line.labelY-c.Lines[i-1].labelY), float64(labelGap), name)
			}
		}
	}
	assert.Empty(t, newChart(Run{Targets: []Result{{Target: "a"}}}).Lines)

	var steps []string
	for _, y := range newChart(Run{Targets: []Result{flat("a", 0.06, 20), flat("b", 8, 90)}}).YTicks {
		steps = append(steps, y.Text)
	}
	assert.Equal(t, []string{"0.05", "0.1", "0.2", "0.5", "1", "2", "5", "10"}, steps)
	wide := newChart(Run{Targets: []Result{flat("a", 0.06, 20), flat("b", 800, 90)}}).YTicks
	assert.Equal(t, "1000", wide[len(wide)-1].Text)
}
