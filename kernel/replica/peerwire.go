package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"holdfast/kernel"
)

// What members say to each other beside raft: requests of a follower for the
// leader, and a newcomer's question who it is. A frame is a length (4 bytes,
// of what follows), a kind (1), a request number (8) and a body. Requests are
// pipelined; answers come in any order.
const (
	frameHeadBytes = 4 + 1 + 8
	maxFrameBytes  = kernel.MaxCommandBytes + 2*(kernel.MaxPathBytes+kernel.MaxValueBytes) + 1024
)

const (
	framePropose    = 1 // body: a command
	frameReadIndex  = 2 // no body
	frameMembers    = 3 // no body
	frameAnswer     = 16
	frameRefused    = 17 // body: why; nothing was done
	frameUnknown    = 18 // body: why; the outcome is unknown
	frameBusy       = 19 // body: why; nothing was done, and another try now is no use
	frameIndex      = 20
	frameTable      = 21
	frameUnreadable = 22 // body: why; nothing was done
	frameUnlogged   = 23 // body: an answer, a refusal without an entry
)

var errFrame = errors.New("bad frame")

type frame struct {
	kind byte
	id   uint64
	body []byte
}

func appendFrame(dst []byte, f frame) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(1+8+len(f.body)))
	dst = append(dst, f.kind)
	dst = binary.BigEndian.AppendUint64(dst, f.id)
	return append(dst, f.body...)
}

// readFrame reads a frame into memory of its own. Memory grows with what has
// come, not with what a length promises.
func readFrame(r io.Reader) (frame, error) {
	var head [frameHeadBytes]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n < 9 || n > maxFrameBytes {
		return frame{}, fmt.Errorf("%w: length %d", errFrame, n)
	}
	f := frame{kind: head[4], id: binary.BigEndian.Uint64(head[5:])}
	const step = 64 << 10
	left := int(n) - 9
	f.body = make([]byte, 0, min(left, step))
	for left > 0 {
		k := min(left, step)
		at := len(f.body)
		f.body = append(f.body, make([]byte, k)...)
		if _, err := io.ReadFull(r, f.body[at:]); err != nil {
			return frame{}, fmt.Errorf("frame cut short: %w", err)
		}
		left -= k
	}
	return f, nil
}

// An answer says where the command lies in the log, and the answer itself.
// The leader has applied it, so its index is committed.
func appendAnswer(dst []byte, a Answer) []byte {
	dst = binary.AppendUvarint(dst, uint64(a.LogIndex))
	dst = binary.AppendUvarint(dst, a.Term)
	switch {
	case a.Err != nil:
		dst = append(dst, 'e')
		dst = binary.AppendUvarint(dst, uint64(a.Err.Code))
		dst = binary.AppendUvarint(dst, uint64(a.Err.Index))
		return append(dst, a.Err.Cause...)
	case a.Event != nil:
		return kernel.AppendEvent(append(dst, 'v'), a.Event)
	}
	return append(dst, '-')
}

func decodeAnswer(b []byte) (Answer, error) {
	var a Answer
	fields := [2]uint64{}
	b, err := uvarints(b, fields[:])
	if err != nil || len(b) == 0 {
		return a, fmt.Errorf("%w: answer cut short", errFrame)
	}
	a.LogIndex, a.Term = kernel.LogIndex(fields[0]), fields[1]
	switch b[0] {
	case 'e':
		b, err := uvarints(b[1:], fields[:])
		if err != nil {
			return a, err
		}
		a.Err = &kernel.Error{Code: kernel.Code(fields[0]), Index: kernel.StoreIndex(fields[1]), Cause: string(b)}
	case 'v':
		if a.Event, err = kernel.DecodeEvent(b[1:]); err != nil {
			return a, fmt.Errorf("%w: %w", errFrame, err)
		}
	case '-':
		if len(b) != 1 {
			return a, fmt.Errorf("%w: bytes after an empty answer", errFrame)
		}
	default:
		return a, fmt.Errorf("%w: answer of kind %q", errFrame, b[0])
	}
	return a, nil
}

func uvarints(b []byte, into []uint64) ([]byte, error) {
	for i := range into {
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, fmt.Errorf("%w: bad number", errFrame)
		}
		into[i], b = v, b[n:]
	}
	return b, nil
}

// appendIndex and decodeIndex: a read index and the term it was confirmed in.
func appendIndex(dst []byte, index kernel.LogIndex, term uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(index)), term)
}

func decodeIndex(b []byte) (index kernel.LogIndex, term uint64, err error) {
	fields := [2]uint64{}
	rest, err := uvarints(b, fields[:])
	if err == nil && len(rest) != 0 {
		err = fmt.Errorf("%w: bytes after an index", errFrame)
	}
	return kernel.LogIndex(fields[0]), fields[1], err
}
