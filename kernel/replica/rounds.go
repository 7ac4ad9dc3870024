package replica

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
)

// readRounds confirms that this member still leads, for reads. raft's own
// VerifyLeader counts answers to heartbeats that were sent before the read
// arrived, and a stale read was reproduced with it; here a read is confirmed
// when a quorum of voters has answered an AppendEntries of the present term
// that was started after the read arrived. Reads that wait together share a
// round: all of them arrived before its first request.
type readRounds struct {
	r *Replica

	mu      sync.Mutex
	next    *readRound // gathers readers; not yet begun
	running *readRound
	wake    chan struct{}

	// asked tells that the last round had others to ask.
	asked atomic.Bool
}

type readRound struct {
	readers int
	done    chan struct{}
	err     error
	index   kernel.LogIndex // the commit index when the round began

	term    uint64
	after   uint64 // AppendEntries with a higher number count
	voters  []raft.ServerID
	answers map[raft.ServerID]bool
	quorum  int
	settled chan struct{}
}

// maxReaders bounds the reads that wait for one round.
const maxReaders = 65536

func newReadRounds(r *Replica) *readRounds {
	return &readRounds{r: r, wake: make(chan struct{}, 1)}
}

// index gives the read index of a member that leads.
func (rr *readRounds) index(ctx context.Context) (kernel.LogIndex, error) {
	if index, ok := rr.alone(); ok {
		return index, nil
	}
	return rr.confirm(ctx, rr.r.cfg.requestTimeout())
}

// timers are stopped; a read makes none of its own.
var timers = sync.Pool{New: func() any {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}}

// confirm joins the next round and returns its read index. It gives up when the
// time is up.
func (rr *readRounds) confirm(ctx context.Context, limit time.Duration) (kernel.LogIndex, error) {
	rr.mu.Lock()
	round := rr.next
	if round == nil {
		round = &readRound{done: make(chan struct{}), settled: make(chan struct{}), answers: map[raft.ServerID]bool{}}
		rr.next = round
	}
	if round.readers >= maxReaders {
		rr.mu.Unlock()
		rr.r.meters.readersRefused.Add(1)
		return 0, ErrBusy
	}
	round.readers++
	rr.mu.Unlock()
	select {
	case rr.wake <- struct{}{}:
	default:
	}
	t := timers.Get().(*time.Timer)
	t.Reset(limit)
	defer func() {
		t.Stop()
		timers.Put(t)
	}()
	select {
	case <-round.done:
		if round.err != nil {
			return 0, round.err
		}
		return round.index, nil
	case <-rr.r.stop:
		return 0, ErrStopped
	case <-t.C:
		return 0, context.DeadlineExceeded
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// waiting counts the reads that wait for the next round.
func (rr *readRounds) waiting() uint64 {
	rr.mu.Lock()
	defer rr.mu.Unlock()
	if rr.next == nil {
		return 0
	}
	return uint64(rr.next.readers)
}

// alone gives the read index of a leader that is the only voter; no if it is
// none, or was not in the last round. There is nobody to ask, so nobody waits for a round.
func (rr *readRounds) alone() (kernel.LogIndex, bool) {
	if rr.asked.Load() {
		return 0, false
	}
	var round readRound
	if rr.begin(&round) != nil || round.quorum > 0 || rr.holds(&round) != nil {
		return 0, false
	}
	rr.r.meters.readRounds.Add(1)
	return round.index, true
}

func (rr *readRounds) run() {
	defer rr.r.wg.Done()
	for {
		select {
		case <-rr.wake:
		case <-rr.r.stop:
			return
		}
		rr.mu.Lock()
		round := rr.next
		rr.next = nil
		rr.mu.Unlock()
		if round == nil {
			continue
		}
		round.err = rr.hold(round)
		if round.err == nil {
			rr.r.meters.readRounds.Add(1)
		} else {
			rr.r.meters.readRoundsFailed.Add(1)
		}
		rr.mu.Lock()
		rr.running = nil
		rr.mu.Unlock()
		close(round.done)
	}
}

// hold runs one round, by the four steps of the rule.
func (rr *readRounds) hold(round *readRound) error {
	if err := rr.begin(round); err != nil {
		return err
	}
	rr.asked.Store(round.quorum > 0)
	// 3. A quorum confirms this term by requests that start from now on.
	if round.quorum > 0 {
		rr.mu.Lock()
		rr.running = round
		rr.mu.Unlock()
		// Its verdict does not count; it makes raft send heartbeats now, and Ask
		// sees to it that they go out: what was answered before the round could
		// be told of it does not spare them.
		rr.r.transport.Ask(rr.r.transport.Started())
		rr.r.node().VerifyLeader()
		if err := rr.settle(round); err != nil {
			if errors.Is(err, ErrNoLeader) {
				rr.r.reached(ProbeReadAcrossElection)
			}
			return err
		}
	}
	return rr.holds(round)
}

// begin takes the first two steps, and finds who has to be asked for the third.
func (rr *readRounds) begin(round *readRound) error {
	n := rr.r.node()
	round.term = n.CurrentTerm()
	// 1. This member leads and the kernel has applied an entry of the term,
	// the opening of its clock session first: the commit index belongs to it.
	if n.State() != raft.Leader || rr.r.state.term.Load() != round.term {
		return ErrNoLeader
	}
	// 2. What must be in the answer.
	round.index = kernel.LogIndex(n.CommitIndex())
	round.after = rr.r.transport.Started()
	round.count(n.GetConfiguration().Configuration(), serverID(rr.r.cfg.ID))
	return nil
}

// holds takes the last step: still leading in the same term.
func (rr *readRounds) holds(round *readRound) error {
	n := rr.r.node()
	if n.State() != raft.Leader || n.CurrentTerm() != round.term {
		rr.r.reached(ProbeReadAcrossElection)
		return ErrNoLeader
	}
	return nil
}

// count finds the voters and how many others than this member must answer.
func (round *readRound) count(c raft.Configuration, self raft.ServerID) {
	others := 0
	selfVotes := 0
	for _, s := range c.Servers {
		switch {
		case s.Suffrage != raft.Voter:
		case s.ID == self:
			selfVotes = 1
		default:
			round.voters = append(round.voters, s.ID)
			others++
		}
	}
	round.quorum = (others+selfVotes)/2 + 1 - selfVotes
}

func (rr *readRounds) settle(round *readRound) error {
	t := time.NewTimer(rr.r.cfg.ElectionTimeout)
	defer t.Stop()
	select {
	case <-round.settled:
		return nil
	case <-t.C:
		// No round is ever tried again with the same number: the readers of
		// this one may, in a new one.
		return ErrNoLeader
	case <-rr.r.stop:
		return ErrStopped
	}
}

// confirmed is told of every AppendEntries that a peer answered with success
// and no higher term.
func (rr *readRounds) confirmed(peer raft.ServerID, term, number uint64) {
	rr.mu.Lock()
	defer rr.mu.Unlock()
	round := rr.running
	if round == nil || term != round.term || number <= round.after || round.answers[peer] {
		return
	}
	for _, v := range round.voters {
		if v == peer {
			round.answers[peer] = true
			if len(round.answers) == round.quorum {
				close(round.settled)
			}
		}
	}
}
