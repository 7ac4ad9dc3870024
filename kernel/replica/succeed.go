package replica

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/transport"
)

const (
	// turnsPerElection is how many voters get their turn within one election
	// timeout; a turn is long enough to win an election in.
	turnsPerElection = 4
	// firstLook is the pause after the first look whether somebody listens; it
	// doubles. A process that ends may close its connections first.
	firstLook = 5 * time.Millisecond
)

// connectionEnded is told that a peer has ended a connection to this member. It
// spares the cluster the wait for a leader whose process has ended.
//
// raft waits until nothing has been heard for an election timeout, and then, as
// no voter helps to depose a leader that it still believes in, until a second
// voter has lost patience. But when a process ends, its system closes its
// connections, and whoever dials it again is refused: there is nobody left to
// wait for. Then the voters stand for election in the order of their ids, by
// raft's own means for a leader that hands over (Raft dissertation, section
// 3.10), which no voter refuses for loyalty to the old one.
//
// A wrong guess costs an election and nothing else: who wins it is decided by
// votes, as always. A leader that is silent, cut off or hung is waited for as
// before, since its connections do not end.
func (r *Replica) connectionEnded(peer raft.ServerID) {
	n := r.node()
	if n == nil { // it is being started
		return
	}
	if _, leader := n.LeaderWithID(); leader != peer || !r.succeeding.CompareAndSwap(false, true) {
		return
	}
	r.wg.Add(1) // Close waits for the transport first, and so for this
	go r.succeed(n, peer)
}

// succeed stands for election if the leader's process has ended and no voter
// before this member, by id, has won one in its turn. One that stood and lost,
// because its log is behind, leaves no leader.
func (r *Replica) succeed(n *incarnation, leader raft.ServerID) {
	defer r.wg.Done()
	defer r.succeeding.Store(false)
	began := time.Now()
	vacant := func() bool {
		_, id := n.LeaderWithID()
		// To give its vote is a contact, too: who has one now is not to be deposed.
		return (id == leader || id == "") && n.State() == raft.Follower && !n.LastContact().After(began)
	}
	turn, votes := r.turnAfter(n, leader)
	addr, id := n.LeaderWithID()
	if !votes || id != leader || !r.ended(n, string(addr), began) {
		return
	}
	if !r.pause(time.Duration(turn)*r.cfg.ElectionTimeout/turnsPerElection) || !vacant() {
		return
	}
	r.logf("election: the leader %s at %s has ended; standing for election", leader, addr)
	if err := r.transport.TimeoutNow(vacant); err != nil {
		r.logf("election: %v; waiting for the election timeout instead", err)
	}
}

// turnAfter gives this member's place, from 0, among the voters but the leader,
// and whether it has a vote.
func (r *Replica) turnAfter(n *incarnation, leader raft.ServerID) (turn int, votes bool) {
	var heirs []uint64
	for _, s := range n.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter && s.ID != leader {
			heirs = append(heirs, memberID(s.ID))
		}
	}
	slices.Sort(heirs)
	turn = slices.Index(heirs, r.cfg.ID)
	return turn, turn >= 0
}

// ended tells whether nobody listens at the leader's address any more: its host
// is up and its process is not. It looks for a turn, unless the leader is heard
// of. No answer to a call says nothing.
func (r *Replica) ended(n *incarnation, addr string, began time.Time) bool {
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.ElectionTimeout/turnsPerElection)
	defer cancel()
	for pause := firstLook; ; pause *= 2 {
		c, err := r.cfg.Network.Dial(ctx, addr)
		if err != nil {
			return transport.IsRefused(err)
		}
		_ = c.Close() // it was only to see whether somebody is there
		if !r.pause(pause) || ctx.Err() != nil || n.LastContact().After(began) {
			return false
		}
	}
}

// pause waits; no if the member stops meanwhile.
func (r *Replica) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.stop:
		return false
	}
}
