//go:build unix

package hostile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The bounds of every row.
const (
	// MoreGoroutines, MoreDescriptors and MoreResident (bytes) are what a daemon
	// may hold more after an attack than before it.
	MoreGoroutines  = 10
	MoreDescriptors = 10
	MoreResident    = 32 << 20
	// ServedWithin is how long a well-behaved client may wait for an answer
	// during an attack.
	ServedWithin = 5 * time.Second
	// maxLogBytes is how much an attack may make the daemon write to its log.
	maxLogBytes = 64 << 10
)

// judge tells what of a result does not hold, "" if all does.
func judge(r *Result) string {
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if more := r.After.Goroutines - r.Before.Goroutines; more > MoreGoroutines {
		say("%d goroutines more than before", more)
	}
	if more := r.After.Descriptors - r.Before.Descriptors; more > MoreDescriptors {
		say("%d descriptors more than before", more)
	}
	if more := r.After.Resident - r.Before.Resident; more > MoreResident {
		say("%s resident more than before", mebibytes(more))
	}
	switch {
	case r.Served.Wrong != "":
		say("%s", r.Served.Wrong)
	case r.Served.Asked == 0:
		say("no well-behaved client asked")
	case r.Served.Worst > ServedWithin:
		say("a well-behaved client waited for %v", r.Served.Worst.Round(time.Millisecond))
	}
	for _, answer := range slices.Sorted(maps.Keys(r.Want)) {
		if got, want := r.Answers[answer], r.Want[answer]; got != want {
			say("%d times, not %d: %q", got, want, answer)
		}
	}
	for _, answer := range slices.Sorted(maps.Keys(r.Answers)) {
		if _, wanted := r.Want[answer]; !wanted {
			say("%d times, not expected: %q", r.Answers[answer], answer)
		}
	}
	if r.LogBytes > maxLogBytes {
		say("it wrote %d bytes to its log", r.LogBytes)
	}
	return strings.Join(wrong, "; ")
}

func mebibytes(n int64) string { return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20)) }
