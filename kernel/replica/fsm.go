package replica

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
)

// fsm is raft's view of the kernel. Configuration entries reach it too, so
// that the kernel's index keeps up with the commit index on an idle cluster.
type fsm struct {
	r *Replica
	// own is set while the next state to be restored is this member's own, at a
	// start or a rebuild, and none that a leader sent.
	own *atomic.Bool
}

var _ raft.BatchingFSM = fsm{}

// applied is what the leader's own future gets of an entry.
type applied struct {
	results []kernel.Result
	index   kernel.LogIndex
	term    uint64
}

// ApplyBatch applies committed entries under one lock and hands their events
// on in order. An entry that cannot be read ends the member: nothing is applied
// any more, so that no snapshot can make a gap permanent.
func (f fsm) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	s := f.r.state
	began := time.Since(s.began)
	var events []*kernel.Event
	var broken error
	term := uint64(0)
	s.mu.Lock()
	for i, l := range logs {
		if l.Type != raft.LogCommand {
			s.kernel.Skip(kernel.LogIndex(l.Index))
			s.endTerm = l.Term
			continue
		}
		done, err := s.kernel.Apply(kernel.LogIndex(l.Index), l.Data)
		if err != nil {
			broken = fmt.Errorf("apply: entry %d of term %d cannot be read: %w", l.Index, l.Term, err)
			s.broken = broken
			break
		}
		term, s.endTerm = l.Term, l.Term
		s.hashes.put(Hashes{Index: kernel.LogIndex(l.Index), History: s.kernel.HistoryHash()})
		out[i] = &applied{done.Results, kernel.LogIndex(l.Index), l.Term}
		if o := f.r.cfg.Observer; o != nil {
			o.Applied(observed(s.kernel, l.Term, done.Events))
		}
		if events == nil {
			events = done.Events
		} else {
			events = append(events, done.Events...)
		}
	}
	f.r.meters.applyTime.took(s.changed(term) - began)
	deadlines := hasDeadlines(s.kernel)
	s.mu.Unlock()
	f.r.expires.Store(deadlines)
	f.r.hub.publish(events)
	for i, l := range logs {
		if done, ok := out[i].(*applied); ok {
			f.r.batcher.applied(l.Data, done)
		}
	}
	if broken != nil {
		f.r.fatal(broken)
		<-f.r.stop
	}
	return out
}

// Apply applies one entry.
func (f fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// Snapshot copies the state in O(1); raft persists it beside further applies.
func (f fsm) Snapshot() (raft.FSMSnapshot, error) {
	s := f.r.state
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return nil, s.broken
	}
	return fsmSnapshot{s.kernel.Snapshot()}, nil
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
	s.kernel, s.endTerm = k, 0
	// Its clock session was opened by an entry of that term.
	s.changed(k.Session().Term)
	deadlines := hasDeadlines(k)
	if o := f.r.cfg.Observer; o != nil {
		seen := observed(k, k.Session().Term, nil)
		seen.Restored = true
		o.Applied(seen)
	}
	s.mu.Unlock()
	f.r.expires.Store(deadlines)
	f.r.hub.endAll(false)
	if !f.own.Swap(false) {
		f.r.meters.installed.Add(1)
	}
	return nil
}

func hasDeadlines(k *kernel.State) bool {
	_, ok := k.NextDeadline()
	return ok
}
