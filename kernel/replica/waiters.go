package replica

import (
	"container/heap"
	"context"
	"sync"

	"holdfast/kernel"
)

// applyWaiters lets callers wait until the kernel has applied a log index.
type applyWaiters struct {
	mu      sync.Mutex
	waiting waiterHeap
}

type applyWaiter struct {
	index kernel.LogIndex
	done  chan struct{}
}

type waiterHeap []applyWaiter

func (h waiterHeap) Len() int           { return len(h) }
func (h waiterHeap) Less(i, j int) bool { return h[i].index < h[j].index }
func (h waiterHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *waiterHeap) Push(x any)        { *h = append(*h, x.(applyWaiter)) }
func (h *waiterHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	old[len(old)-1] = applyWaiter{}
	*h = old[:len(old)-1]
	return x
}

// wake releases who waits for index or less.
func (w *applyWaiters) wake(index kernel.LogIndex) {
	w.mu.Lock()
	for len(w.waiting) > 0 && w.waiting[0].index <= index {
		close(heap.Pop(&w.waiting).(applyWaiter).done)
	}
	w.mu.Unlock()
}

// waitApplied waits until the kernel has applied index.
func (s *state) waitApplied(ctx context.Context, index kernel.LogIndex) error {
	if s.applied.Load() >= uint64(index) {
		return nil
	}
	done := make(chan struct{})
	s.waiters.mu.Lock()
	heap.Push(&s.waiters.waiting, applyWaiter{index, done})
	s.waiters.mu.Unlock()
	// It may have been applied between the first look and the push.
	if s.applied.Load() >= uint64(index) {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
