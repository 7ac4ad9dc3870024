package sim

import (
	"fmt"

	"holdfast/jepsen"
)

// Verdict is what a run came to.
type Verdict string

// The verdicts. Only VerdictOK is green.
const (
	VerdictOK             Verdict = "ok"
	VerdictSafety         Verdict = "safety"         // a checker refused the history
	VerdictLiveness       Verdict = "liveness"       // all was healed, and yet no progress in the stated time
	VerdictCrash          Verdict = "crash"          // a process ended on its own
	VerdictNondeterminism Verdict = "nondeterminism" // the same seed ran differently
	VerdictTimeout        Verdict = "timeout"        // no conclusion within the wall time: nothing is known
)

// ExitCode is the verdict as a process's exit status. 1 and 2 are left to failures of the simulator itself and to bad
// usage.
func (v Verdict) ExitCode() int {
	switch v {
	case VerdictOK:
		return 0
	case VerdictSafety:
		return 10
	case VerdictLiveness:
		return 11
	case VerdictCrash:
		return 12
	case VerdictNondeterminism:
		return 13
	case VerdictTimeout:
		return 14
	}
	return 1
}

// FiredLimit is Report.Fired of a run on which a checker's search did not end in time, and nothing else is wrong.
const FiredLimit = "limit"

// Report is how a run ended.
type Report struct {
	Seed    uint64
	Module  string // ModuleHash of the guest
	Before  string // of the earlier version's; empty: no member was to be of one
	Hash    uint64 // over every step
	Verdict Verdict
	Detail  string // what the verdict rests on, for people; may have several lines
	Plan    Plan
	Counts  Counts
	// Fired names what made the verdict: a checker, or "host", "crash", "progress", "replay".
	Fired string
	// Checks is what every checker said, CheckTimeouts how many of them did not end in time.
	Checks        []jepsen.Result
	CheckTimeouts int
	Stats         Stats
	Probes        map[string]int // of Probes and MixedProbes: how often each was reached
	VirtualNanos  int64          // how far virtual time came
	// Operations of the clients, by outcome.
	OK, Failed, Unknown int
	// Operations is how many each client began, by its process number, those left out by the plan included; who reads back comes
	// last.
	Operations []int
	// Trace is set if it was asked for, Diverged if the run was held against another and differed.
	Trace    *Trace
	Diverged *Divergence
}

// Line is the report's last line, by which runs are compared.
func (r *Report) Line() string {
	modules := r.Module
	if r.Before != "" {
		modules += " before=" + r.Before
	}
	return fmt.Sprintf("seed=0x%x module=%s hash=0x%016x verdict=%s", r.Seed, modules, r.Hash, r.Verdict)
}
