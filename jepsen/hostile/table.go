//go:build unix

package hostile

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

const heading = `# What the daemon does about hostile clients

` + "`make hostile`" + ` writes this page from runs of the real daemon: each row is an
attack on a process of its own, over TCP on this machine. The figures are of those
runs, and the command fails where one is beyond its bound or an answer is not the
one expected (jepsen/hostile).

Goroutines, open descriptors and resident memory (MiB) are given *before* the
attack, at the *peak* of samples during it, and %v *after* the attacker's
connections have gone. After it the daemon may hold at most %d goroutines, %d
descriptors and %s more than before. A well-behaved client writes a key
and reads it back with quorum all the while, on one connection, and on a new one in
the end; *served* is how many answers it got and the longest it waited, at most %v
for the row to hold. The log may grow by %d KiB, and nothing may panic.

An answer is a status and its words; of a refusal of the API, errorCode, message
and cause. *held* is a connection that the daemon lets be: its limits on time
([http-api.md](http-api.md)) are longer than the attack. What the limits are, and
where to see them, is in [metrics.md](metrics.md).

| attack | what was done | what the daemon answered | goroutines before, peak, after | descriptors | resident MiB | served |
| --- | --- | --- | --- | --- | --- | --- |
`

// WriteTable writes the results down, in Markdown, for docs/hostile.md.
func WriteTable(w io.Writer, results []Result) error {
	var b strings.Builder
	fmt.Fprintf(&b, heading, Settle, MoreGoroutines, MoreDescriptors, mebibytes(MoreResident), ServedWithin, maxLogBytes>>10)
	for i := range results {
		r := &results[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %d, %d, %d | %d, %d, %d | %d, %d, %d | %d, %v |\n", r.Name, r.did(), r.said(),
			r.Before.Goroutines, r.Peak.Goroutines, r.After.Goroutines,
			r.Before.Descriptors, r.Peak.Descriptors, r.After.Descriptors,
			r.Before.Resident>>20, r.Peak.Resident>>20, r.After.Resident>>20,
			r.Served.Asked, r.Served.Worst.Round(time.Millisecond))
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// said is the tally, the most frequent first.
func (r *Result) said() string {
	if len(r.Answers) == 0 {
		return "—"
	}
	answers := slices.Collect(maps.Keys(r.Answers))
	slices.SortFunc(answers, func(a, b string) int {
		if d := r.Answers[b] - r.Answers[a]; d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, a := range answers {
		parts = append(parts, fmt.Sprintf("%d × `%s`", r.Answers[a], strings.NewReplacer("|", `\|`, "`", "'").Replace(a)))
	}
	return strings.Join(parts, ", ")
}
