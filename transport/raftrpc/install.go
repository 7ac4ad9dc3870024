//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
)

// install sends a snapshot on a connection of its own, which is closed
// afterwards: it is never sent again by the transport, so that a peer sees each
// install once.
func (h *handle) install(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	err := h.whyEnded(h.sendInstall(id, target, args, resp, data))
	if err != nil {
		return fmt.Errorf("raftrpc: install snapshot %d on %s at %s: %w", args.LastLogIndex, id, target, err)
	}
	return nil
}

func (h *handle) sendInstall(id raft.ServerID, target raft.ServerAddress, args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if args.Size < 0 || args.Size > MaxSnapshotBytes {
		return fmt.Errorf("size %d: %w of %d", args.Size, ErrTooLarge, int64(MaxSnapshotBytes))
	}
	progress := h.t.cfg.InstallProgressTimeout
	now := time.Now()
	l, err := h.link(ClassInstall, target, now, now.Add(progress))
	if err != nil {
		return err
	}
	defer h.t.discard(l.c, false)
	h.hold(l)
	defer h.letGo(l)

	b := startFrame(nil, kindInstall, 0)
	b = appendInstallRequest(b, envelope{target: id, patience: progress}, args)
	if err := l.numbered(b); err != nil {
		return err
	}
	if err := h.t.sendPart(l, b); err != nil {
		return fmt.Errorf("send the request: %w", err)
	}
	if err := h.t.sendBody(l, data, args.Size); err != nil {
		return err
	}
	wait := h.t.cfg.InstallAnswerTimeout + time.Duration(args.Size/bytesPerSecond)*time.Second
	if err := l.c.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	payload, err := l.readAnswer(kindInstall)
	if err != nil {
		return err
	}
	return decodeInstallResponse(payload, resp)
}

// sendPart writes one frame of an install within the progress timeout.
func (t *Transport) sendPart(l *link, b []byte) error {
	now := time.Now()
	if err := l.c.SetWriteDeadline(now.Add(t.cfg.InstallProgressTimeout)); err != nil {
		return err
	}
	if kind(b[1]) == kindInstall {
		t.counters.sent(ClassInstall, len(b), now)
	} else {
		t.counters.sentMore(ClassInstall, len(b))
	}
	_, err := l.c.Write(b)
	return err
}

// sendBody sends exactly size bytes of data in chunks. If data turns out to be
// shorter or longer, the last chunk is not sent, so that the receiver knows.
func (t *Transport) sendBody(l *link, data io.Reader, size int64) error {
	buf := make([]byte, 0, headerBytes+min(size, chunkBytes))
	for sent := int64(0); sent < size; {
		n := int(min(size-sent, chunkBytes))
		buf = startFrame(buf[:0], kindChunk, l.calls)[:headerBytes+n]
		if got, err := io.ReadFull(data, buf[headerBytes:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return fmt.Errorf("%d bytes declared, %d found: %w", size, sent+int64(got), ErrSnapshotBody)
		} else if err != nil {
			return fmt.Errorf("read the snapshot at byte %d: %w", sent, err)
		}
		sent += int64(n)
		if sent == size {
			var beyond [1]byte
			if got, _ := io.ReadFull(data, beyond[:]); got > 0 {
				return fmt.Errorf("more than the %d bytes declared: %w", size, ErrSnapshotBody)
			}
		}
		if err := finishFrame(buf, 0); err != nil {
			return err
		}
		if err := t.sendPart(l, buf); err != nil {
			return fmt.Errorf("send the snapshot up to byte %d of %d: %w", sent, size, err)
		}
	}
	return nil
}

// serveInstall handles an install and ends its connection.
func (t *Transport) serveInstall(l *link, f frame) error {
	to, req, err := decodeInstallRequest(f.payload)
	if err != nil {
		t.counters.add(&t.counters.BadFrames)
		return fmt.Errorf("install request: %w", err)
	}
	t.counters.received(ClassInstall, f.bytes())
	body := &bodyReader{t: t, l: l, call: f.call, left: req.Size}
	var resp any
	h := t.current.Load()
	switch {
	case to.target != t.cfg.LocalID:
		err = t.misdirected(to)
	case h == nil:
		err = ErrNoRaft
	default:
		resp, err = h.receiveInstall(req, body, to.patience)
	}
	for _, refused := range []error{ErrWrongServer, ErrNoRaft, ErrBusy, ErrClosed} {
		if errors.Is(err, refused) {
			// Nobody wants the body, or raft is still reading it and must be
			// stopped: the end of the connection matters more than the answer.
			return errors.Join(err, t.answerError(l, f, err))
		}
	}
	// The sender reads no answer before its body is out. raft normally has
	// read all of it.
	if _, discardErr := io.Copy(io.Discard, body); discardErr != nil {
		t.countReadError(discardErr)
		return discardErr
	}
	if err := t.answer(l, f, resp, err); err != nil {
		return err
	}
	return errEnd
}

// receiveInstall is the install gate. raft v1.8.0 installs whatever snapshot
// it is sent, older ones included: that sets the state machine back and, with
// a log store that keeps no gaps, erases entries already acknowledged. Here an
// install that brings nothing new does not reach raft.
//
// "Nothing new" is the state machine's own applied index at or beyond the
// snapshot's. At counts: after an install a follower may have acknowledged
// entries that it has not applied, and the same install again would erase
// them. The index is read while no other RPC is with raft, and in the order of
// one leader's requests anything it sends after an install finds the state
// machine at least there.
func (h *handle) receiveInstall(req *raft.InstallSnapshotRequest, body *bodyReader, patience time.Duration) (any, error) {
	w := waiter{patience: patience}
	defer w.end()
	if err := h.takeTurn(&w); err != nil {
		return nil, err
	}
	if req.LastLogIndex > h.t.cfg.AppliedIndex() {
		defer h.endTurn()
		return h.hand(raft.RPC{Command: req, Reader: body}, &w)
	}
	h.endTurn() // the body may take long, and what is applied stays applied
	return h.answerStale(req, body, patience)
}

// answerStale answers an install that brings nothing new with what raft makes
// of an empty request of the same term and leader. To answer success without
// asking raft would confirm a leader whose term is over.
func (h *handle) answerStale(req *raft.InstallSnapshotRequest, body *bodyReader, patience time.Duration) (any, error) {
	h.t.counters.add(&h.t.counters.StaleInstalls)
	if _, err := io.Copy(io.Discard, body); err != nil {
		return nil, err
	}
	// No previous index, hence no commit index either: with nothing verified,
	// raft would commit its whole log.
	probe := &raft.AppendEntriesRequest{RPCHeader: req.RPCHeader, Term: req.Term, Leader: req.Leader}
	resp, err := h.dispatch(raft.RPC{Command: probe}, patience)
	if err != nil {
		return nil, err
	}
	r, ok := resp.(*raft.AppendEntriesResponse)
	if !ok {
		return nil, fmt.Errorf("raft answered with a %T", resp)
	}
	return &raft.InstallSnapshotResponse{RPCHeader: r.RPCHeader, Term: r.Term, Success: r.Success}, nil
}

// bodyReader yields the snapshot that follows an install request, from its
// chunks. It ends with io.EOF after the declared size and with another error
// anywhere before, so that half a snapshot cannot pass for one.
type bodyReader struct {
	t     *Transport
	l     *link
	call  uint32
	left  int64  // bytes in chunks not read yet
	chunk []byte // what is left of the current one
	buf   []byte
	err   error
}

// Read reads from the current chunk, or waits for the next.
func (r *bodyReader) Read(p []byte) (int, error) {
	for len(r.chunk) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.left == 0 {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			r.err = fmt.Errorf("snapshot body, %d bytes missing: %w: %w", r.left, ErrSnapshotBody, unexpected(err))
		}
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// next reads one chunk, within the progress timeout. Every chunk but the last
// is of full size: a sender that dribbles bytes is out of time soon.
func (r *bodyReader) next() error {
	if err := r.l.c.SetReadDeadline(time.Now().Add(r.t.cfg.InstallProgressTimeout)); err != nil {
		return err
	}
	var raw [headerBytes]byte
	h, err := r.l.readHeader(&raw)
	if err != nil {
		return err
	}
	want := int(min(r.left, chunkBytes))
	if h.kind != kindChunk || h.call != r.call || h.length != want {
		return fmt.Errorf("kind %d, %d bytes, of request %d, instead of a chunk of %d bytes of request %d: %w",
			h.kind, h.length, h.call, want, r.call, ErrFrame)
	}
	if r.buf == nil {
		r.buf = make([]byte, want)
	}
	chunk := r.buf[:want]
	if _, err := io.ReadFull(r.l.br, chunk); err != nil {
		return err
	}
	if err := checkSum(&raw, h, chunk); err != nil {
		return err
	}
	r.t.counters.receivedMore(ClassInstall, headerBytes+want)
	r.chunk = chunk
	r.left -= int64(want)
	return nil
}
