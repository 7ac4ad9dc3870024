package replica

import "errors"

// What a request can end with beside an answer. The first group is certain:
// nothing was done and nothing will be, so the request may be sent again.
var (
	// ErrNoLeader says that no leader is known, or that the one that was
	// asked is none any more. Nothing was proposed.
	ErrNoLeader = errors.New("no leader: nothing was done")
	// ErrBusy says that a queue is full. Nothing was proposed.
	ErrBusy = errors.New("too many requests under way: nothing was done")
	// ErrStopped says that this member is stopping. Nothing was proposed.
	ErrStopped = errors.New("member is stopping: nothing was done")
	// ErrNotReady says that this member has not yet heard from a leader
	// since it started, or builds its state anew from an older snapshot: what
	// it holds may be older than what it once served.
	ErrNotReady = errors.New("member has not caught up since it started")
	// ErrTooManyWatchers says that the limit on parked watchers is reached.
	ErrTooManyWatchers = errors.New("too many watchers")
	// ErrUnreadable says that the leader cannot read the command, as an older
	// version of it may not. Nothing was proposed.
	ErrUnreadable = errors.New("the leader cannot read the command: nothing was done; upgrade all members to one version")
	// ErrTimeout says that a read could not be confirmed in time.
	ErrTimeout = errors.New("request timed out")
)

// ErrUnknown says that a write may or may not have been applied, now or
// later: leadership was lost with it in flight, the log failed under it, the
// connection to the leader broke, or time ran out. It must never be sent
// again on the caller's behalf.
var ErrUnknown = errors.New("request timed out, outcome unknown")
