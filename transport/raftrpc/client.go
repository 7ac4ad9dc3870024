package raftrpc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// call is one outbound RPC with a single frame either way.
type call struct {
	class   Class
	kind    kind
	target  raft.ServerID
	addr    raft.ServerAddress
	timeout time.Duration
	encode  func([]byte, envelope) []byte
	decode  func([]byte) error
}

// outgoing holds buffers for frames to be sent.
var outgoing = sync.Pool{New: func() any { return new([]byte) }}

func releaseOutgoing(p *[]byte, b []byte) {
	if cap(b) <= keepBufferBytes {
		*p = b[:0]
		outgoing.Put(p)
	}
}

// call sends c, waits for its answer and returns how long that took, without
// the time to get a connection. It never sends anything twice: raft knows
// better than the transport whether a request is still worth it.
func (h *handle) call(c call) (time.Duration, error) {
	took, err := h.exchange(c)
	if err != nil {
		return took, fmt.Errorf("raftrpc: %v to %s at %s: %w", c.class, c.target, c.addr, err)
	}
	return took, nil
}

func (h *handle) exchange(c call) (time.Duration, error) {
	p := outgoing.Get().(*[]byte)
	b := c.encode(startFrame((*p)[:0], c.kind, 0), envelope{target: c.target, patience: c.timeout})
	defer func() { releaseOutgoing(p, b) }()
	begin := time.Now()
	deadline := begin.Add(c.timeout + time.Duration(len(b))*time.Second/bytesPerSecond)

	l, err := h.link(c.class, c.addr, begin, deadline)
	if err != nil {
		if c.class == ClassHeartbeat {
			h.t.heard(c.addr, time.Now(), err)
		}
		return 0, err
	}
	if l.calls == 0 {
		begin = time.Now() // dialling does not count
	}
	h.hold(l)
	h.t.began(l, begin)
	payload, err := h.t.roundTrip(l, c, b, begin, deadline)
	end := time.Now()
	took := end.Sub(begin)
	whole := h.t.ended(l, end, err)
	if err == nil {
		err = c.decode(payload)
	}
	alive := h.letGo(l)
	if alive && whole && (err == nil || errors.Is(err, ErrRemote)) {
		h.t.putAside(l, end)
		return took, err
	}
	h.t.discard(l.c, false)
	if err != nil && !errors.Is(err, ErrRemote) {
		// What ended this connection, a restart as a rule, has likely ended
		// the others to the same peer.
		h.t.dropIdle(c.addr)
	}
	return took, h.whyEnded(err)
}

func (t *Transport) roundTrip(l *link, c call, b []byte, now, deadline time.Time) ([]byte, error) {
	if err := l.numbered(b); err != nil {
		return nil, err
	}
	if err := l.c.SetDeadline(deadline); err != nil {
		return nil, err
	}
	t.counters.sent(c.class, len(b), now)
	if _, err := l.c.Write(b); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	return l.readAnswer(c.kind)
}

// whyEnded replaces the error of a connection that was closed on purpose.
func (h *handle) whyEnded(err error) error {
	switch {
	case err == nil:
		return nil
	case h.t.ctx.Err() != nil:
		return ErrClosed
	case h.ctx.Err() != nil:
		return ErrNoRaft
	}
	return err
}

// link returns an idle connection of the class to addr, or a new one. Only
// heartbeats and entries keep theirs. Votes and snapshots are too rare to find
// an idle connection still alive, and a vote lost to a dead one may cost an
// election.
func (h *handle) link(class Class, addr raft.ServerAddress, now, deadline time.Time) (*link, error) {
	if h.ctx.Err() != nil {
		return nil, h.whyEnded(h.ctx.Err())
	}
	if class == ClassHeartbeat || class == ClassAppend {
		if l := h.t.takeIdle(class, addr, now); l != nil {
			return l, nil
		}
	}
	if d := now.Add(dialTimeout); d.Before(deadline) {
		deadline = d
	}
	ctx, cancel := context.WithDeadline(h.ctx, deadline)
	defer cancel()
	c, err := h.t.cfg.Dial(ctx, string(addr))
	if err != nil {
		return nil, h.whyEnded(err)
	}
	if !h.t.track(c, false) {
		c.Close()
		return nil, ErrClosed
	}
	l := newLink(c)
	l.class, l.addr = class, addr
	return l, nil
}

// takeIdle returns the connection put aside last for this use, or nil, and
// closes those that have been idle so long that the peer may be about to.
func (t *Transport) takeIdle(class Class, addr raft.ServerAddress, now time.Time) *link {
	fresh := now.Add(-t.cfg.IdleTimeout / 2)
	t.dropIdleIf(func(l *link) bool { return l.idleSince.Before(fresh) })
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.idle) - 1; i >= 0; i-- {
		if l := t.idle[i]; l.class == class && l.addr == addr {
			t.idle = slices.Delete(t.idle, i, i+1)
			return l
		}
	}
	return nil
}

// putAside keeps a connection for the next RPC of its class to the same peer.
func (t *Transport) putAside(l *link, now time.Time) {
	if l.class != ClassHeartbeat && l.class != ClassAppend {
		t.discard(l.c, false)
		return
	}
	l.idleSince = now
	t.mu.Lock()
	var surplus *link
	if !t.closed {
		t.idle = append(t.idle, l)
		if len(t.idle) > maxIdleConns {
			surplus = t.idle[0]
			t.idle = slices.Delete(t.idle, 0, 1)
		}
	}
	t.mu.Unlock()
	if surplus != nil {
		t.discard(surplus.c, false)
	}
}

// dropIdle closes the idle connections to addr.
func (t *Transport) dropIdle(addr raft.ServerAddress) {
	t.dropIdleIf(func(l *link) bool { return l.addr == addr })
}

func (t *Transport) dropIdleIf(doomed func(*link) bool) {
	var gone []*link
	t.mu.Lock()
	t.idle = slices.DeleteFunc(t.idle, func(l *link) bool {
		if doomed(l) {
			gone = append(gone, l)
			return true
		}
		return false
	})
	t.mu.Unlock()
	for _, l := range gone {
		t.discard(l.c, false)
	}
}
