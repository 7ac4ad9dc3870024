//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// dispatch passes an RPC to raft and returns what raft answers. The RPC waits
// at most patience for raft to take it, because by then its sender has given
// up; once taken, it waits for as long as raft needs.
func (h *handle) dispatch(rpc raft.RPC, patience time.Duration) (any, error) {
	w := waiter{patience: patience}
	defer w.end()
	if err := h.takeTurn(&w); err != nil {
		return nil, err
	}
	defer h.endTurn()
	return h.hand(rpc, &w)
}

// waiter is an RPC's patience. Raft is idle as a rule and takes an RPC at once:
// the timer is made when there is something to wait for.
type waiter struct {
	patience time.Duration
	timer    *time.Timer
}

func (w *waiter) over() <-chan time.Time {
	if w.timer == nil {
		w.timer = time.NewTimer(w.patience)
	}
	return w.timer.C
}

func (w *waiter) end() {
	if w.timer != nil {
		w.timer.Stop()
	}
}

// takeTurn waits until no other RPC is with raft.
func (h *handle) takeTurn(w *waiter) error {
	select {
	case h.turn <- struct{}{}:
		return nil
	default:
	}
	select {
	case h.turn <- struct{}{}:
		return nil
	case <-w.over():
		return ErrBusy
	case <-h.ctx.Done():
		return h.whyEnded(h.ctx.Err())
	}
}

func (h *handle) endTurn() { <-h.turn }

// hand passes an RPC to raft; the caller has the turn.
func (h *handle) hand(rpc raft.RPC, w *waiter) (any, error) {
	answered := make(chan raft.RPCResponse, 1) // buffered: raft must never wait for us
	rpc.RespChan = answered
	if err := h.ctx.Err(); err != nil { // first alone, lest a retired consumer win by chance
		return nil, h.whyEnded(err)
	}
	if err := h.offer(rpc, w); err != nil {
		return nil, err
	}
	select {
	case r := <-answered:
		return r.Response, r.Error
	case <-h.ctx.Done():
		return nil, h.whyEnded(h.ctx.Err())
	}
}

// offer waits until raft takes an RPC.
func (h *handle) offer(rpc raft.RPC, w *waiter) error {
	select {
	case h.consumer <- rpc:
		return nil
	default:
	}
	select {
	case h.consumer <- rpc:
		return nil
	case <-w.over():
		return ErrBusy
	case <-h.ctx.Done():
		return h.whyEnded(h.ctx.Err())
	}
}

// Deliver passes a request to raft as if a peer had sent it, and returns nil
// when raft answered it with success. It waits up to a minute for raft to take
// the request, and then until raft answered. The request is copied; it needs
// the header of the leader it stands for.
//
// It serves to hand a follower the commit index that came with the answer to a
// forwarded request: an empty request whose previous index and term are those
// of the commit index. A commit index above what the request vouches for is
// refused with [ErrUnverifiedCommit]. Other errors: [ErrNoRaft], [ErrBusy],
// [ErrRejected] (an older term, or a log that has not got that far), raft's.
func (t *Transport) Deliver(req *raft.AppendEntriesRequest) error {
	if req.LeaderCommitIndex > verified(req) {
		return fmt.Errorf("raftrpc: deliver: commit index %d, verified up to %d: %w; send the entry's own index and term as the previous ones",
			req.LeaderCommitIndex, verified(req), ErrUnverifiedCommit)
	}
	h := t.current.Load()
	if h == nil {
		return fmt.Errorf("raftrpc: deliver: %w", ErrNoRaft)
	}
	resp, err := h.dispatch(raft.RPC{Command: copyRequest(req)}, maxPatience)
	if err != nil {
		return fmt.Errorf("raftrpc: deliver: %w", err)
	}
	r, ok := resp.(*raft.AppendEntriesResponse)
	if !ok {
		return fmt.Errorf("raftrpc: deliver: raft answered with a %T", resp)
	}
	if !r.Success {
		return fmt.Errorf("raftrpc: deliver: term %d, last index %d: %w", r.Term, r.LastLog, ErrRejected)
	}
	return nil
}

// TimeoutNow has this server's own raft stand for election, as if its leader had
// asked it to take over: the others vote although they may know a leader. It does
// nothing unless still says yes when no other RPC is with raft any more, among
// them the vote for somebody else. Errors: [ErrNoRaft], [ErrBusy] after
// [Config.VoteTimeout], raft's.
func (t *Transport) TimeoutNow(still func() bool) error {
	h := t.current.Load()
	if h == nil {
		return fmt.Errorf("raftrpc: stand for election: %w", ErrNoRaft)
	}
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(t.cfg.LocalID), Addr: []byte(t.cfg.LocalAddr)}
	w := waiter{patience: t.cfg.VoteTimeout}
	defer w.end()
	if err := h.takeTurn(&w); err != nil {
		return fmt.Errorf("raftrpc: stand for election: %w", err)
	}
	defer h.endTurn()
	if !still() {
		return nil
	}
	if _, err := h.hand(raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: header}}, &w); err != nil {
		return fmt.Errorf("raftrpc: stand for election: %w", err)
	}
	return nil
}

// copyRequest returns a request that shares no memory with r: raft keeps what
// it is given.
func copyRequest(r *raft.AppendEntriesRequest) *raft.AppendEntriesRequest {
	c := *r
	c.ID, c.Addr, c.Leader = bytes.Clone(r.ID), bytes.Clone(r.Addr), bytes.Clone(r.Leader)
	c.Entries = nil
	for _, l := range r.Entries {
		e := *l
		e.Data, e.Extensions = bytes.Clone(l.Data), bytes.Clone(l.Extensions)
		c.Entries = append(c.Entries, &e)
	}
	return &c
}
