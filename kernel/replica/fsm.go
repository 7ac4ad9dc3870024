package replica

import (
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
)

// fsm is raft's view of the kernel. Configuration entries reach it too, so
// that the kernel's index keeps up with the commit index on an idle cluster.
type fsm struct {
	r *Replica
}

var (
	_ raft.BatchingFSM        = fsm{}
	_ raft.ConfigurationStore = fsm{}
)

// applied is what the leader's own future gets of an entry.
type applied struct {
	results []kernel.Result
	index   kernel.LogIndex
	term    uint64
}

// ApplyBatch applies committed entries under one lock and hands their events
// on in order.
func (f fsm) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	s := f.r.state
	var events []*kernel.Event
	s.mu.Lock()
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			s.kernel.Skip(kernel.LogIndex(l.Index))
			continue
		}
		done, err := s.kernel.Apply(kernel.LogIndex(l.Index), l.Data)
		if err != nil {
			s.mu.Unlock()
			f.r.fatal(fmt.Errorf("apply: entry %d of term %d cannot be read: %w", l.Index, l.Term, err))
			return out
		}
		s.term.Store(l.Term)
		s.hashes.put(Hashes{Index: kernel.LogIndex(l.Index), History: s.kernel.HistoryHash()})
		out[i] = &applied{done.Results, kernel.LogIndex(l.Index), l.Term}
		if events == nil {
			events = done.Events
		} else {
			events = append(events, done.Events...)
		}
	}
	s.changed()
	deadlines := hasDeadlines(s.kernel)
	s.mu.Unlock()
	f.r.expires.Store(deadlines)
	f.r.hub.publish(events)
	return out
}

// Apply applies one entry.
func (f fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// StoreConfiguration is told of configuration entries when raft does not send
// them in a batch.
func (f fsm) StoreConfiguration(index uint64, _ raft.Configuration) {
	s := f.r.state
	s.mu.Lock()
	s.kernel.Skip(kernel.LogIndex(index))
	s.changed()
	s.mu.Unlock()
}

// Snapshot copies the state in O(1); raft persists it beside further applies.
func (f fsm) Snapshot() (raft.FSMSnapshot, error) {
	f.r.state.mu.Lock()
	defer f.r.state.mu.Unlock()
	return fsmSnapshot{f.r.state.kernel.Snapshot()}, nil
}

type fsmSnapshot struct{ *kernel.Snapshot }

func (s fsmSnapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := s.WriteTo(sink); err != nil {
		return fmt.Errorf("persist snapshot: %w", err)
	}
	// raft closes the sink.
	return nil
}

func (fsmSnapshot) Release() {}

// Restore replaces the state. Parked watchers cannot see across the jump: they
// are ended cleanly and resume from the ring that came with the snapshot.
func (f fsm) Restore(source io.ReadCloser) error {
	k, err := kernel.Restore(source)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	s := f.r.state
	s.mu.Lock()
	k.Skip(kernel.LogIndex(f.r.snapshots.opened.Load()))
	s.kernel = k
	// Its clock session was opened by an entry of that term.
	s.term.Store(k.Session().Term)
	s.changed()
	deadlines := hasDeadlines(k)
	s.mu.Unlock()
	f.r.expires.Store(deadlines)
	f.r.hub.endAll(false)
	return nil
}

func hasDeadlines(k *kernel.State) bool {
	_, ok := k.NextDeadline()
	return ok
}
