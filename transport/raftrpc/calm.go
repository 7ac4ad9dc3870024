package raftrpc

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// calm spares heartbeats. raft sends each follower two streams that keep it
// calm: heartbeats, and requests to append, which while nothing is written are
// empty and nearly as many. A follower that has just answered one of the latter
// needs no heartbeat beside it; a heartbeat is told its answer then, and not
// sent. On an idle cluster that is almost half of all requests.
//
// What it costs: raft believes such a follower to have been heard of now, where
// it was up to [Config.HeartbeatTimeout]/calmShare earlier. That puts off by as
// much when a leader without a quorum steps down, and makes as much longer the
// time that a follower may hear nothing, when raft's election timeout is several
// times that. No read relies on it: see [Transport.Ask].
type calm struct {
	asked atomic.Uint64 // by Ask; confirmations up to this number are of no use

	mu    sync.Mutex
	peers map[raft.ServerID]contact
}

// contact is the newest request to append that a peer followed.
type contact struct {
	term, number uint64
	began        time.Time
}

// calmShare is the part of the heartbeat's timeout for which an answered request
// to append stands for heartbeats. The daemon's timeout is twice raft's, which
// sends heartbeats every tenth to fifth of its own: a twentieth to a tenth of
// ours. A request may stand for those of one such interval, the longest.
const calmShare = 10

// followed notes that a peer followed this server in a request that began then.
func (c *calm) followed(id raft.ServerID, term, number uint64, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, known := c.peers[id]
	if known && old.number > number || !known && len(c.peers) >= maxTrackedPeers {
		return
	}
	if c.peers == nil {
		c.peers = map[raft.ServerID]contact{}
	}
	c.peers[id] = contact{term, number, began}
}

// forget notes that a peer did not answer.
func (c *calm) forget(id raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.peers, id)
}

// spares tells whether a peer followed this server in term so recently, and
// after the last Ask, that a heartbeat would bring nothing new to either.
func (c *calm) spares(id raft.ServerID, term uint64, now time.Time, window time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, known := c.peers[id]
	return known && last.term == term && last.number > c.asked.Load() && now.Sub(last.began) < window
}

// Ask makes raft's next heartbeat to each peer a real one, unless the peer has
// confirmed a request numbered above after by then: whoever waits for such
// confirmations (see [Transport.OnConfirmed]) calls it before raft is told to
// send heartbeats. after is at most [Transport.Started].
func (t *Transport) Ask(after uint64) {
	for {
		old := t.calm.asked.Load()
		if old >= after || t.calm.asked.CompareAndSwap(old, after) {
			return
		}
	}
}
