package replica

import (
	"errors"
	"time"

	"holdfast/kernel"
)

// ErrEmpty says that this member holds no state: nothing has been applied since
// it started, and it started without a snapshot.
var ErrEmpty = errors.New("nothing has been applied on this member yet")

// Copy is a member's whole state at one moment, to be carried elsewhere.
type Copy struct {
	*kernel.Snapshot
	// Term is the raft term of the last command in it.
	Term uint64
	// KnownLeader tells whether this member knew a leader then, LastContact how
	// long ago it had heard from one: zero on the leader, and the time since this
	// member's start if it has not heard from any.
	KnownLeader bool
	LastContact time.Duration
}

// Copy copies what this member has applied, whether or not there is a leader, but
// nothing older than since: the Applied of a View that Linearizable gave, or 0 for
// however old it is. Writes go on meanwhile: the state is locked for as long as its
// ring of events takes to be copied. Errors: ErrEmpty, ErrStopped, that of an entry
// that could not be read, and ErrNotReady when the state is older than since, as it
// is for a moment while it is built again from a snapshot.
func (r *Replica) Copy(since kernel.LogIndex) (*Copy, error) {
	select {
	case <-r.stop:
		return nil, ErrStopped
	default:
	}
	n := r.node()
	_, leader := n.LeaderWithID()
	c := &Copy{KnownLeader: leader != "", LastContact: lastContact(n.Raft)}
	if c.LastContact < 0 {
		c.LastContact = time.Since(r.started)
	}
	s := r.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	if s.kernel.Applied() == 0 {
		return nil, ErrEmpty
	}
	if s.kernel.Applied() < since {
		return nil, ErrNotReady
	}
	c.Snapshot, c.Term = s.kernel.Snapshot(), s.term.Load()
	return c, nil
}
