package load

import (
	"fmt"
	"strings"
	"time"
)

// Limits of one call.
const (
	MaxTargets     = 8
	MaxConnections = 4096
	MaxSlices      = 1000
	MinSlice       = 10 * time.Millisecond
	MaxSlice       = 10 * time.Minute
	MaxValueBytes  = 1 << 20 // the store's own limit
	MaxKeys        = 10_000_000
	MaxWatchers    = 10_000
	MaxTTLSeconds  = 24 * 60 * 60
)

// Workload is a kind of work.
type Workload string

// The workloads. What each counts is said by Counts.
const (
	Put       Workload = "put"        // replace the value of a random key
	Get       Workload = "get"        // read a random key from the member asked
	QuorumGet Workload = "quorum-get" // read a random key with quorum=true
	Mixed     Workload = "mixed"      // Get and Put, by Options.ReadPercent
	CAS       Workload = "cas"        // compete for Options.HotKeys keys with prevIndex
	Watch     Workload = "watch"      // one writer, Options.Watchers watchers of its key
	TTL       Workload = "ttl"        // put a random key that expires
	List      Workload = "list"       // list a directory of the keyspace recursively
)

// Workloads lists all workloads in the order of the help text.
var Workloads = []Workload{Put, Get, QuorumGet, Mixed, CAS, Watch, TTL, List}

// ParseWorkload reads the name of a workload. The error lists the names.
func ParseWorkload(name string) (Workload, error) {
	names := make([]string, len(Workloads))
	for i, w := range Workloads {
		if string(w) == name {
			return w, nil
		}
		names[i] = string(w)
	}
	return "", fmt.Errorf("%q is no workload: %s", name, strings.Join(names, ", "))
}

// Counts names what the workload's rate counts: operations; for CAS the swaps
// that won; for Watch the events that reached a watcher.
func (w Workload) Counts() string {
	switch w {
	case CAS:
		return "wins"
	case Watch:
		return "events"
	}
	return "ops"
}

// reads tells whether the workload needs the keyspace to be there; Put does so
// that it replaces from the first slice on.
func (w Workload) needsKeys() bool {
	return w != TTL && w != Watch
}

// Target is a store under load.
type Target struct {
	Name string
	// Addresses are host:port of the members; connections go round them.
	Addresses []string
	// PIDs are the server's processes on this machine; none: CPU time and
	// memory are not reported.
	PIDs []int
}

// Options says what to run. All fields count; the limits are the caller's to
// check.
type Options struct {
	// Targets take turns. The first is the one that ratios are of, the others
	// are what it is held against.
	Targets     []Target
	Workloads   []Workload
	Connections []int // a run for each; Watch has one writer and ignores them
	Slices      int   // per target and run
	Slice       time.Duration
	Warmup      time.Duration // before the first slice, per target and run
	// Timeout bounds how long an answer may take once its slice is over, and
	// how long a write may take to reach all watchers.
	Timeout    time.Duration
	ValueBytes int
	Keys       int // in the keyspace of each target
	// Keep names a directory for the keyspace that stays at the end. Keys that an
	// earlier call has put there are used as they are. Empty: a directory of this
	// call's own, which is removed.
	Keep        string
	HotKeys     int  // CAS: keys competed for, no more than Keys
	Watchers    int  // Watch
	Stream      bool // Watch: one stream per watcher instead of long polls
	TTLSeconds  int  // TTL
	ReadPercent int  // Mixed
}
