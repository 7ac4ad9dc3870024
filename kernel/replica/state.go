package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"holdfast/kernel"
)

// state guards the kernel: raft's apply goroutine changes it, everybody else
// looks at views of it.
type state struct {
	mu     sync.Mutex
	kernel *kernel.State
	view   atomic.Pointer[kernel.View] // of the present state; nil until somebody asks
	hashes hashRing
	broken error // an entry that could not be read; nothing is applied after it
	// endTerm is the raft term of the entry at the kernel's log index, ours or
	// not: together they name an entry that is committed. It is 0 after a
	// restore, until the next entry.
	endTerm uint64

	// Readable without the lock: the kernel's log index, and the raft term of
	// the last entry that it applied.
	applied, term atomic.Uint64
	waiters       applyWaiters

	changedAt atomic.Int64 // when something was applied last, in nanoseconds since began
	began     time.Time
}

func newState() *state { return &state{kernel: kernel.New(), began: time.Now()} }

// look gives a view of the present state. Only the first to ask after a change
// pays for it, so pure writes never copy a page for nobody.
func (s *state) look() *kernel.View {
	if v := s.view.Load(); v != nil {
		return v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookLocked()
}

func (s *state) lookLocked() *kernel.View {
	v := s.view.Load()
	if v == nil {
		v = s.kernel.View()
		s.view.Store(v)
	}
	return v
}

// shown gives the present state with a clock that goes on since the last entry,
// by at most one tick, which is how far apart entries are while anything can
// expire. It only makes the ttl that clients see exact to the second; what
// expires is decided in the log.
func (s *state) shown(tick time.Duration) *kernel.View {
	v := s.look()
	since := min(time.Since(s.began)-time.Duration(s.changedAt.Load()), tick)
	if since <= 0 {
		return v
	}
	later := *v
	later.Clock.Now += kernel.Time(since)
	return &later
}

// changed ends a critical section that applied something; term is the raft
// term of the last entry, 0 if there was none. The term is published last: who
// sees it must not find a view from before. It returns when it was called, since
// began.
func (s *state) changed(term uint64) (at time.Duration) {
	index := s.kernel.Applied()
	at = time.Since(s.began)
	s.changedAt.Store(int64(at))
	s.view.Store(nil)
	s.applied.Store(uint64(index))
	if term != 0 {
		s.term.Store(term)
	}
	s.waiters.wake(index)
	return at
}

// hashRing remembers the history hash at the last keptHashes log indices.
type hashRing struct {
	at   [keptHashes]Hashes
	last Hashes
}

func (r *hashRing) put(h Hashes) {
	r.at[h.Index%keptHashes] = h
	r.last = h
}

func (r *hashRing) get(index kernel.LogIndex) (Hashes, bool) {
	if index == 0 {
		return r.last, r.last.Index != 0
	}
	h := r.at[index%keptHashes]
	return h, h.Index == index
}
