package replica

import (
	"time"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
)

// followLeadership opens a clock session each time this member begins to lead,
// and expires keys while it does.
func (r *Replica) followLeadership(n *incarnation, notify <-chan bool) {
	defer r.leader.wg.Done()
	tick := time.NewTicker(r.cfg.Tick)
	defer tick.Stop()
	tick.Stop() // whoever does not lead has nothing to look for
	for {
		select {
		case leads := <-notify:
			if leads {
				tick.Reset(r.cfg.Tick)
				r.openSession(n)
			} else {
				tick.Stop()
				r.batcher.lead(nil)
			}
		case <-tick.C:
			if n.State() == raft.Leader && !r.batcher.leads() {
				// The opening failed although this member went on leading.
				r.openSession(n)
			}
			if r.expires.Load() {
				r.batcher.expire()
			}
		case <-n.gone:
			r.batcher.lead(nil)
			return
		}
	}
}

// reign is one leadership of this member: the clock session that it opened.
type reign struct {
	raft    *incarnation
	session kernel.Session
	sealed  time.Time // when the opening was sealed; its monotonic reading counts
}

// openSession proposes the opening. Once raft has taken it, batches may follow
// without waiting for its commit: they lie behind it in the log.
func (r *Replica) openSession(n *incarnation) {
	restore := r.state.look().Session.Restore
	g := &reign{raft: n, session: kernel.Session{Term: n.CurrentTerm(), Restore: restore}}
	g.sealed = time.Now()
	if n.LastIndex() > n.CommitIndex()+1 { // raft's own first entry of the term is one
		r.reached(ProbeTailAtOpening)
	}
	entry := kernel.AppendOpening(nil, g.session, g.sealed.UnixNano())
	// No time limit: raft's main loop takes it in whatever role it has.
	f := n.ApplyLog(raft.Log{Data: entry}, 0)
	r.batcher.lead(g)
	r.leader.wg.Add(1)
	go func() {
		defer r.leader.wg.Done()
		err := n.await(f)
		if err == nil {
			// Leadership may have been lost and won again between reading the
			// term and the append: then the session bears a wrong name.
			done, ok := f.Response().(*applied)
			if ok && done.term == g.session.Term {
				return
			}
		}
		// If this member leads all the same, the next tick opens another.
		r.batcher.leadEnds(g)
	}()
}
