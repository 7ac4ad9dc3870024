package raftrpc

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// acceptLoop serves inbound connections until the listener is closed.
func (t *Transport) acceptLoop() {
	defer t.wg.Done()
	pause := acceptBackoffMin
	for {
		c, err := t.cfg.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			timer := time.NewTimer(pause)
			select {
			case <-timer.C:
				pause = min(2*pause, acceptBackoffMax)
				continue
			case <-t.ctx.Done():
				timer.Stop()
				return
			}
		}
		pause = acceptBackoffMin
		if !t.track(c, true) {
			t.counters.add(&t.counters.Refused)
			c.Close()
			continue
		}
		t.wg.Add(1)
		go t.serve(c)
	}
}

// serve answers the requests of one connection, one after the other: the next
// is not read before the last is answered.
func (t *Transport) serve(c net.Conn) {
	defer t.wg.Done()
	defer t.discard(c, true)
	l := newLink(c)
	for {
		err := t.serveOne(l)
		if err == nil {
			continue
		}
		if !errors.Is(err, io.EOF) && t.ctx.Err() == nil {
			t.complaints.about(c.RemoteAddr(), err)
		}
		if l.leader != "" && t.ctx.Err() == nil {
			t.cfg.Ended(l.leader)
		}
		return
	}
}

// errEnd ends a connection whose last answer was sent. It counts as its end.
var errEnd = fmt.Errorf("connection has served its purpose: %w", io.EOF)

// serveOne reads, handles and answers one request. An error ends the
// connection; io.EOF is its proper end.
func (t *Transport) serveOne(l *link) error {
	held := 0 // bytes reserved for this request's payload
	defer func() { t.inboundBytes.Add(-int64(held)) }()
	f, err := t.readRequest(l, func(n int) error {
		if t.inboundBytes.Add(int64(n)) > maxInboundBytes {
			t.inboundBytes.Add(-int64(n))
			return fmt.Errorf("inbound requests hold %d bytes: %w", maxInboundBytes, ErrTooLarge)
		}
		held += n
		return nil
	})
	if err != nil {
		t.countReadError(err)
		return err
	}
	if f.kind == kindInstall {
		return t.serveInstall(l, f)
	}
	rpc, err := decodeRequest(f)
	if err != nil {
		t.counters.add(&t.counters.BadFrames)
		return err
	}
	t.counters.received(rpc.class, f.bytes())
	if rpc.to.target != t.cfg.LocalID {
		return t.answerError(l, f, t.misdirected(rpc.to))
	}
	h := t.current.Load()
	if h == nil {
		return t.answerError(l, f, ErrNoRaft)
	}
	if r, ok := rpc.command.(*raft.AppendEntriesRequest); ok {
		if string(r.ID) != string(l.leader) {
			l.leader = raft.ServerID(r.ID)
		}
		if r.PrevLogEntry < t.cfg.AppliedIndex() {
			skipCovered(r, t.cfg.Covered)
		}
	}
	resp, err := h.dispatch(raft.RPC{Command: rpc.command}, rpc.to.patience)
	return t.answer(l, f, resp, err)
}

// readRequest reads one frame: its header within the idle time, the rest within
// the time its length is good for. Its error is io.EOF where the connection
// ends between two frames, whoever ended it: the peer will dial again.
func (t *Transport) readRequest(l *link, reserve func(int) error) (frame, error) {
	if err := l.c.SetReadDeadline(time.Now().Add(t.cfg.IdleTimeout)); err != nil {
		return frame{}, err
	}
	if _, err := l.br.Peek(1); err != nil {
		if isTimeout(err) {
			t.counters.add(&t.counters.TimedOut)
		}
		return frame{}, io.EOF
	}
	var raw [headerBytes]byte
	h, err := l.readHeader(&raw)
	if err != nil {
		return frame{}, err
	}
	if l.br.Buffered() < int(h.length) { // what has come already needs no time limit
		limit := t.cfg.AppendTimeout + time.Duration(h.length)*time.Second/bytesPerSecond
		if err := l.c.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return frame{}, err
		}
	}
	return l.readRest(&raw, h, reserve)
}

func (t *Transport) countReadError(err error) {
	switch {
	case errors.Is(err, ErrFrame), errors.Is(err, ErrTooLarge):
		t.counters.add(&t.counters.BadFrames)
	case errors.Is(err, io.ErrUnexpectedEOF):
		t.counters.add(&t.counters.Truncated)
	case isTimeout(err):
		t.counters.add(&t.counters.TimedOut)
	}
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// inbound is a decoded request.
type inbound struct {
	to      envelope
	class   Class
	command any
}

// decodeRequest decodes any request but an install, which has a body.
func decodeRequest(f frame) (inbound, error) {
	switch f.kind {
	case kindAppend:
		to, r, err := decodeAppendRequest(f.payload)
		if err != nil {
			return inbound{}, fmt.Errorf("append request: %w", err)
		}
		class := ClassAppend
		if isHeartbeat(r) {
			class = ClassHeartbeat
		}
		clampCommit(r)
		return inbound{to, class, r}, nil
	case kindVote:
		to, r, err := decodeVoteRequest(f.payload)
		return inbound{to, ClassVote, r}, wrapDecode("vote request", err)
	case kindPreVote:
		to, r, err := decodePreVoteRequest(f.payload)
		return inbound{to, ClassVote, r}, wrapDecode("pre-vote request", err)
	case kindTimeoutNow:
		to, r, err := decodeTimeoutNowRequest(f.payload)
		return inbound{to, ClassVote, r}, wrapDecode("leadership transfer", err)
	}
	return inbound{}, fmt.Errorf("kind %d is not a request: %w", f.kind, ErrFrame)
}

func wrapDecode(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// verified returns the last index that r vouches for: what it appends, or the
// position it checks.
func verified(r *raft.AppendEntriesRequest) uint64 {
	return r.PrevLogEntry + uint64(len(r.Entries))
}

// clampCommit lowers the commit index to what r vouches for, as the paper has
// it: min(leader's commit, index of the last new entry). raft v1.8.0 takes the
// end of its log instead, and would commit a tail that r does not reach and
// that another leader may have left behind. The rest of the commit comes with
// the entries that reach it.
func clampCommit(r *raft.AppendEntriesRequest) {
	r.LeaderCommitIndex = min(r.LeaderCommitIndex, verified(r))
}

// skipCovered takes from r what this server's newest snapshot covers, so that it
// begins where the snapshot ends. All of that is committed, hence what the leader
// has, too (Leader Completeness). raft v1.8.0 looks for it in the log alone, and
// refuses r if the log has been cut there: a leader that goes on asking for
// earlier and earlier entries ends with its own snapshot, and if that is older
// than ours, it begins again, for ever.
func skipCovered(r *raft.AppendEntriesRequest, covered func() (index, term uint64)) {
	if r.PrevLogEntry == 0 && len(r.Entries) == 0 {
		return // a heartbeat asks for nothing
	}
	index, term := covered()
	if r.PrevLogEntry >= index {
		return
	}
	rest := r.Entries
	for len(rest) > 0 && rest[0].Index <= index {
		if rest[0].Index == index && rest[0].Term != term {
			return // no leader has that: raft may refuse it
		}
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0].Term < term {
		return
	}
	r.Entries, r.PrevLogEntry, r.PrevLogTerm = rest, index, term
}

func (t *Transport) misdirected(to envelope) error {
	t.counters.add(&t.counters.Misdirected)
	return fmt.Errorf("%w: for %s, but this is %s", ErrWrongServer, to.target, t.cfg.LocalID)
}

// answer sends raft's answer or its error.
func (t *Transport) answer(l *link, f frame, resp any, err error) error {
	if err != nil {
		return t.answerError(l, f, err)
	}
	b := startFrame(nil, f.kind|answerBit, f.call)
	switch r := resp.(type) {
	case *raft.AppendEntriesResponse:
		b = appendAppendResponse(b, r)
	case *raft.RequestVoteResponse:
		b = appendVoteResponse(b, r)
	case *raft.RequestPreVoteResponse:
		b = appendPreVoteResponse(b, r)
	case *raft.InstallSnapshotResponse:
		b = appendInstallResponse(b, r)
	case *raft.TimeoutNowResponse:
		b = appendTimeoutNowResponse(b, r)
	default:
		return t.answerError(l, f, fmt.Errorf("raft answered with a %T", resp))
	}
	return t.send(l, b)
}

func (t *Transport) answerError(l *link, f frame, err error) error {
	text := err.Error()
	text = text[:min(len(text), maxErrorBytes)]
	return t.send(l, append(startFrame(nil, kindError, f.call), text...))
}

func (t *Transport) send(l *link, b []byte) error {
	if err := finishFrame(b, 0); err != nil {
		return err
	}
	if err := l.c.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
		return err
	}
	if _, err := l.c.Write(b); err != nil {
		return fmt.Errorf("send the answer: %w", err)
	}
	return nil
}
