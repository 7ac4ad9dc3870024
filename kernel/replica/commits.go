package replica

import (
	"sync"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
)

// commitHints brings commits forward. A follower learns of a commit with the
// next AppendEntries, which on an idle cluster is 50 to 100 ms away; but the
// answer to a forwarded request already names a committed index. Handing raft
// an empty AppendEntries of the same term that ends at that very entry lets it
// commit at once: raft itself checks that the entry there has that term, and
// what follows an entry of a term's leader can only be that leader's.
type commitHints struct {
	mu        sync.Mutex
	index     kernel.LogIndex // the highest committed index heard of
	term      uint64          // of the entry there
	last      uint64          // what this member's log has synced
	delivered kernel.LogIndex
	wake      chan struct{}
}

// hint notes that the entry at index, of term, is committed.
func (c *commitHints) hint(index kernel.LogIndex, term uint64) {
	c.mu.Lock()
	if index > c.index {
		c.index, c.term = index, term
	}
	c.mu.Unlock()
	c.signal()
}

// synced notes how far this member's log reaches.
func (c *commitHints) synced(last uint64) {
	c.mu.Lock()
	c.last = last
	due := c.due()
	c.mu.Unlock()
	if due {
		c.signal()
	}
}

func (c *commitHints) due() bool { return c.index > c.delivered && c.last >= uint64(c.index) }

func (c *commitHints) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *commitHints) run(r *Replica) {
	defer r.wg.Done()
	for {
		select {
		case <-c.wake:
		case <-r.stop:
			return
		}
		c.mu.Lock()
		due, index, term := c.due(), c.index, c.term
		if due {
			c.delivered = index
		}
		c.mu.Unlock()
		if due && r.state.applied.Load() < uint64(index) {
			r.deliverCommit(index, term)
		}
	}
}

func (r *Replica) deliverCommit(index kernel.LogIndex, term uint64) {
	n := r.node()
	// The term is read first: raft forgets the leader before it takes a new
	// term, so a leader seen afterwards is one of this term or a later one.
	current := n.CurrentTerm()
	addr, id := n.LeaderWithID()
	if id == "" || memberID(id) == r.cfg.ID || current != term || n.CurrentTerm() != term {
		return
	}
	err := r.transport.Deliver(&raft.AppendEntriesRequest{
		RPCHeader:         raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: []byte(addr)},
		Term:              term,
		PrevLogEntry:      uint64(index),
		PrevLogTerm:       term,
		LeaderCommitIndex: uint64(index),
	})
	if err != nil {
		// The next AppendEntries of the leader itself brings the commit.
		r.logf("commit hint: %v", err)
	}
}
