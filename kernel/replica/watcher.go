package replica

import (
	"sync"

	"holdfast/kernel"
)

// Watcher receives the events of one watch.
type Watcher struct {
	path      string
	recursive bool
	stream    bool
	since     kernel.StoreIndex
	hub       *hub

	// Index is the store index when the watch began, LogIndex and Term the
	// raft log index and term: what the answer's headers say.
	Index    kernel.StoreIndex
	LogIndex kernel.LogIndex
	Term     uint64

	mu    sync.Mutex
	queue []*Notice
	ended bool
	wake  chan struct{} // holds one token when there is something to see
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
	w.signal()
	return !w.ended
}

func (w *Watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *Watcher) end() {
	w.mu.Lock()
	w.ended = true
	w.signal()
	w.mu.Unlock()
}

// Next waits until there are notices and returns all of them, oldest first.
// It returns none when the watch has ended (its one event was delivered, the
// client fell behind, the member stops) or when done is closed.
func (w *Watcher) Next(done <-chan struct{}) []*Notice {
	for {
		w.mu.Lock()
		list, ended := w.queue, w.ended
		w.queue = nil
		w.mu.Unlock()
		if len(list) > 0 || ended {
			return list
		}
		select {
		case <-w.wake:
		case <-done:
			return nil
		}
	}
}

// Close gives the watcher up. It may be called more than once.
func (w *Watcher) Close() {
	w.end()
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
