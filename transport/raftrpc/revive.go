package raftrpc

import (
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// busy knows what waits for an answer, and which peers have been silent. A peer
// that lost its power and came back knows nothing of the connections it had, and
// whoever waits on one sends nothing that would find that out: its request for
// entries would wait for its whole time-out, and the peer be without entries for
// as long. Heartbeats notice sooner that somebody is back.
type busy struct {
	links  []*link // requests for entries that wait for their answer
	silent map[raft.ServerAddress]time.Time
}

// began and ended frame one round trip of a link.
func (t *Transport) began(l *link, now time.Time) {
	if l.class != ClassAppend {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l.busySince = now
	t.busy.links = append(t.busy.links, l)
}

func (t *Transport) ended(l *link, now time.Time, err error) {
	switch l.class {
	case ClassAppend:
		t.mu.Lock()
		defer t.mu.Unlock()
		if i := slices.Index(t.busy.links, l); i >= 0 {
			t.busy.links = slices.Delete(t.busy.links, i, i+1)
		}
	case ClassHeartbeat:
		t.heard(l.addr, now, err)
	}
}

// heard takes note of how a heartbeat ended. With the first that is answered
// after a silence, requests from before it are given up: raft sends them again,
// which does no harm if the peer was merely slow.
func (t *Transport) heard(addr raft.ServerAddress, now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if t.busy.silent == nil {
			t.busy.silent = map[raft.ServerAddress]time.Time{}
		}
		if len(t.busy.silent) < maxIdleConns {
			t.busy.silent[addr] = now
		}
		return
	}
	since, was := t.busy.silent[addr]
	if !was {
		return
	}
	delete(t.busy.silent, addr)
	for _, l := range t.busy.links {
		if l.addr == addr && l.busySince.Before(since) {
			l.c.Close()
		}
	}
}
