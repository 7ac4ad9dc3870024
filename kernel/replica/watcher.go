package replica

import (
	"sync"

	"holdfast/kernel"
)

// Receiver takes the events of a watch.
type Receiver interface {
	// Receive is given events, oldest first, and told whether the watch has ended
	// (its one event is among them, the client fell behind, the member stops):
	// then nothing more comes. One call follows the other, each in a goroutine
	// that holds up this watch only. The slice is the caller's, who may clear it.
	Receive(events []*Notice, ended bool)
}

// Watcher receives the events of one watch.
type Watcher struct {
	path      string
	recursive bool
	stream    bool
	listed    bool // guarded by the hub's lock
	since     kernel.StoreIndex
	hub       *hub

	// Index is the store index when the watch began, LogIndex and Term the
	// raft log index and term: what the answer's headers say.
	Index    kernel.StoreIndex
	LogIndex kernel.LogIndex
	Term     uint64

	mu         sync.Mutex
	queue      []*Notice
	first      [1]*Notice // the memory of a queue that has not held more
	to         Receiver   // nil before Deliver, and when nothing more is to be received
	delivering bool       // a goroutine hands out the queue
	ended      bool
}

// push queues a notice, under the hub's lock. It says no when the watcher wants no more: a one-shot
// watch has its event, or a laggard was ended.
func (w *Watcher) push(n *Notice) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return false
	}
	if len(w.queue) >= MaxWatchBacklog {
		w.ended, w.queue = true, nil
		w.hub.lagged++
	} else {
		w.queue = append(w.queue, n)
		w.ended = !w.stream
	}
	w.wake()
	return !w.ended
}

// wake sees to it that what has come is received, with mu held. A goroutine for
// as long as there is something costs less than one that waits beside each watch.
func (w *Watcher) wake() {
	if w.to != nil && !w.delivering {
		w.delivering = true
		go w.deliver()
	}
}

func (w *Watcher) deliver() {
	var taken []*Notice // and its memory is where the next are queued
	for {
		w.mu.Lock()
		to, ended := w.to, w.ended
		if to == nil || len(w.queue) == 0 && !ended {
			w.delivering = false
			if cap(w.queue) == 0 && cap(taken) <= keptBacklog {
				w.queue = taken[:0]
			}
			w.mu.Unlock()
			return
		}
		taken, w.queue = w.queue, taken[:0]
		if ended {
			w.to, w.delivering = nil, false
		}
		w.mu.Unlock()
		to.Receive(taken, ended)
		if ended {
			return
		}
		clear(taken)
	}
}

// keptBacklog is how much room for waiting events a watcher keeps.
const keptBacklog = 64

func (w *Watcher) end() {
	w.mu.Lock()
	w.ended = true
	w.wake()
	w.mu.Unlock()
}

// Take gives what a new watch already has, from the ring, and whether it has
// ended with it.
func (w *Watcher) Take() (events []*Notice, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	events, w.queue = w.queue, nil
	return events, w.ended
}

// Deliver begins to hand out events as they come. It is for the first caller,
// unless Take has told the end.
func (w *Watcher) Deliver(to Receiver) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.to = to
	if len(w.queue) > 0 || w.ended {
		w.wake()
	}
}

// Close gives the watcher up: nothing more is received, but for a call of
// Receive that is under way. It may be called more than once.
func (w *Watcher) Close() {
	w.mu.Lock()
	w.ended, w.to, w.queue = true, nil, nil
	w.mu.Unlock()
	w.hub.remove(w)
}

// replay queues one event of the ring; it stops when the watch has enough.
func (w *Watcher) replay(e *kernel.Event) bool {
	if !e.Matches(w.path, w.recursive) {
		return true
	}
	w.queue = append(w.queue, &Notice{Event: e})
	w.ended = !w.stream
	return w.stream
}
