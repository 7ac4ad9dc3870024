package raftrpc

import (
	"context"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// Transport carries raft's RPCs for one server. It outlives the raft instances
// that use it: each gets a handle of its own from [Transport.Raft]. Its
// methods may be called from any goroutine.
type Transport struct {
	cfg    Config
	ctx    context.Context // ends when the transport is closed
	cancel context.CancelFunc
	wg     sync.WaitGroup // the accept loop and the inbound connections

	started   atomic.Uint64
	confirmed atomic.Pointer[func(peer raft.ServerID, term, number uint64)]
	current   atomic.Pointer[handle] // nil, or what inbound RPCs go to
	switching sync.Mutex             // one change of current at a time

	counters     counters
	peers        peerTable
	calm         calm
	inboundBytes atomic.Int64 // payloads held for inbound connections
	complaints   complaints

	mu      sync.Mutex
	closed  bool
	open    []net.Conn // every connection, in and out; in a slice so that they are closed in a fixed order
	inbound int        // how many of them are inbound
	idle    []*link    // outbound ones between two RPCs, oldest first
	busy    busy
}

// New starts a transport on cfg. Until the first call of [Transport.Raft],
// inbound RPCs are answered with an error.
func New(cfg Config) (*Transport, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	t := &Transport{cfg: cfg}
	t.ctx, t.cancel = context.WithCancel(context.Background())
	t.complaints.logf = cfg.Logf
	t.wg.Add(1)
	go t.acceptLoop()
	return t, nil
}

// Raft returns the transport for a new raft instance, to be passed to
// raft.NewRaft once. From then on inbound RPCs go to this handle, and the
// previous one is retired: its calls fail with [ErrNoRaft], its Consumer gets
// nothing more, and RPCs that wait for it are answered with an error.
//
// The handle implements raft.WithPreVote. It does not implement
// raft.WithClose: raft would then close, at its shutdown, what the next
// instance needs.
func (t *Transport) Raft() raft.Transport {
	h := newHandle(t)
	t.attach(h)
	return h
}

// Retire detaches the current raft instance without a successor: its RPCs,
// inbound and outbound, end at once with an error. Call it before shutting a
// raft instance down, which otherwise waits for its last RPCs to time out.
func (t *Transport) Retire() { t.attach(nil) }

func (t *Transport) attach(h *handle) {
	t.switching.Lock()
	defer t.switching.Unlock()
	if old := t.current.Swap(h); old != nil {
		old.retire()
	}
}

// Started returns the number of the AppendEntries started last; 0 means none.
// The numbers rise by one with each, over all peers and raft instances of this
// transport, and are given before any byte of the request is written.
//
// A read that takes s = Started() may rely on a confirmation (see
// [Transport.OnConfirmed]) numbered above s having been asked for after it.
func (t *Transport) Started() uint64 { return t.started.Load() }

// OnConfirmed sets the function called for each AppendEntries, heartbeats
// included, that peer answered with success and without a higher term: the
// peer followed this server as the leader of term at some time after the
// request number was given. It is called on the goroutine that raft waits with,
// before raft sees the answer, and must return at once. The last function set
// counts; nil sets none.
func (t *Transport) OnConfirmed(f func(peer raft.ServerID, term, number uint64)) {
	if f == nil {
		t.confirmed.Store(nil)
		return
	}
	t.confirmed.Store(&f)
}

// Close ends the transport: the listener, every connection, and every RPC,
// which fail. It returns when none of the transport's goroutines is left; raft
// is told nothing else.
func (t *Transport) Close() error {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	t.closed = true
	t.cancel()
	for _, c := range t.open {
		c.Close()
	}
	t.open, t.idle = nil, nil
	t.mu.Unlock()

	t.Retire()
	err := t.cfg.Listener.Close()
	t.wg.Wait()
	return err
}

// track registers a connection so that Close reaches it, and reports whether
// it may live: not when the transport is closed, nor when it would be one
// inbound connection too many.
func (t *Transport) track(c net.Conn, inbound bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || inbound && t.inbound >= maxInboundConns {
		return false
	}
	t.open = append(t.open, c)
	if inbound {
		t.inbound++
	}
	return true
}

// discard closes a tracked connection and forgets it.
func (t *Transport) discard(c net.Conn, inbound bool) {
	c.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.open, c); i >= 0 {
		t.open = slices.Delete(t.open, i, i+1)
	}
	if inbound {
		t.inbound--
	}
}

// complaints writes lines about misbehaving peers, at most one per logEvery,
// so that a peer cannot fill the log.
type complaints struct {
	logf       func(string, ...any)
	mu         sync.Mutex
	last       time.Time
	suppressed int
}

func (c *complaints) about(addr net.Addr, err error) {
	c.mu.Lock()
	now := time.Now()
	if !c.last.IsZero() && now.Sub(c.last) < logEvery {
		c.suppressed++
		c.mu.Unlock()
		return
	}
	suppressed := c.suppressed
	c.last, c.suppressed = now, 0
	c.mu.Unlock()
	c.logf("raftrpc: connection from %v closed: %v (%d more like it not logged)", addr, err, suppressed)
}
