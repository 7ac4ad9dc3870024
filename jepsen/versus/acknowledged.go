package versus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// maxUnderWay bounds the attempts that wait for an answer at a time.
	maxUnderWay = 1024
	// attemptTime bounds one attempt. It is longer than either store lets a
	// write wait, so that no store is given up early.
	attemptTime = 10 * time.Second
	// ackTime bounds the search for the first acknowledged write.
	ackTime = 2 * time.Minute
)

// firstAcknowledged makes an attempt every so often, whether or not those before
// it have been answered, and returns when the first one to succeed did. A client
// that waits for each answer would measure its own timeout: a write that a
// follower has sent to the dead leader may wait for seconds while the next one
// goes through.
//
// Attempts are numbered from 0. All have ended when it returns; those that were
// under way are cancelled.
func firstAcknowledged(ctx context.Context, every time.Duration, attempt func(ctx context.Context, n int) error) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTime)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	found := make(chan time.Time, 1)
	var last lastError
	underWay := make(chan struct{}, maxUnderWay)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for n := 0; ; {
		select {
		case underWay <- struct{}{}:
			number := n
			n++
			wg.Go(func() {
				defer func() { <-underWay }()
				one, done := context.WithTimeout(ctx, attemptTime)
				defer done()
				if err := attempt(one, number); err != nil {
					last.set(err)
					return
				}
				select {
				case found <- time.Now():
				default: // another was first
				}
			})
		default: // too many wait for an answer
		}
		select {
		case at := <-found:
			return at, nil
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("wait for an acknowledged write: %w", errors.Join(context.Cause(ctx), last.get()))
		case <-tick.C:
		}
	}
}

// lastError keeps the last error of several goroutines.
type lastError struct {
	mu  sync.Mutex
	err error
}

func (l *lastError) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.err = err
}

func (l *lastError) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}
