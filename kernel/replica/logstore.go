package replica

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"holdfast/transport/raftrpc"
	"holdfast/wal"
)

// logStore is the log as raft has to see it.
//
// It tells when raft has emptied the log. raft never resets its idea of
// its last entry on an install: if that lies beyond the snapshot, or at its very
// index in another term, it refuses every entry until it is built anew
// (hashicorp/raft#697). The log is emptied as the last step of an install.
//
// And it still knows the term of the entry with which the newest snapshot ends,
// when the log has lost it. raft looks for the entry before the first of a
// request in the log alone, unless it is the very end: a member whose log begins
// right behind its snapshot, with a tail that nobody committed, would refuse
// every request of a leader who has no later snapshot to send.
//
// And it tells when an entry that is still to be applied cannot be read: raft
// panics when it comes to apply it.
type logStore struct {
	*wal.Log
	emptied    func()
	covered    func() (index, term uint64)
	applied    func() uint64
	unreadable func(error)
}

func (r *Replica) logStore() logStore {
	return logStore{Log: r.log, emptied: r.logEmptied, covered: r.covered, applied: r.state.applied.Load, unreadable: r.fatal}
}

// GetLog returns an entry, or of the newest snapshot's last one, if the log has
// it no more, the index and the term, as an entry of the type raftrpc.TermOnly.
// raft applies none of it, for it is in the state machine. A leader may read it
// where it is about to send the entry, if a snapshot took that from the log just
// then: the transport refuses to, and raft, which then misses the entry before
// it, sends the snapshot. The very first has none before, and is left out.
func (s logStore) GetLog(index uint64, e *raft.Log) error {
	err := s.Log.GetLog(index, e)
	if errors.Is(err, raft.ErrLogNotFound) && index > 1 {
		if end, term := s.covered(); end == index {
			*e = raft.Log{Index: index, Term: term, Type: raftrpc.TermOnly}
			return nil
		}
	}
	// An entry that was applied is asked for on behalf of others, who can be sent
	// a snapshot. Without one that was not a follower cannot go on; a leader might
	// for a while, from memory, but its disk is no better. That a log is poisoned
	// or closed was told by whoever did it.
	if err != nil && index > s.applied() && !errors.Is(err, raft.ErrLogNotFound) && !errors.Is(err, wal.ErrPoisoned) && !errors.Is(err, wal.ErrClosed) {
		s.unreadable(fmt.Errorf("entry to be applied: %w", err))
	}
	return err
}

func (s logStore) DeleteRange(lo, hi uint64) error {
	err := s.Log.DeleteRange(lo, hi)
	if last, lastErr := s.LastIndex(); err == nil && lastErr == nil && last == 0 {
		s.emptied()
	}
	return err
}
