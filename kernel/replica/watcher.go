package replica

import (
	"slices"
	"sync"

	"holdfast/kernel"
)

// Receiver takes the events of a watch.
type Receiver interface {
	// Receive is given events, oldest first, and told whether the watch has ended
	// (its one event is among them, the client fell behind, the member stops):
	// then nothing more comes. One call follows the other. Unless mayWait it holds
	// up other watches: a receiver that would have to wait says that it is not
	// done, and is called once more, with the same and mayWait. The slice is the
	// caller's; the receiver may clear what it is done with.
	Receive(events []*Notice, ended, mayWait bool) (done bool)
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

// push queues a notice, and the watcher among the hub's ready ones, under the hub's
// lock. It says no when the watcher wants no more: a one-shot watch has its event,
// or a laggard was ended.
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
	if w.start() {
		w.hub.ready = append(w.hub.ready, w)
	}
	return !w.ended
}

// wake sees to it that what has come is received, with mu held.
func (w *Watcher) wake() {
	if w.start() {
		go deliver([]*Watcher{w})
	}
}

// start tells whether somebody has to begin to deliver, with mu held.
func (w *Watcher) start() bool {
	if w.to == nil || w.delivering {
		return false
	}
	w.delivering = true
	return true
}

// deliver hands watchers what has come for them, in turns, so that none with much
// to receive keeps the others waiting.
func deliver(watchers []*Watcher) {
	for len(watchers) > 0 {
		watchers = slices.DeleteFunc(watchers, func(w *Watcher) bool { return !w.deliver() })
	}
}

// parcel is what is received in one call.
type parcel struct {
	to     Receiver // nil: none any more
	events []*Notice
	ended  bool
}

// deliver hands out what has come, once, and tells whether more has come meanwhile.
// It waits for nobody: for a receiver that has to wait, a goroutine of its own does.
func (w *Watcher) deliver() (more bool) {
	p := w.take()
	if p.to != nil && !p.to.Receive(p.events, p.ended, false) {
		go w.deliverWaiting(p)
		return false
	}
	return w.settle(p)
}

func (w *Watcher) deliverWaiting(p parcel) {
	for p.to != nil {
		p.to.Receive(p.events, p.ended, true)
		if !w.settle(p) {
			return
		}
		p = w.take()
	}
	w.settle(p)
}

func (w *Watcher) take() parcel {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := parcel{w.to, w.queue, w.ended}
	if w.queue = nil; p.ended {
		w.to = nil
	}
	return p
}

// settle is behind the receipt of a parcel, whose memory is where the next ones
// gather. It tells whether there are any; if not, delivery ends for now.
func (w *Watcher) settle(p parcel) (more bool) {
	clear(p.events)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue == nil && cap(p.events) <= keptBacklog {
		w.queue = p.events[:0]
	}
	w.delivering = w.to != nil && (len(w.queue) > 0 || w.ended)
	return w.delivering
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
