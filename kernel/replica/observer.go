package replica

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
	"holdfast/wal"
)

// Observer is told what a member does, as it does it, by the goroutine that
// does it: for tests, traces and audits. Its methods must return soon and must
// not call the replica.
type Observer interface {
	// Applied reports an entry of commands, in the order of the log. The events
	// belong to the kernel and must not be changed.
	Applied(Applied)
	// Role reports raft's role and term when this member's raft starts, and at
	// every change of either.
	Role(state string, term uint64)
	// Voted reports a vote once it is durable, the candidate by its peer
	// address. At a start it reports the vote that was read back.
	Voted(term uint64, candidate string, readBack bool)
	// Reached reports a rare state.
	Reached(Probe)
}

// Applied is an entry that the kernel applied, or a state that it took over.
type Applied struct {
	Index      kernel.LogIndex
	Term       uint64 // raft's term of the entry; of a restored state that of its clock session
	Hash       uint64 // history hash
	StoreIndex kernel.StoreIndex
	Now        kernel.Time // cluster time
	Session    kernel.Session
	// Restored says that the state came from a snapshot, at start or by an
	// install: then there are no events.
	Restored bool
	Events   []*kernel.Event
}

// observed describes the state that the kernel is in after an entry.
func observed(k *kernel.State, term uint64, events []*kernel.Event) Applied {
	return Applied{
		Index: k.Applied(), Term: term, Hash: k.HistoryHash(), StoreIndex: k.Index(), Now: k.Now(), Session: k.Session(),
		Events: events,
	}
}

// observeRole reports changes of raft's state. The filter of an observer runs
// on raft's own goroutine, so that the term belongs to the state.
func (r *Replica) observeRole(n *raft.Raft) {
	o := r.cfg.Observer
	if o == nil {
		return
	}
	o.Role(strings.ToLower(n.State().String()), n.CurrentTerm())
	n.RegisterObserver(raft.NewObserver(nil, false, func(seen *raft.Observation) bool {
		if state, ok := seen.Data.(raft.RaftState); ok {
			o.Role(strings.ToLower(state.String()), n.CurrentTerm())
		}
		return false
	}))
}

// stableStore is the stable store as raft sees it: with an observer of terms
// and votes, and fatal when a write fails. A member whose term and vote can no
// longer be written would go on answering, and raft panics when it has to take
// up a new term.
type stableStore struct {
	*wal.Stable
	fatal    func(error)
	observer Observer
	torn     bool              // remains of a record that was being written were found at the start
	raft     func() *raft.Raft // nil while it is being made
}

// failed tells of a write that failed, and returns its error.
func (s stableStore) failed(err error) error {
	if errors.Is(err, wal.ErrPoisoned) {
		s.fatal(fmt.Errorf("term and vote: %w", err))
	}
	return err
}

var (
	keyTerm     = []byte("CurrentTerm")
	keyVoteTerm = []byte("LastVoteTerm")
	keyVoteCand = []byte("LastVoteCand")
)

// SetUint64 implements raft.StableStore. raft does not tell of a candidate's new
// term otherwise.
func (s stableStore) SetUint64(key []byte, value uint64) error {
	err := s.failed(s.Stable.SetUint64(key, value))
	if err != nil || s.observer == nil || string(key) != string(keyTerm) {
		return err
	}
	if n := s.raft(); n != nil {
		s.observer.Role(strings.ToLower(n.State().String()), value)
	}
	return nil
}

// Set implements raft.StableStore. raft writes the term of a vote first, then
// its candidate; with the second the vote is given.
func (s stableStore) Set(key, value []byte) error {
	err := s.failed(s.Stable.Set(key, value))
	if err != nil || s.observer == nil || string(key) != string(keyVoteCand) {
		return err
	}
	term, err := s.Stable.GetUint64(keyVoteTerm)
	if err != nil {
		return fmt.Errorf("read back the term of a vote: %w", err)
	}
	s.observer.Voted(term, string(value), false)
	if s.torn {
		s.observer.Reached(ProbeVoteAfterTorn)
	}
	return nil
}

// readBack reports the vote that lies on disk, if there is one.
func (s stableStore) readBack() error {
	if s.observer == nil {
		return nil
	}
	candidate, err := s.Get(keyVoteCand)
	if errors.Is(err, wal.ErrNotFound) {
		return nil
	}
	term, termErr := s.GetUint64(keyVoteTerm)
	if err = errors.Join(err, termErr); err != nil {
		return fmt.Errorf("read back the vote: %w", err)
	}
	s.observer.Voted(term, string(candidate), true)
	return nil
}
