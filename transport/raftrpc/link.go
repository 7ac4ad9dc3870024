package raftrpc

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// link is a connection with what is needed to read frames from it. One
// goroutine at a time uses it; closing it is anybody's right.
type link struct {
	c  net.Conn
	br *bufio.Reader

	// Inbound links only: who sent the last AppendEntries.
	leader raft.ServerID

	// Outbound links only.
	class     Class
	addr      raft.ServerAddress
	calls     uint32    // the number of the last request
	idleSince time.Time // when it was put aside
	busySince time.Time // when its request was sent; guarded by the transport's mu
}

func newLink(c net.Conn) *link { return &link{c: c, br: bufio.NewReader(c)} }

// frame is one frame, checksum verified.
type frame struct {
	header
	payload []byte
}

// bytes returns the frame's size on the wire.
func (f frame) bytes() int { return headerBytes + len(f.payload) }

// readHeader reads and checks a header. Without a single byte read its error is
// the reader's own.
func (l *link) readHeader(raw *[headerBytes]byte) (header, error) {
	if n, err := io.ReadFull(l.br, raw[:]); err != nil {
		if n > 0 {
			err = fmt.Errorf("header cut short after %d bytes: %w", n, unexpected(err))
		}
		return header{}, err
	}
	return parseHeader(raw)
}

// readRest reads and checks the payload that raw and h announce.
func (l *link) readRest(raw *[headerBytes]byte, h header, reserve func(int) error) (frame, error) {
	payload, err := readPayload(l.br, h.length, reserve)
	if err != nil {
		return frame{}, fmt.Errorf("payload of kind %d with %d bytes: %w", h.kind, h.length, err)
	}
	return frame{h, payload}, checkSum(raw, h, payload)
}

// readAnswer reads the answer to request number l.calls of kind k, and returns
// its payload. Deadlines are the caller's. Any error but ErrRemote leaves the
// link in an unknown state.
func (l *link) readAnswer(k kind) ([]byte, error) {
	var raw [headerBytes]byte
	h, err := l.readHeader(&raw)
	if err != nil {
		return nil, fmt.Errorf("wait for the answer: %w", unexpected(err))
	}
	if h.call != l.calls || h.kind != k|answerBit && h.kind != kindError {
		return nil, fmt.Errorf("answer of kind %d to request %d came for request %d of kind %d: %w", h.kind, h.call, l.calls, k, ErrFrame)
	}
	// An answer is small by its kind, so there is nothing to reserve.
	f, err := l.readRest(&raw, h, func(int) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if f.kind == kindError {
		return nil, fmt.Errorf("%w: %q", ErrRemote, f.payload)
	}
	return f.payload, nil
}

// numbered writes the link's next request number into a frame and completes it.
func (l *link) numbered(b []byte) error {
	l.calls++
	binary.LittleEndian.PutUint32(b[4:], l.calls)
	return finishFrame(b, 0)
}
