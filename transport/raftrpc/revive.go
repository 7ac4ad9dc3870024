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
//
// An install under way is not covered: it waits for its answer until its own
// time-out ([Config.InstallAnswerTimeout] and the allowance for its size), however
// soon its peer is back.
type busy struct {
	links []*link // requests for entries that wait for their answer
	peers map[raft.ServerAddress]silence
}

// silence is what is known of a peer that did not answer a heartbeat.
type silence struct {
	since time.Time // of the last one that it did not answer; zero: it answers
	// gaveUp says that a request to it has been given up, and none answered
	// since. The next one has its whole time: a link that is slow, but lives,
	// must not lose its requests over and over.
	gaveUp bool
}

// began and ended frame one round trip of a link. ended tells whether the link
// is still whole.
func (t *Transport) began(l *link, now time.Time) {
	if l.class != ClassAppend {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l.busySince = now
	t.busy.links = append(t.busy.links, l)
}

func (t *Transport) ended(l *link, now time.Time, err error) (whole bool) {
	switch l.class {
	case ClassAppend:
		t.mu.Lock()
		defer t.mu.Unlock()
		if p, known := t.busy.peers[l.addr]; known && err == nil && p.gaveUp {
			p.gaveUp = false
			t.remember(l.addr, p)
		}
		i := slices.Index(t.busy.links, l)
		if i < 0 {
			return false // heard has closed it, if perhaps after its answer
		}
		t.busy.links = slices.Delete(t.busy.links, i, i+1)
	case ClassHeartbeat:
		t.heard(l.addr, now, err)
	}
	return true
}

// heard takes note of how a heartbeat ended. With the first that is answered
// after a silence, requests from before it are given up: raft sends them again,
// which does no harm if the peer was merely slow.
func (t *Transport) heard(addr raft.ServerAddress, now time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.busy.peers[addr]
	since := p.since
	if err != nil {
		p.since = now
		t.remember(addr, p)
		return
	}
	if since.IsZero() {
		return
	}
	p.since = time.Time{}
	if !p.gaveUp {
		t.busy.links = slices.DeleteFunc(t.busy.links, func(l *link) bool {
			lost := l.addr == addr && l.busySince.Before(since)
			if lost {
				p.gaveUp = true
				l.c.Close()
			}
			return lost
		})
	}
	t.remember(addr, p)
}

// remember keeps what is known of a peer; of one of which there is nothing to
// know, nothing. Members that went away are forgotten when there are too many.
func (t *Transport) remember(addr raft.ServerAddress, p silence) {
	if t.busy.peers == nil || len(t.busy.peers) >= maxIdleConns {
		t.busy.peers = map[raft.ServerAddress]silence{}
	}
	if p == (silence{}) {
		delete(t.busy.peers, addr)
		return
	}
	t.busy.peers[addr] = p
}
