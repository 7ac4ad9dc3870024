package replica

import (
	"slices"
	"sync"

	"github.com/tidwall/btree"

	"holdfast/kernel"
)

// Limits of the hub.
const (
	// MaxWatchers bounds the watchers parked on one member.
	MaxWatchers = 65536
	// MaxWatchBacklog is how many events may wait for one watcher. One more
	// ends it: its client sees a clean end and resumes from the index it has.
	MaxWatchBacklog = 1024
	// maxHubQueue bounds the events that wait for the hub; the apply loop
	// waits when it is full, so that no event is ever passed over.
	maxHubQueue = 8192
	// deliverGroup is how many watchers one goroutine hands an event.
	deliverGroup = 64
)

// Notice is an event on its way to watchers, encoded once for all of them.
type Notice struct {
	*kernel.Event
	once    sync.Once
	encoded []byte
}

// Encoded is the event in the form that encode gives it; encode runs for the
// first caller only. The result is shared: do not change it.
func (n *Notice) Encoded(encode func(*kernel.Event) []byte) []byte {
	n.once.Do(func() { n.encoded = encode(n.Event) })
	return n.encoded
}

// hub brings events to watchers. Events enter in order of their indices
// through publish and are matched by a goroutine of its own, so that a
// thousand watchers do not slow the apply loop. A watcher says from which
// index it wants events; what lies before was served from the ring under the
// lock of the state, so nothing is missed and nothing comes twice.
type hub struct {
	mu       sync.Mutex
	watchers btree.Map[string, []*Watcher]
	count    int
	ready    []*Watcher // have something; only the hub's goroutine touches them
	refused  uint64     // MaxWatchers were parked
	lagged   uint64     // watchers ended over MaxWatchBacklog
	ended    bool

	queueMu sync.Mutex
	room    sync.Cond // on queueMu
	queue   []*kernel.Event
	closed  bool
	wake    chan struct{}
	done    chan struct{}
}

func newHub() *hub {
	h := &hub{wake: make(chan struct{}, 1), done: make(chan struct{})}
	h.room.L = &h.queueMu
	go h.run()
	return h
}

// publish queues events; it waits while the hub is maxHubQueue behind.
func (h *hub) publish(events []*kernel.Event) {
	if len(events) == 0 {
		return
	}
	h.queueMu.Lock()
	for len(h.queue) > maxHubQueue && !h.closed {
		h.room.Wait()
	}
	h.queue = append(h.queue, events...)
	h.queueMu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

func (h *hub) run() {
	defer close(h.done)
	var batch []*kernel.Event
	for {
		h.queueMu.Lock()
		batch, h.queue = h.queue, batch[:0]
		closed := h.closed
		h.room.Broadcast()
		h.queueMu.Unlock()
		// The lock is taken anew for each event: who begins to watch holds up
		// the apply loop while waiting for it.
		for i, e := range batch {
			h.mu.Lock()
			if h.count > 0 {
				h.dispatch(e)
			}
			h.mu.Unlock()
			if i%deliverGroup == deliverGroup-1 || len(h.ready) >= deliverGroup {
				h.deliver()
			}
		}
		h.deliver()
		if closed {
			return
		}
		clear(batch)
		if len(batch) == 0 {
			<-h.wake
		}
	}
}

// deliver has the ready watchers handed what they have, many by one goroutine: one
// for each costs more than what it does. Several share the work of a large number.
func (h *hub) deliver() {
	for group := range slices.Chunk(h.ready, deliverGroup) {
		go deliver(slices.Clone(group))
	}
	clear(h.ready)
	h.ready = h.ready[:0]
}

// dispatch gives one event to the watchers it belongs to: those at its path
// and at each directory above, and, when a directory was removed, those
// below. Event.Matches has the last word.
func (h *hub) dispatch(e *kernel.Event) {
	if e.Node == nil || e.Refresh {
		return
	}
	n := &Notice{Event: e}
	path := e.Node.Path
	h.notify(path, n)
	for i := len(path) - 1; i > 0; i-- {
		if path[i] == '/' {
			h.notify(path[:i], n)
		}
	}
	if path != "/" {
		h.notify("/", n)
	}
	if e.Action.Removes() && e.Node.Dir {
		for _, below := range h.pathsBelow(path) {
			h.notify(below, n)
		}
	}
}

func (h *hub) pathsBelow(dir string) []string {
	var paths []string
	h.watchers.Ascend(dir+"/", func(path string, _ []*Watcher) bool {
		if !kernel.Below(path, dir) {
			return false
		}
		paths = append(paths, path)
		return true
	})
	return paths
}

func (h *hub) notify(path string, n *Notice) {
	list, ok := h.watchers.Get(path)
	if !ok {
		return
	}
	kept := list[:0]
	for _, w := range list {
		if n.Index >= w.since && n.Matches(w.path, w.recursive) && !w.push(n) {
			w.listed = false
			h.count--
			continue
		}
		kept = append(kept, w)
	}
	clear(list[len(kept):])
	h.keep(path, kept)
}

func (h *hub) keep(path string, list []*Watcher) {
	if len(list) == 0 {
		h.watchers.Delete(path)
		return
	}
	h.watchers.Set(path, list)
}

func (h *hub) add(w *Watcher) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return ErrStopped
	}
	if h.count >= MaxWatchers {
		h.refused++
		return ErrTooManyWatchers
	}
	list, _ := h.watchers.Get(w.path)
	h.watchers.Set(w.path, append(list, w))
	w.listed = true
	h.count++
	return nil
}

func (h *hub) remove(w *Watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !w.listed {
		return
	}
	w.listed = false
	list, _ := h.watchers.Get(w.path)
	if i := slices.Index(list, w); i >= 0 {
		h.count--
		h.keep(w.path, slices.Delete(list, i, i+1))
	}
}

// load fills in what is parked and what waits.
func (h *hub) load(out *Metrics) {
	h.mu.Lock()
	out.Watchers = Gauge{uint64(h.count), MaxWatchers, h.refused}
	out.WatchersLagged, out.WatchBacklogLimit = h.lagged, MaxWatchBacklog
	h.mu.Unlock()
	h.queueMu.Lock()
	out.EventQueue = Gauge{Now: uint64(len(h.queue)), Limit: maxHubQueue}
	h.queueMu.Unlock()
}

func (h *hub) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

// endAll ends every watcher cleanly: at a stop, and after a restore, whose
// jump in indices they could not see.
func (h *hub) endAll(final bool) {
	h.mu.Lock()
	h.ended = h.ended || final
	h.watchers.Scan(func(_ string, list []*Watcher) bool {
		for _, w := range list {
			w.listed = false
			w.end()
		}
		return true
	})
	h.watchers.Clear()
	h.count = 0
	h.mu.Unlock()
}

func (h *hub) close() {
	h.endAll(true)
	h.queueMu.Lock()
	h.closed = true
	h.room.Broadcast()
	h.queueMu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
	<-h.done
}
