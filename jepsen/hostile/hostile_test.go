//go:build unix

package hostile

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// small is a row of the table with fewer clients.
func small(t *testing.T, name string, count int, want map[string]int) Row {
	all := Rows()
	i := slices.IndexFunc(all, func(r Row) bool { return r.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	r := all[i]
	r.Count, r.Want, r.Alone = count, want, false
	return r
}

// A small attack of each kind holds, and one that expects another answer, or one
// answer more, does not. The whole table, at its true size, is holdfast-jepsen
// hostile.
func TestRows(t *testing.T) {
	rows := []Row{
		small(t, "watches, closed", 20, map[string]int{parked: 20}),
		small(t, "watches, reset", 20, map[string]int{parked: 20}),
		small(t, "half-closed connections", 20, map[string]int{"201": 20}),
		small(t, "bodies of 100 MiB", 1, map[string]int{tooLong: 1}),
		small(t, "broken escapes", 1, Rows()[indexOf(t, "broken escapes")].wantOnce()),
		small(t, "ops port: silence", 70, map[string]int{held: 63, refused: 7}),
		small(t, "snapshots that nobody reads", 10, map[string]int{snapshotBegun: snapshotsSent, snapshotRefused: 10 - snapshotsSent}),
		small(t, "listing everything", 5000, map[string]int{"200, 5000 keys": listings, "200, left in the middle": listingsCut, "written beside": writersAside}),
	}
	planted := []Row{
		small(t, "watches, closed", 20, map[string]int{parked: 21}),
		small(t, "half-closed connections", 20, map[string]int{silently: 20}),
		small(t, "snapshots that nobody reads", 10, map[string]int{snapshotBegun: 10}),
	}
	results, err := Run(t.Context(), Config{
		Program: process.TestProgram(t), Dir: t.TempDir(), Rows: append(slices.Clone(rows), planted...), Beside: 11,
		Progress: io.Discard,
	})
	require.NoError(t, err)
	for _, r := range results[:len(rows)] {
		assert.Empty(t, r.Wrong, r.Name)
		assert.Positive(t, r.Before.Goroutines, r.Name)
		assert.GreaterOrEqual(t, r.Peak.Descriptors, r.Before.Descriptors, r.Name)
	}
	for _, r := range results[len(rows):] {
		assert.NotEmpty(t, r.Wrong, "planted: %s", r.Name)
	}
	var table bytes.Buffer
	require.NoError(t, WriteTable(&table, results))
	assert.Contains(t, table.String(), "| half-closed connections | 20 clients send a write and close their side of the connection at once; they must be answered | 20 × `201` | ")
}

func indexOf(t *testing.T, name string) int {
	i := slices.IndexFunc(Rows(), func(r Row) bool { return r.Name == name })
	require.GreaterOrEqual(t, i, 0, name)
	return i
}

// wantOnce is what a row of requests expects if each is sent once.
func (r Row) wantOnce() map[string]int {
	want := map[string]int{}
	for answer, n := range r.Want {
		want[answer] = n / r.Count
	}
	return want
}

// Each bound has a result beyond it that is found, and one at it that holds.
func TestJudge(t *testing.T) {
	good := func() *Result {
		return &Result{
			Row: Row{Want: map[string]int{"200": 2}}, Answers: map[string]int{"200": 2},
			Before:   Sample{Goroutines: 30, Descriptors: 17, Resident: 20 << 20},
			After:    Sample{Goroutines: 30 + MoreGoroutines, Descriptors: 17 + MoreDescriptors, Resident: 20<<20 + MoreResident},
			Served:   Served{Asked: 1, Worst: ServedWithin},
			LogBytes: maxLogBytes,
		}
	}
	assert.Empty(t, judge(good()))
	for _, planted := range []struct {
		name, want string
		plant      func(*Result)
	}{
		{"goroutines", "11 goroutines more", func(r *Result) { r.After.Goroutines++ }},
		{"descriptors", "11 descriptors more", func(r *Result) { r.After.Descriptors++ }},
		{"memory", "resident more", func(r *Result) { r.After.Resident++ }},
		{"a slow answer", "waited for 5.001s", func(r *Result) { r.Served.Worst += time.Millisecond }},
		{"a wrong answer", "read \"\"", func(r *Result) { r.Served.Wrong = `read ""` }},
		{"nobody asked", "no well-behaved client", func(r *Result) { r.Served.Asked = 0 }},
		{"an answer too few", `1 times, not 2: "200"`, func(r *Result) { r.Answers["200"] = 1 }},
		{"no answers", `0 times, not 2: "200"`, func(r *Result) { r.Answers = nil }},
		{"another answer", `1 times, not expected: "500"`, func(r *Result) { r.Answers["500"] = 1 }},
		{"a full log", "to its log", func(r *Result) { r.LogBytes++ }},
	} {
		t.Run(planted.name, func(t *testing.T) {
			r := good()
			planted.plant(r)
			assert.Contains(t, judge(r), planted.want)
		})
	}
}

// A server that leaks is found out by what measures real daemons.
func TestLeaksAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		leaks leaks
		want  string
	}{
		{"none", leaks{}, ""},
		{"goroutines", leaks{goroutines: 20}, "goroutines more than before"},
		{"descriptors", leaks{descriptors: 20}, "descriptors more than before"},
		{"memory", leaks{bytes: 64 << 20}, "resident more than before"},
		{"answers", leaks{mute: true}, "not expected: \"closed without a word\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := serveLeaking(t, c.leaks)
			result, err := measure(t.Context(), target, Row{
				Name: "planted", Did: "%d", Count: 1, Want: map[string]int{"404 100 Key not found": 1},
				Attack: func(_ context.Context, s *stage) error { return s.ask(strings.NewReader(get("/v2/keys/attack"))) },
			}, 100*time.Millisecond)
			require.NoError(t, err)
			if c.want == "" {
				assert.Empty(t, result.Wrong)
				return
			}
			assert.Contains(t, result.Wrong, c.want)
		})
	}
}

// The page has the rows of the code, in their order.
func TestTableIsUpToDate(t *testing.T) {
	page, err := os.ReadFile("../../docs/hostile.md")
	require.NoError(t, err)
	var written, wanted []string
	for _, line := range strings.Split(string(page), "\n") {
		if cells := strings.Split(line, " | "); len(cells) > 4 && !strings.HasPrefix(line, "| attack") && !strings.HasPrefix(line, "| ---") {
			written = append(written, strings.TrimPrefix(cells[0], "| ")+": "+cells[1])
		}
	}
	for _, r := range Rows() {
		wanted = append(wanted, fmt.Sprintf("%s: %s", r.Name, r.did()))
	}
	assert.Equal(t, wanted, written, "run: make hostile")
}
