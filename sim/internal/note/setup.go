package note

import (
	"encoding/json"
	"fmt"
	"time"
)

// Knobs are the limits and times of a member that a run draws: small ones, so that what is rare in production happens all
// the time.
type Knobs struct {
	HistoryEvents   int           `json:"history_events"` // the event ring
	ElectionTimeout time.Duration `json:"election_timeout"`
	Tick            time.Duration `json:"tick"`
	SnapshotEntries uint64        `json:"snapshot_entries"`
	SnapshotBytes   uint64        `json:"snapshot_bytes"`
	TrailingBytes   uint64        `json:"trailing_bytes"`
	SnapshotCheck   time.Duration `json:"snapshot_check"`
	SegmentBytes    int           `json:"segment_bytes"`
}

// Arg is the knobs as a process's argument; ParseKnobs reads it back.
func (k Knobs) Arg() string {
	b, err := json.Marshal(k)
	if err != nil {
		panic(err) // numbers only
	}
	return string(b)
}

// ParseKnobs is the inverse of Arg.
func ParseKnobs(arg string) (k Knobs, err error) {
	if err := json.Unmarshal([]byte(arg), &k); err != nil {
		return k, fmt.Errorf("knobs: %q: %w", arg, err)
	}
	return k, nil
}
