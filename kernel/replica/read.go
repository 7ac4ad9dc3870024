package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
)

// ready tells whether this member may serve: it is in the present leader's
// term and has caught up with what it may have served before it started. And
// the cluster must be set up, so that a client's first write gets the index it
// gets in etcd.
func (r *Replica) ready() error {
	select {
	case <-r.stop:
		return ErrStopped
	default:
	}
	if r.serving.Load() {
		return nil
	}
	n := r.node()
	if _, id := n.LeaderWithID(); id == "" || !r.caughtUp() {
		return ErrNotReady
	}
	// The cluster version is the last thing that setting a cluster up brings.
	if r.state.term.Load() != n.CurrentTerm() || r.state.look().ClusterVersion == "" {
		return ErrNotReady
	}
	r.serving.Store(true)
	return nil
}

// caughtUp tells whether this member has applied all that it may have served
// before it started. A later leader's term has all that was committed before;
// in the same term what counts is how far the log went. To have applied some
// entry of the leader's term is not enough: a replay begins with old ones.
func (r *Replica) caughtUp() bool {
	term, applied, end := r.state.term.Load(), r.state.applied.Load(), r.served.Load()
	return term > end.term || term == end.term && applied >= end.index
}

// Local gives what this member has applied, without asking anybody. It never
// goes back; it may lag behind the leader.
func (r *Replica) Local() (View, error) {
	if err := r.ready(); err != nil {
		return View{}, err
	}
	v := View{Term: r.node().CurrentTerm()}
	if r.expires.Load() {
		v.View = r.state.shown(r.cfg.Tick)
	} else {
		v.View = r.state.look()
	}
	return v, nil
}

// Linearizable gives a state that includes every write answered anywhere
// before the call. Errors: ErrNoLeader, ErrTimeout, ErrNotReady, ErrStopped;
// a read may always be repeated.
func (r *Replica) Linearizable(ctx context.Context) (View, error) {
	if err := r.ready(); err != nil {
		return View{}, err
	}
	began := time.Now()
	index, ok := r.firstReadIndex(ctx)
	if ok && r.state.applied.Load() >= uint64(index) {
		return r.since(index)
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.requestTimeout()-time.Since(began))
	defer cancel()
	if ok && r.waitApplied(ctx, index) == nil {
		return r.since(index)
	}
	for {
		changed := r.leader.watch()
		index, err := r.readIndex(ctx)
		if err == nil {
			err = r.waitApplied(ctx, index)
		}
		switch {
		case err == nil:
			return r.since(index)
		case ctx.Err() != nil:
			return View{}, fmt.Errorf("%w (%w)", ErrTimeout, err)
		case !errors.Is(err, ErrNoLeader):
			return View{}, err
		}
		if err := r.awaitLeader(ctx, changed); err != nil {
			return View{}, err
		}
	}
}

// since is Local for what has applied index: it may be built again from an older
// snapshot at any time.
func (r *Replica) since(index kernel.LogIndex) (View, error) {
	v, err := r.Local()
	if err == nil && v.Applied < index {
		return View{}, ErrNotReady
	}
	return v, err
}

// firstReadIndex is readIndex as it nearly always succeeds: here, and in the
// first round. It spares a read the context that bounds all tries together.
func (r *Replica) firstReadIndex(ctx context.Context) (kernel.LogIndex, bool) {
	if index, ok := r.reads.alone(); ok {
		return index, true
	}
	if r.node().State() != raft.Leader {
		return 0, false
	}
	// One round may have to end before the next can begin.
	index, err := r.reads.confirm(ctx, 2*r.cfg.ElectionTimeout)
	return index, err == nil
}

// readIndex gives a log index that covers every write answered before now.
func (r *Replica) readIndex(ctx context.Context) (kernel.LogIndex, error) {
	if r.node().State() == raft.Leader {
		return r.reads.index(ctx)
	}
	return r.forward.readIndex(ctx)
}

// awaitLeader waits for a change of leader, or a little while in case the
// change came before the caller began to look.
func (r *Replica) awaitLeader(ctx context.Context, changed <-chan struct{}) error {
	t := time.NewTimer(r.cfg.ElectionTimeout / 10)
	defer t.Stop()
	select {
	case <-changed:
		return nil
	case <-t.C:
		return nil
	case <-r.stop:
		return ErrStopped
	case <-ctx.Done():
		return fmt.Errorf("%w (%w)", ErrNoLeader, ctx.Err())
	}
}
