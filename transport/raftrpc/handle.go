package raftrpc

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

var (
	_ raft.Transport   = (*handle)(nil)
	_ raft.WithPreVote = (*handle)(nil)
)

// handle is the transport as one raft instance sees it.
type handle struct {
	t      *Transport
	ctx    context.Context // ends when the handle is retired or the transport closed
	cancel context.CancelFunc

	mu   sync.Mutex
	held []*link // of requests under way: their connections end with the handle

	// consumer is unbuffered: an RPC is either still here, and can be answered
	// with an error, or in raft's hands, and raft answers.
	consumer chan raft.RPC
	// turn holds one token while an RPC is with raft, from being offered to
	// being answered. raft's main loop handles one at a time anyway; with the
	// token, nothing can happen to the log between the install gate's look at
	// the applied index and raft's handling of the install.
	turn chan struct{}
}

func newHandle(t *Transport) *handle {
	h := &handle{t: t, consumer: make(chan raft.RPC), turn: make(chan struct{}, 1)}
	h.ctx, h.cancel = context.WithCancel(t.ctx)
	return h
}

// retire ends the handle and every request under way.
func (h *handle) retire() {
	h.cancel()
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.held {
		l.c.Close()
	}
}

// hold lets a link end with the handle until it is let go.
func (h *handle) hold(l *link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.held = append(h.held, l)
	if h.ctx.Err() != nil {
		l.c.Close()
	}
}

// letGo tells whether the handle still lives: if not, the link is of no use.
func (h *handle) letGo(l *link) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if i := slices.Index(h.held, l); i >= 0 {
		h.held = slices.Delete(h.held, i, i+1)
	}
	return h.ctx.Err() == nil
}

// Consumer returns the inbound RPCs.
func (h *handle) Consumer() <-chan raft.RPC { return h.consumer }

// LocalAddr returns the address peers know this server by.
func (h *handle) LocalAddr() raft.ServerAddress { return h.t.cfg.LocalAddr }

// SetHeartbeatHandler ignores the handler. Its interface allows that, and
// safety demands it: the handler changes raft's term and state on a goroutine
// of the transport's while raft's main loop still believes itself the leader,
// and the next entry is written under the new leader's term
// (hashicorp/raft#695).
func (h *handle) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntriesPipeline has nothing to offer: more than one request in flight
// gains little on a LAN, and a stalled disk can wedge a pipelined follower
// (hashicorp/raft#612).
func (h *handle) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

// isHeartbeat tells raft's heartbeats from its other requests, by the same
// signs raft's own transport goes by.
func isHeartbeat(r *raft.AppendEntriesRequest) bool {
	return r.PrevLogEntry == 0 && r.PrevLogTerm == 0 && len(r.Entries) == 0 && r.LeaderCommitIndex == 0
}

// AppendEntries sends args. It may shorten args.Entries to what fits one
// request: raft v1.8.0 builds args anew for every call, goes by args.Entries
// afterwards for what the follower has, and sends the rest next. A heartbeat
// that would bring nothing new is not sent, see [calm].
func (h *handle) AppendEntries(id raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	t, began := h.t, time.Now()
	if isHeartbeat(args) && h.ctx.Err() == nil && t.calm.spares(id, args.Term, began, &t.cfg) {
		*resp = raft.AppendEntriesResponse{Term: args.Term, Success: true}
		return nil
	}
	number := t.started.Add(1) // before anything is written: readers rely on it
	c := call{class: ClassHeartbeat, kind: kindAppend, target: id, addr: target, timeout: t.cfg.HeartbeatTimeout}
	if !isHeartbeat(args) {
		c.class, c.timeout = ClassAppend, t.cfg.AppendTimeout
		args.Entries = args.Entries[:fitEntries(args.Entries)]
		for _, e := range args.Entries {
			if e.Type == TermOnly {
				return fmt.Errorf("raftrpc: append to %s at %s: entry %d: %w", id, target, e.Index, ErrTermOnly)
			}
		}
	}
	c.encode = func(b []byte, e envelope) []byte { return appendAppendRequest(b, e, args) }
	c.decode = func(payload []byte) error { return decodeAppendResponse(payload, resp) }

	took, err := h.call(c)
	if c.class == ClassAppend {
		t.peers.record(id, took, err == nil)
	}
	if err != nil {
		t.calm.forget(id)
		return err
	}
	if !resp.Success || resp.Term > args.Term {
		return nil
	}
	t.calm.followed(id, c.class == ClassHeartbeat, args.Term, number, began)
	if f := t.confirmed.Load(); f != nil {
		(*f)(id, args.Term, number)
	}
	return nil
}

// RequestVote asks for a vote.
func (h *handle) RequestVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	_, err := h.call(call{
		class: ClassVote, kind: kindVote, target: id, addr: target, timeout: h.t.cfg.VoteTimeout,
		encode: func(b []byte, e envelope) []byte { return appendVoteRequest(b, e, args) },
		decode: func(payload []byte) error { return decodeVoteResponse(payload, resp) },
	})
	return err
}

// RequestPreVote asks whether a vote would be granted.
func (h *handle) RequestPreVote(id raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	_, err := h.call(call{
		class: ClassVote, kind: kindPreVote, target: id, addr: target, timeout: h.t.cfg.VoteTimeout,
		encode: func(b []byte, e envelope) []byte { return appendPreVoteRequest(b, e, args) },
		decode: func(payload []byte) error { return decodePreVoteResponse(payload, resp) },
	})
	return err
}

// TimeoutNow asks the target to start an election, to take leadership over.
func (h *handle) TimeoutNow(id raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	_, err := h.call(call{
		class: ClassVote, kind: kindTimeoutNow, target: id, addr: target, timeout: h.t.cfg.VoteTimeout,
		encode: func(b []byte, e envelope) []byte { return appendTimeoutNowRequest(b, e, args) },
		decode: func(payload []byte) error { return decodeTimeoutNowResponse(payload, resp) },
	})
	return err
}

// InstallSnapshot sends args and as many bytes of data as args.Size declares.
func (h *handle) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	return h.install(id, target, args, resp, data)
}

// EncodePeer returns what DecodePeer makes the address of.
func (h *handle) EncodePeer(_ raft.ServerID, addr raft.ServerAddress) []byte { return []byte(addr) }

// DecodePeer returns the address EncodePeer encoded.
func (h *handle) DecodePeer(b []byte) raft.ServerAddress { return raft.ServerAddress(b) }
