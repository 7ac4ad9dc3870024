package raftrpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A frame is a header and a payload; doc.go has the table. The checksum covers
// both: what a follower receives it stores under a checksum of its own, so a
// bit that flips on the way and slips past TCP's 16-bit sum would be vouched
// for ever after.
const (
	frameVersion = 1
	headerBytes  = 16
)

// kind tells what a payload is.
type kind byte

const (
	kindAppend     kind = 1
	kindVote       kind = 2
	kindPreVote    kind = 3
	kindInstall    kind = 4
	kindTimeoutNow kind = 5
	kindChunk      kind = 6

	// answerBit marks the answer to a request of the kind below it.
	answerBit kind = 0x80
	// kindError is the answer to any request that ended in an error.
	kindError = answerBit
)

// maxPayload returns the largest payload of a kind, and false for an unknown one.
func (k kind) maxPayload() (int, bool) {
	switch k {
	case kindAppend:
		return MaxFrameBytes, true
	case kindInstall:
		return maxConfigurationBytes + maxPeersBytes + maxSmallBytes, true
	case kindChunk:
		return chunkBytes, true
	case kindVote, kindPreVote, kindTimeoutNow, kindError,
		kindAppend | answerBit, kindVote | answerBit, kindPreVote | answerBit,
		kindInstall | answerBit, kindTimeoutNow | answerBit:
		return maxSmallBytes, true
	}
	return 0, false
}

// header is a parsed frame header.
type header struct {
	kind   kind
	call   uint32 // pairs an answer with its request
	length int    // of the payload, within the kind's limit
	sum    uint32 // CRC-32C of the header's first 12 bytes and the payload
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// startFrame appends a header with its length and checksum still open;
// finishFrame, with what startFrame was given as b's length, fills them in.
func startFrame(b []byte, k kind, call uint32) []byte {
	b = append(b, frameVersion, byte(k), 0, 0)
	b = binary.LittleEndian.AppendUint32(b, call)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0)
}

func finishFrame(b []byte, start int) error {
	f := b[start:]
	k := kind(f[1])
	length := len(f) - headerBytes
	if limit, _ := k.maxPayload(); length > limit {
		return fmt.Errorf("raftrpc: frame of kind %d: %d bytes: %w of %d", k, length, ErrTooLarge, limit)
	}
	binary.LittleEndian.PutUint32(f[8:], uint32(length))
	sum := crc32.Update(crc32.Checksum(f[:12], castagnoli), castagnoli, f[headerBytes:])
	binary.LittleEndian.PutUint32(f[12:], sum)
	return nil
}

// parseHeader checks all of a header but its checksum, which needs the payload.
func parseHeader(b *[headerBytes]byte) (header, error) {
	h := header{kind: kind(b[1]), call: binary.LittleEndian.Uint32(b[4:]), sum: binary.LittleEndian.Uint32(b[12:])}
	length := binary.LittleEndian.Uint32(b[8:])
	limit, known := h.kind.maxPayload()
	switch {
	case b[0] != frameVersion:
		return h, fmt.Errorf("header: version %d: %w; this build speaks version %d", b[0], ErrFrame, frameVersion)
	case !known:
		return h, fmt.Errorf("header: kind %d: %w", b[1], ErrFrame)
	case b[2] != 0 || b[3] != 0:
		return h, fmt.Errorf("header: reserved bytes are not zero: %w", ErrFrame)
	case uint64(length) > uint64(limit):
		return h, fmt.Errorf("header: kind %d with %d bytes, at most %d allowed: %w", b[1], length, limit, ErrFrame)
	}
	h.length = int(length)
	return h, nil
}

// checkSum compares the frame's checksum.
func checkSum(b *[headerBytes]byte, h header, payload []byte) error {
	if crc32.Update(crc32.Checksum(b[:12], castagnoli), castagnoli, payload) != h.sum {
		return fmt.Errorf("kind %d with %d bytes: checksum differs: %w", h.kind, h.length, ErrFrame)
	}
	return nil
}

// readPayload reads n bytes into memory of their own. It asks reserve before
// it allocates, with the number of bytes more, and allocates no more than
// twice what has arrived (or growBytes).
func readPayload(r io.Reader, n int, reserve func(int) error) ([]byte, error) {
	var buf []byte
	for len(buf) < n {
		size := min(n, max(growBytes, 2*len(buf)))
		if err := reserve(size - len(buf)); err != nil {
			return nil, err
		}
		grown := make([]byte, size)
		have := copy(grown, buf)
		if _, err := io.ReadFull(r, grown[have:]); err != nil {
			return nil, unexpected(err)
		}
		buf = grown
	}
	return buf, nil
}

// unexpected turns an end of file into one that cannot be taken for a proper
// end.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
