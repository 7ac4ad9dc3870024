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
	at    int // in the heap; -1 when it has left it
}

type waiterHeap []*applyWaiter

func (h waiterHeap) Len() int           { return len(h) }
func (h waiterHeap) Less(i, j int) bool { return h[i].index < h[j].index }
func (h waiterHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].at, h[j].at = i, j
}
func (h *waiterHeap) Push(x any) {
	w := x.(*applyWaiter)
	w.at = len(*h)
	*h = append(*h, w)
}
func (h *waiterHeap) Pop() any {
	old := *h
	w := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	w.at = -1
	return w
}

// wake releases who waits for index or less.
func (w *applyWaiters) wake(index kernel.LogIndex) {
	w.mu.Lock()
	for len(w.waiting) > 0 && w.waiting[0].index <= index {
		close(heap.Pop(&w.waiting).(*applyWaiter).done)
	}
	w.mu.Unlock()
}

func (w *applyWaiters) add(index kernel.LogIndex) *applyWaiter {
	waiter := &applyWaiter{index: index, done: make(chan struct{})}
	w.mu.Lock()
	heap.Push(&w.waiting, waiter)
	w.mu.Unlock()
	return waiter
}

func (w *applyWaiters) remove(waiter *applyWaiter) {
	w.mu.Lock()
	if waiter.at >= 0 {
		heap.Remove(&w.waiting, waiter.at)
	}
	w.mu.Unlock()
}

func (w *applyWaiters) len() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return uint64(len(w.waiting))
}

// waitApplied waits until the kernel has applied index.
func (r *Replica) waitApplied(ctx context.Context, index kernel.LogIndex) error {
	s := r.state
	if s.applied.Load() >= uint64(index) {
		return nil
	}
	waiter := s.waiters.add(index)
	defer s.waiters.remove(waiter)
	// It may have been applied between the first look and the add.
	if s.applied.Load() >= uint64(index) {
		return nil
	}
	select {
	case <-waiter.done:
		return nil
	case <-r.stop:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}
