package replica

import (
	"context"
	"errors"
	"fmt"
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
	ctx, cancel := context.WithTimeout(ctx, r.cfg.requestTimeout())
	defer cancel()
	for {
		changed := r.leader.watch()
		answer, err := r.proposeOnce(ctx, command)
		if !errors.Is(err, ErrNoLeader) {
			return answer, err
		}
		// Certainly nothing was done: another try may find the next leader.
		if waitErr := r.awaitLeader(ctx, changed); waitErr != nil {
			return Answer{}, waitErr
		}
	}
}

// proposeOnce asks whom this member takes for the leader, once.
func (r *Replica) proposeOnce(ctx context.Context, command []byte) (Answer, error) {
	done := make(chan answered, 1)
	err := r.batcher.submit(proposal{command, func(a Answer, err error) { done <- answered{a, err} }})
	if errors.Is(err, ErrNoLeader) {
		return r.forward.propose(ctx, command)
	}
	if err != nil {
		return Answer{}, err
	}
	select {
	case d := <-done:
		return d.Answer, d.err
	case <-ctx.Done():
		return Answer{}, fmt.Errorf("%w (%w)", ErrUnknown, ctx.Err())
	}
}

type answered struct {
	Answer
	err error
}
