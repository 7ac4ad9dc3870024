package sim

import "container/heap"

// event is something that will happen at a moment of virtual time. Events of one moment happen in the order in which
// they were planned.
type event struct {
	at  int64 // nanoseconds since the run began
	seq uint64
	do  func()
}

type eventQueue struct {
	events eventHeap
	seq    uint64
}

func (q *eventQueue) push(at int64, do func()) {
	q.seq++
	heap.Push(&q.events, event{at: at, seq: q.seq, do: do})
}

// pop returns the next event, false if there is none at or before limit.
func (q *eventQueue) pop(limit int64) (event, bool) {
	if len(q.events) == 0 || q.events[0].at > limit {
		return event{}, false
	}
	return heap.Pop(&q.events).(event), true
}

// eventHeap implements heap.Interface.
type eventHeap []event

func (h eventHeap) Len() int      { return len(h) }
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h eventHeap) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].seq < h[j].seq
}
func (h *eventHeap) Push(x any) { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = event{}
	*h = old[:len(old)-1]
	return last
}
