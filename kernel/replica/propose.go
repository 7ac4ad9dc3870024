package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Propose has a command (see kernel.AppendCommand) applied, by the leader if
// that is another member, and returns its answer once this member has applied
// it too. The slice is the replica's from then on.
//
// ErrUnknown says that it may or may not be applied. ErrNoLeader, ErrBusy and
// ErrStopped say that it certainly is not and will not be. A refusal of the
// state machine is an answer, not an error.
func (r *Replica) Propose(ctx context.Context, command []byte) (Answer, error) {
	answer, err := Answer{}, r.ready()
	if err == nil {
		answer, err = r.ProposeSetup(ctx, command)
	}
	r.meters.proposals[endedAs(err)].Add(1)
	return answer, err
}

// ProposeSetup is Propose for the commands that set a cluster up: it does not
// wait until this member serves clients, which it does only afterwards.
func (r *Replica) ProposeSetup(ctx context.Context, command []byte) (Answer, error) {
	began := time.Now()
	w := newWaiter()
	err := r.batcher.submit(proposal{command: command, finisher: w})
	if err == nil {
		var answer Answer
		if answer, err = w.wait(ctx, r.cfg.requestTimeout()); !errors.Is(err, ErrNoLeader) {
			return answer, err
		}
	} else {
		w.release()
	}
	if !errors.Is(err, ErrNoLeader) {
		return Answer{}, err
	}
	return r.proposeElsewhere(ctx, command, r.cfg.requestTimeout()-time.Since(began))
}

// proposeElsewhere asks whoever leads, until one is found or the time is up.
// Only what certainly was not done is tried again.
func (r *Replica) proposeElsewhere(ctx context.Context, command []byte, timeout time.Duration) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		changed := r.leader.watch()
		answer, err := r.proposeOnce(ctx, command)
		if !errors.Is(err, ErrNoLeader) {
			return answer, err
		}
		// Another try may find the next leader.
		if waitErr := r.awaitLeader(ctx, changed); waitErr != nil {
			return Answer{}, waitErr
		}
	}
}

// proposeOnce asks whom this member takes for the leader, once.
func (r *Replica) proposeOnce(ctx context.Context, command []byte) (Answer, error) {
	w := newWaiter()
	err := r.batcher.submit(proposal{command: command, finisher: w})
	if err == nil {
		return w.wait(ctx, r.cfg.requestTimeout())
	}
	w.release()
	if errors.Is(err, ErrNoLeader) {
		return r.forward.propose(ctx, command)
	}
	return Answer{}, err
}

// waiter waits for the outcome of one proposal. Waiters are used again: a
// write makes no channel and no timer of its own.
type waiter struct {
	done  chan answered
	timer *time.Timer
}

type answered struct {
	Answer
	err error
}

var waiters = sync.Pool{New: func() any {
	w := &waiter{done: make(chan answered, 1), timer: time.NewTimer(time.Hour)}
	w.timer.Stop()
	return w
}}

func newWaiter() *waiter { return waiters.Get().(*waiter) }

// release gives back a waiter for which no outcome is under way.
func (w *waiter) release() { waiters.Put(w) }

// finish implements finisher.
func (w *waiter) finish(a Answer, err error) { w.done <- answered{a, err} }

// wait gives the outcome, or ErrUnknown when the time is up or ctx ends. Then
// the outcome may still come, and the waiter is not used again.
func (w *waiter) wait(ctx context.Context, timeout time.Duration) (Answer, error) {
	w.timer.Reset(timeout)
	select {
	case d := <-w.done:
		w.timer.Stop()
		w.release()
		return d.Answer, d.err
	case <-ctx.Done():
		w.timer.Stop()
		return Answer{}, fmt.Errorf("%w (%w)", ErrUnknown, ctx.Err())
	case <-w.timer.C:
		return Answer{}, fmt.Errorf("%w (%w)", ErrUnknown, context.DeadlineExceeded)
	}
}
