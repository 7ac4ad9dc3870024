package torture

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"holdfast/jepsen"
)

// journal records operations and counts what was confirmed.
type journal struct {
	rec *jepsen.Recorder

	mu        sync.Mutex
	confirmed int           // since the last restart
	since     int64         // when that was
	next      int64         // Return of the first write called after it, or 0
	changed   chan struct{} // closed and replaced at every confirmed write
}

func newJournal(w io.Writer) *journal {
	return &journal{rec: jepsen.NewRecorder(w), changed: make(chan struct{})}
}

// add journals an operation before anything is concluded from it.
func (j *journal) add(o jepsen.Operation) error {
	if err := j.rec.Record(o); err != nil {
		return err
	}
	if o.Outcome != jepsen.OK || o.Op == jepsen.Read {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.confirmed++
	if j.next == 0 && o.Call >= j.since {
		j.next = o.Return
	}
	close(j.changed)
	j.changed = make(chan struct{})
	return nil
}

// restart begins a new count at now and returns the old one.
func (j *journal) restart(now int64) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := j.confirmed
	j.confirmed, j.since, j.next = 0, now, 0
	return n
}

// wait waits until done, called with the lock held, says so.
func (j *journal) wait(ctx context.Context, limit time.Duration, what string, done func() bool) error {
	overdue := time.NewTimer(limit)
	defer overdue.Stop()
	for {
		j.mu.Lock()
		ready, changed, n := done(), j.changed, j.confirmed
		j.mu.Unlock()
		if ready {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		case <-overdue.C:
			return fmt.Errorf("%s: not within %v (%d confirmed); see the members' logs", what, limit, n)
		}
	}
}

// waitConfirmed waits until n writes are confirmed since the last restart.
func (j *journal) waitConfirmed(ctx context.Context, n int, limit time.Duration) error {
	return j.wait(ctx, limit, fmt.Sprintf("wait for %d confirmed writes", n), func() bool { return j.confirmed >= n })
}

// waitNext waits for the first confirmed write called after the last restart
// and returns the time of its end.
func (j *journal) waitNext(ctx context.Context, limit time.Duration) (end int64, err error) {
	err = j.wait(ctx, limit, "wait for the next confirmed write", func() bool {
		end = j.next
		return end != 0
	})
	return end, err
}
