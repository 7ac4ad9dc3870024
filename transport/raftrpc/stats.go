package raftrpc

import (
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Class groups RPCs by what they need of the network. Heartbeats and requests
// to append have a connection each, so that a large one does not delay a
// heartbeat.
type Class int

// The classes.
const (
	ClassHeartbeat Class = iota // AppendEntries that only keeps followers calm
	ClassAppend                 // any other AppendEntries
	ClassVote                   // RequestVote, RequestPreVote, TimeoutNow
	ClassInstall                // InstallSnapshot
	classes        = iota
)

// String returns the class's name for messages.
func (c Class) String() string {
	switch c {
	case ClassHeartbeat:
		return "heartbeat"
	case ClassAppend:
		return "append"
	case ClassVote:
		return "vote"
	case ClassInstall:
		return "install"
	}
	return "unknown class"
}

// Traffic counts the requests of one class and their bytes, frame headers and
// a snapshot's body included, answers not.
type Traffic struct {
	SentRequests     uint64
	SentBytes        uint64
	ReceivedRequests uint64
	ReceivedBytes    uint64
}

// Rate is what etcd's statistics call one: over the last 200 requests, zero
// when the last is more than a second old.
type Rate struct {
	RequestsPerSecond float64
	BytesPerSecond    float64
}

// Stats counts since the start of the transport.
type Stats struct {
	Traffic     [classes]Traffic // by Class
	SendAppend  Rate             // of ClassAppend
	RecvAppend  Rate             // of ClassAppend
	Connections int              // inbound ones open now, of at most ConnectionsLimit
	// InboundBytes are the payloads held for all of them now.
	InboundBytes uint64
	// ConnectionsLimit and InboundBytesLimit bound the two.
	ConnectionsLimit, InboundBytesLimit uint64
	Faults
}

// Faults counts what was refused.
type Faults struct {
	BadFrames     uint64 // connections closed: not our frames, or beyond a limit
	Truncated     uint64 // connections closed: they ended within a frame
	TimedOut      uint64 // connections closed: silent for IdleTimeout, or slow within a frame
	Refused       uint64 // connections closed at once: too many, or the transport is closed
	Misdirected   uint64 // requests for another server
	StaleInstalls uint64 // installs that brought nothing new
}

// Stats returns the counters as they stand.
func (t *Transport) Stats() Stats {
	s := t.counters.snapshot(time.Now())
	t.mu.Lock()
	s.Connections = t.inbound
	s.InboundBytes = uint64(max(t.inboundBytes.Load(), 0))
	s.ConnectionsLimit, s.InboundBytesLimit = maxInboundConns, maxInboundBytes
	t.mu.Unlock()
	return s
}

// counters is the state behind Stats.
type counters struct {
	mu sync.Mutex
	Faults
	traffic    [classes]Traffic
	sendAppend rateWindow
	recvAppend rateWindow
}

func (c *counters) add(n *uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
}

func (c *counters) sent(class Class, bytes int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traffic[class].SentRequests++
	c.traffic[class].SentBytes += uint64(bytes)
	if class == ClassAppend {
		c.sendAppend.add(now, bytes)
	}
}

func (c *counters) sentMore(class Class, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traffic[class].SentBytes += uint64(bytes)
}

func (c *counters) received(class Class, bytes int) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traffic[class].ReceivedRequests++
	c.traffic[class].ReceivedBytes += uint64(bytes)
	if class == ClassAppend {
		c.recvAppend.add(now, bytes)
	}
}

func (c *counters) receivedMore(class Class, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traffic[class].ReceivedBytes += uint64(bytes)
}

func (c *counters) snapshot(now time.Time) Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{
		Traffic:    c.traffic,
		SendAppend: c.sendAppend.rate(now),
		RecvAppend: c.recvAppend.rate(now),
		Faults:     c.Faults,
	}
}

// rateWindow remembers the last requests, as many as etcd does.
type rateWindow struct {
	at    [200]time.Time
	size  [200]int
	next  int // where the next one goes
	count int
	bytes int
}

func (w *rateWindow) add(now time.Time, bytes int) {
	if w.count == len(w.at) {
		w.bytes -= w.size[w.next]
	} else {
		w.count++
	}
	w.at[w.next], w.size[w.next] = now, bytes
	w.bytes += bytes
	w.next = (w.next + 1) % len(w.at)
}

// rate follows etcd: requests in the window over the time between its first
// and its last. One request makes no rate; etcd would divide by zero.
func (w *rateWindow) rate(now time.Time) Rate {
	if w.count == 0 {
		return Rate{}
	}
	n := len(w.at)
	last := w.at[(w.next+n-1)%n]
	first := w.at[(w.next+n-w.count)%n]
	if now.Sub(last) > time.Second {
		*w = rateWindow{}
		return Rate{}
	}
	span := last.Sub(first).Seconds()
	if span <= 0 {
		return Rate{}
	}
	return Rate{RequestsPerSecond: float64(w.count) / span, BytesPerSecond: float64(w.bytes) / span}
}

// PeerStats describes the requests of ClassAppend to one follower.
type PeerStats struct {
	ID      raft.ServerID
	Success uint64 // answered, with whatever result
	Fail    uint64 // not answered, or answered with an error
	Latency Latency
}

// Latency describes the round trips of the requests answered, in seconds. All
// are zero before the first.
type Latency struct {
	Current           float64
	Average           float64
	Minimum           float64
	Maximum           float64
	StandardDeviation float64 // of all of them, not of a sample
}

// PeerStats returns an entry for each server this one has sent entries to,
// sorted by ID, since the start of the transport.
func (t *Transport) PeerStats() []PeerStats { return t.peers.snapshot() }

// peerTable is the state behind PeerStats, sorted by ID.
type peerTable struct {
	mu    sync.Mutex
	peers []peerState
}

type peerState struct {
	PeerStats
	squares float64 // sum of squared distances from the average (Welford)
}

func (p *peerTable) record(id raft.ServerID, took time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i, found := slices.BinarySearchFunc(p.peers, id, func(s peerState, id raft.ServerID) int {
		return strings.Compare(string(s.ID), string(id))
	})
	if !found {
		if len(p.peers) >= maxTrackedPeers {
			return
		}
		p.peers = slices.Insert(p.peers, i, peerState{PeerStats: PeerStats{ID: id}})
	}
	if ok {
		p.peers[i].succeeded(took.Seconds())
	} else {
		p.peers[i].Fail++
	}
}

func (s *peerState) succeeded(seconds float64) {
	s.Success++
	l := &s.Latency
	l.Current = seconds
	l.Maximum = max(l.Maximum, seconds)
	if s.Success == 1 || seconds < l.Minimum {
		l.Minimum = seconds
	}
	delta := seconds - l.Average
	l.Average += delta / float64(s.Success)
	s.squares += delta * (seconds - l.Average)
	l.StandardDeviation = math.Sqrt(s.squares / float64(s.Success))
}

func (p *peerTable) snapshot() []PeerStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]PeerStats, len(p.peers))
	for i := range p.peers {
		all[i] = p.peers[i].PeerStats
	}
	return all
}
