package wal

import (
	"errors"
	"fmt"
)

var (
	// ErrCorrupt is what damage to synced data unwraps to; see [Fault].
	ErrCorrupt = errors.New("data on disk is corrupt")
	// ErrPoisoned is returned by every call after a write, a sync or a
	// truncation failed or hung. The outcome of the call that failed is
	// unknown: its bytes may be durable. Only a new process may open the
	// directory again.
	ErrPoisoned = errors.New("log is poisoned by a failed write")
	// ErrHangs is wrapped by the error of a write that has not ended in time. It
	// may still end, whatever its caller does.
	ErrHangs = errors.New("the disk has not answered")
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("log is closed")
	// ErrGap is returned by StoreLogs for entries that do not follow the
	// last one. Nothing has been written.
	ErrGap = errors.New("entries do not continue the log")
	// ErrTooLarge is returned for what exceeds a limit of this package.
	// Nothing has been written.
	ErrTooLarge = errors.New("too large")
	// ErrMiddle is returned by DeleteRange for a range that would leave a
	// hole. Nothing has been deleted.
	ErrMiddle = errors.New("range is neither a prefix nor a suffix of the log")
	// ErrNotWhole is returned by Reconcile when log and snapshots together
	// do not hold everything this member has acknowledged.
	ErrNotWhole = errors.New("log and snapshots do not hold all this member has acknowledged")
	// ErrNotFound is returned by Stable for a key that was never set. raft
	// compares its text, which must stay exactly this.
	ErrNotFound = errors.New("not found")
)

// Fault is damage found on disk: where, and what is wrong. It unwraps to
// ErrCorrupt.
type Fault struct {
	File   string // path of the file
	Offset int64  // first bad byte, or 0 where the file as a whole is meant
	Cause  string // what is wrong there
}

const faultRemedy = "do not delete anything: copy the data directory aside, then remove this member from the cluster and let it join again with an empty one"

// Error reads `what: where: cause; do this`.
func (f *Fault) Error() string {
	return fmt.Sprintf("%v: %s: offset %d: %s; %s", ErrCorrupt, f.File, f.Offset, f.Cause, faultRemedy)
}

// Unwrap returns ErrCorrupt.
func (f *Fault) Unwrap() error { return ErrCorrupt }
