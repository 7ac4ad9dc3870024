package kernel

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

// reader takes fields off the front of b. The first fault sticks: callers read
// a whole record and ask end once. It takes only what the writers write: what
// was decoded encodes to the same bytes again.
type reader struct {
	b   []byte
	err error
}

func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s: %w", what, ErrMalformed)
	}
	r.b = nil
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail("cut short")
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || n > 1 && r.b[n-1] == 0 {
		// Cut short, over 64 bits, or longer than the number needs.
		r.fail("bad number")
		return 0
	}
	r.b = r.b[n:]
	return v
}

// varint reads a signed number, the sign in its lowest bit.
func (r *reader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}

// time reads a time or a span of time up to limit.
func (r *reader) time(limit Time) Time {
	v := r.uvarint()
	if v > uint64(limit) {
		r.fail("bad time")
		return 0
	}
	return Time(v)
}

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		r.fail("cut short")
		return 0
	}
	v := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

// count reads the length of a list whose elements take a byte each at least.
func (r *reader) count(limit int) int {
	v := r.uvarint()
	if v > uint64(limit) || v > uint64(len(r.b)) {
		r.fail("bad length")
		return 0
	}
	return int(v)
}

// bytes reads a length and so many bytes, which stay a part of the input.
func (r *reader) bytes(limit int) []byte {
	n := r.count(limit)
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

// string reads a string; unless own, it shares the input's memory and must
// not outlive it.
func (r *reader) string(limit int, own bool) string {
	b := r.bytes(limit)
	if len(b) == 0 {
		return ""
	}
	if own {
		return string(b)
	}
	return unsafe.String(&b[0], len(b))
}

func (r *reader) strings(limit, each int) []string {
	n := r.count(limit)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string(each, true)
	}
	return list
}

func (r *reader) member() Member {
	return Member{
		ID: r.uint64(), UID: r.uvarint(), Name: r.string(MaxNameBytes, true),
		PeerURLs: r.strings(MaxURLs, MaxURLBytes), ClientURLs: r.strings(MaxURLs, MaxURLBytes),
	}
}

func (r *reader) end() error {
	if r.err == nil && len(r.b) != 0 {
		r.fail("bytes left over")
	}
	return r.err
}
