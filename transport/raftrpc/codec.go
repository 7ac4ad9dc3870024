package raftrpc

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// The payloads' building blocks: unsigned varints for numbers, one byte for
// flags, a varint length before bytes. Appending cannot fail; what may be too
// large is checked by the decoder's limits and, before sending, by the callers.

func appendBytes(b, v []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(v))), v...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// decoder walks a payload. The first error sticks and everything after it
// yields zero values, so that decoding reads as a list of fields.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(what string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf("%s: %w", fmt.Sprintf(what, args...), ErrFrame)
		d.b = nil
	}
}

func (d *decoder) uvarint(field string) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail("%s: bad varint", field)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint(field string) int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail("%s: bad varint", field)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte(field string) byte {
	if len(d.b) == 0 {
		d.fail("%s: missing", field)
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool(field string) bool {
	v := d.byte(field)
	if v > 1 {
		d.fail("%s: flag is %d", field, v)
	}
	return v == 1
}

// bytes returns part of the payload itself, or nil for none; its capacity ends
// with it, so that appending to it cannot reach what follows.
func (d *decoder) bytes(field string, limit int) []byte {
	n := d.uvarint(field)
	if n > uint64(limit) || n > uint64(len(d.b)) {
		d.fail("%s: length %d, at most %d allowed and %d left", field, n, limit, len(d.b))
		return nil
	}
	if n == 0 {
		return nil
	}
	v := d.b[:n:n]
	d.b = d.b[n:]
	return v
}

// version reads one of raft's small version numbers.
func (d *decoder) version(field string) int {
	v := d.uvarint(field)
	if v > 255 {
		d.fail("%s: %d", field, v)
		return 0
	}
	return int(v)
}

// done returns the first error, or one about bytes that nothing asked for.
func (d *decoder) done() error {
	if len(d.b) > 0 {
		d.fail("%d bytes too many", len(d.b))
	}
	return d.err
}

func appendHeader(b []byte, h raft.RPCHeader) []byte {
	b = binary.AppendUvarint(b, uint64(h.ProtocolVersion))
	b = appendBytes(b, h.ID)
	return appendBytes(b, h.Addr)
}

func (d *decoder) header() raft.RPCHeader {
	return raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersion(d.version("protocol version")),
		ID:              d.bytes("sender's ID", maxNameBytes),
		Addr:            d.bytes("sender's address", maxNameBytes),
	}
}

// envelope opens every request.
type envelope struct {
	target   raft.ServerID // who is meant; anybody else refuses
	patience time.Duration // how long the sender will wait; whole milliseconds
}

func (e envelope) append(b []byte) []byte {
	b = appendBytes(b, []byte(e.target))
	return binary.AppendUvarint(b, uint64(e.patience.Milliseconds()))
}

func (d *decoder) envelope() envelope {
	target := raft.ServerID(d.bytes("target", maxNameBytes))
	ms := d.uvarint("patience")
	return envelope{target: target, patience: time.Duration(min(ms, uint64(maxPatience.Milliseconds()))) * time.Millisecond}
}

// checkConfiguration reports whether raft can decode a membership. raft itself
// panics on one that it cannot.
func checkConfiguration(b []byte) (err error) {
	if len(b) > maxConfigurationBytes {
		return fmt.Errorf("configuration: %d bytes, at most %d allowed: %w", len(b), maxConfigurationBytes, ErrFrame)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("configuration: %v: %w", p, ErrFrame)
		}
	}()
	raft.DecodeConfiguration(b)
	return nil
}
