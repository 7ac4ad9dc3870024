package wal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/hashicorp/raft"
)

// A record of tidwall/wal is a length (uvarint) and that many bytes of data.
// The data is one frame of ours: a header of headerBytes, then Data, then
// Extensions. docs/format-wal.md lists it byte by byte.
const (
	frameMagic  = "HFR\x01" // the last byte is the version
	headerBytes = 88
	// maxFrameBytes bounds a frame, maxPrefixBytes the length before it.
	maxFrameBytes  = headerBytes + MaxEntryBytes
	maxPrefixBytes = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// saltBytes is the length of a log's secret.
const saltBytes = 16

// frameKey is what the checksums of one log start from: the checksum of its
// random salt. A value stored by a client, a record of another log or a stale
// block can therefore not pass for a record of this one.
type frameKey uint32

func newFrameKey(salt [saltBytes]byte) frameKey {
	return frameKey(crc32.Checksum(salt[:], castagnoli))
}

// body returns the checksum of an entry's Data and Extensions.
func (k frameKey) body(data, ext []byte) uint32 {
	return crc32.Update(crc32.Update(uint32(k), castagnoli, data), castagnoli, ext)
}

// head returns the checksum of a frame's header, its own four bytes left out.
// It covers the body through the body's checksum, and binds the frame to its
// place: the same bytes elsewhere in the log are not a valid frame.
func (k frameKey) head(hdr []byte, segment uint64, pos int64) uint32 {
	var place [16]byte
	binary.LittleEndian.PutUint64(place[:], segment)
	binary.LittleEndian.PutUint64(place[8:], uint64(pos))
	sum := crc32.Update(uint32(k), castagnoli, place[:])
	sum = crc32.Update(sum, castagnoli, hdr[:4])
	return crc32.Update(sum, castagnoli, hdr[8:headerBytes])
}

// watermark is a point up to which the log was durable at some time: a sync had
// returned after the bytes before offset in the segment, and all segments
// before it, had been written.
type watermark struct {
	index   uint64 // last entry before that point, 0 if there was none
	segment uint64 // first index of the segment
	offset  int64  // bytes of it
}

// beyond reports whether byte offset of a segment lay before the watermark,
// i.e. had been synced.
func (w watermark) beyond(segment uint64, offset int64) bool {
	return w.segment > segment || w.segment == segment && w.offset > offset
}

// header is the fixed part of a frame.
type header struct {
	index, term uint64
	batch       uint64 // number of the StoreLogs call that wrote it
	typ         raft.LogType
	at          time.Time
	durable     watermark // what was durable when this was written
	dataLen     uint32
	extLen      uint32
	bodySum     uint32
}

func (h header) frameLen() int { return headerBytes + int(h.dataLen) + int(h.extLen) }

// entry builds raft's form of a frame. Its slices share the frame's memory.
func (h header) entry(frame []byte) raft.Log {
	e := raft.Log{Index: h.index, Term: h.term, Type: h.typ, AppendedAt: h.at}
	body := frame[headerBytes:]
	if h.dataLen > 0 {
		e.Data = body[:h.dataLen:h.dataLen]
	}
	if h.extLen > 0 {
		e.Extensions = body[h.dataLen:]
	}
	return e
}

// appendFrame appends the frame of e, which is to start at byte pos of the
// segment.
func appendFrame(dst []byte, k frameKey, segment uint64, pos int64, e *raft.Log, batch uint64, durable watermark) []byte {
	start := len(dst)
	le := binary.LittleEndian
	dst = append(dst, frameMagic...)
	dst = le.AppendUint32(dst, 0) // the header's checksum, filled in below
	dst = le.AppendUint32(dst, k.body(e.Data, e.Extensions))
	dst = le.AppendUint32(dst, uint32(len(e.Data)))
	dst = le.AppendUint32(dst, uint32(len(e.Extensions)))
	dst = append(dst, byte(e.Type), 0, 0, 0)
	dst = le.AppendUint64(dst, e.Index)
	dst = le.AppendUint64(dst, e.Term)
	dst = le.AppendUint64(dst, batch)
	dst = le.AppendUint64(dst, uint64(e.AppendedAt.Unix()))
	dst = le.AppendUint32(dst, uint32(e.AppendedAt.Nanosecond()))
	dst = le.AppendUint32(dst, 0)
	dst = le.AppendUint64(dst, durable.index)
	dst = le.AppendUint64(dst, durable.segment)
	dst = le.AppendUint64(dst, uint64(durable.offset))
	hdr := dst[start : start+headerBytes]
	le.PutUint32(hdr[4:], k.head(hdr, segment, pos))
	dst = append(dst, e.Data...)
	return append(dst, e.Extensions...)
}

// decodeHeader checks the first headerBytes of a frame found at byte pos of a
// segment. A header that passes was written there by this log. The text says
// what is wrong and is empty if nothing is.
func decodeHeader(b []byte, k frameKey, segment uint64, pos int64) (header, string) {
	if len(b) < headerBytes {
		return header{}, "record is shorter than a header"
	}
	if string(b[:len(frameMagic)]) != frameMagic {
		return header{}, "no record of this log starts here"
	}
	le := binary.LittleEndian
	if le.Uint32(b[4:]) != k.head(b, segment, pos) {
		return header{}, "checksum of the record's header does not match"
	}
	h := header{
		bodySum: le.Uint32(b[8:]),
		dataLen: le.Uint32(b[12:]),
		extLen:  le.Uint32(b[16:]),
		typ:     raft.LogType(b[20]),
		index:   le.Uint64(b[24:]),
		term:    le.Uint64(b[32:]),
		batch:   le.Uint64(b[40:]),
		at:      time.Unix(int64(le.Uint64(b[48:])), int64(le.Uint32(b[56:]))).UTC(),
		durable: watermark{
			index:   le.Uint64(b[64:]),
			segment: le.Uint64(b[72:]),
			offset:  int64(le.Uint64(b[80:])),
		},
	}
	switch {
	case uint64(h.dataLen)+uint64(h.extLen) > MaxEntryBytes:
		return header{}, "record is longer than an entry can be"
	case h.index < segment:
		return header{}, fmt.Sprintf("record has index %d, the file starts at %d", h.index, segment)
	case h.durable.beyond(segment, pos) || h.durable.index >= h.index:
		return header{}, "record claims that bytes after it had been synced before it"
	}
	return h, ""
}

// decodeFrame checks a whole frame and the index it must have.
func decodeFrame(frame []byte, k frameKey, segment uint64, pos int64, index uint64) (header, string) {
	h, bad := decodeHeader(frame, k, segment, pos)
	switch {
	case bad != "":
		return header{}, bad
	case h.frameLen() != len(frame):
		return header{}, fmt.Sprintf("record is %d bytes long, its header says %d", len(frame), h.frameLen())
	case h.index != index:
		return header{}, fmt.Sprintf("record has index %d, expected %d", h.index, index)
	case k.body(frame[headerBytes:headerBytes+int(h.dataLen)], frame[headerBytes+int(h.dataLen):]) != h.bodySum:
		return header{}, "checksum of the record's data does not match"
	}
	return h, ""
}

// decodePrefix reads the length before a frame and returns it and its own
// width. Only the shortest form of a length is accepted, and only one that a
// frame can have: tidwall/wal would take a zero byte for an empty record.
func decodePrefix(b []byte) (frameLen, width int, bad string) {
	n, w := binary.Uvarint(b[:min(len(b), maxPrefixBytes+1)])
	switch {
	case w <= 0 && len(b) <= maxPrefixBytes:
		return 0, 0, "length of the record is cut off"
	case w <= 0 || n > maxFrameBytes:
		return 0, 0, "record is longer than an entry can be"
	case n < headerBytes:
		return 0, 0, fmt.Sprintf("record of %d bytes is too short to be one", n)
	case w != prefixLen(int(n)):
		return 0, 0, "length of the record is not in its shortest form"
	}
	return int(n), w, ""
}

// prefixLen is the width of the length before a frame of n bytes.
func prefixLen(n int) int {
	w := 1
	for ; n >= 0x80; n >>= 7 {
		w++
	}
	return w
}
