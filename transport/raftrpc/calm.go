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
//
// Some go out all the same, so that their connection stays: on a new one nobody
// would notice that the peer has lost all that it had (see [busy]).
type calm struct {
	asked atomic.Uint64 // by Ask; confirmations up to this number are of no use

	mu    sync.Mutex
	peers map[raft.ServerID]contact
}

// contact is the newest request to append that a peer followed, and when the
// newest heartbeat began that it did.
type contact struct {
	term, number uint64
	began, beat  time.Time
}

// calmShare is the part of the heartbeat's timeout for which an answered request
// to append stands for heartbeats. The daemon's timeout is twice raft's, which
// sends heartbeats every tenth to fifth of its own: a twentieth to a tenth of
// ours. A request may stand for those of one such interval, the longest.
const calmShare = 10

// beatShare is the part of [Config.IdleTimeout] after which a heartbeat goes out
// for its connection's sake; after half of it that would be given up.
const beatShare = 4

// followed notes that a peer followed this server in a request that began then.
func (c *calm) followed(id raft.ServerID, heartbeat bool, term, number uint64, began time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, known := c.peers[id]
	if !known && len(c.peers) >= maxTrackedPeers {
		return
	}
	switch {
	case heartbeat:
		last.beat = began
	case last.number < number:
		last.term, last.number, last.began = term, number, began
	}
	if c.peers == nil {
		c.peers = map[raft.ServerID]contact{}
	}
	c.peers[id] = last
}

// forget notes that a peer did not answer.
func (c *calm) forget(id raft.ServerID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.peers, id)
}

// spares tells whether a peer followed this server in term so recently, and
// after the last Ask, that a heartbeat would bring nothing new to either.
func (c *calm) spares(id raft.ServerID, term uint64, now time.Time, cfg *Config) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	last, known := c.peers[id]
	return known && last.term == term && last.number > c.asked.Load() &&
		now.Sub(last.began) < cfg.HeartbeatTimeout/calmShare && now.Sub(last.beat) < cfg.IdleTimeout/beatShare
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
