//go:build unix

package diskfault

import "holdfast/wal/faults"

// Outcome is what the daemon does about a fault.
type Outcome string

// The outcomes.
const (
	// Starts: it starts, serves, takes writes, and ends with exit code 0 when it
	// is told to.
	Starts Outcome = "starts"
	// Refuses: it does not start, and ends with exit code 1.
	Refuses Outcome = "refuses to start"
	// Dies: it starts, and ends with exit code 1 when the fault comes.
	Dies Outcome = "ends"
)

// base is the state that a row's directory begins in.
type base string

const (
	stopped base = "stopped" // told to stop after some work, with two snapshots
	killed  base = "killed"  // the same, then killed between a write and its sync
	empty   base = "empty"   // a first start
)

// Row is a fault and what is expected of the daemon.
type Row struct {
	Fault string
	// From is what the directory holds before.
	From base
	// Damage changes the directory; nil if nothing is damaged.
	Damage func(dataDir string) error
	// Rules break the disk under the first start; the next is without.
	Rules []faults.Rule
	// Expect, and words that the daemon must say about it: each is found in the
	// section of docs/recovery.md.
	Expect Outcome
	Words  []string
	// Verify are words of "holdfast wal verify" beforehand; none if it is not to
	// find fault.
	Verify string
	// Loses says which acknowledged writes may be missing, because the fault
	// cannot be told from an honest disk's work; empty: none.
	Loses string
	// Section is the heading in docs/recovery.md that says what to do.
	Section string
}

// injected tells that the fault is gone with the process it came over.
func (r *Row) injected() bool { return len(r.Rules) > 0 }

// Rows is the table.
func Rows() []Row {
	var all []Row
	for _, part := range [][]Row{logRows, stableRows(), snapshotRows(), firstStartRows(), hangRows, tailRows, damageRows, snapshotDamageRows} {
		all = append(all, part...)
	}
	return all
}
