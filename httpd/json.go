package httpd

import (
	"bytes"
	"strconv"
	"time"
	"unicode/utf8"

	"holdfast/kernel"
)

const hexDigits = "0123456789abcdef"

// escapedJSON has 0 for the bytes that stand for themselves in a JSON string as
// encoding/json writes it with HTML escaping, and 1 for all others.
var escapedJSON = func() (other [256]byte) {
	for c := range other {
		switch {
		case c < ' ', c >= utf8.RuneSelf, c == '"', c == '\\', c == '<', c == '>', c == '&':
			other[c] = 1
		}
	}
	return other
}()

// plainEnd is where the bytes from i on that stand for themselves end. Eight at a
// time take half the time of one by one.
func plainEnd(s string, i int) int {
	for ; i+8 <= len(s); i += 8 {
		b := s[i : i+8]
		if escapedJSON[b[0]]|escapedJSON[b[1]]|escapedJSON[b[2]]|escapedJSON[b[3]]|
			escapedJSON[b[4]]|escapedJSON[b[5]]|escapedJSON[b[6]]|escapedJSON[b[7]] != 0 {
			break
		}
	}
	for i < len(s) && escapedJSON[s[i]] == 0 {
		i++
	}
	return i
}

// appendString appends s as a JSON string, byte for byte what etcd 3.4 writes:
// encoding/json of Go 1.19, which spells \b and \f as \u0008 and \u000c.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; ; {
		if i = plainEnd(s, i); i == len(s) {
			return append(append(dst, s[from:]...), '"')
		}
		size, escape := 1, ""
		if s[i] >= utf8.RuneSelf {
			size, escape = foreign(s[i:])
			if escape == "" {
				i += size
				continue
			}
		}
		dst = append(dst, s[from:i]...)
		if escape == "" {
			dst = appendEscape(dst, s[i])
		}
		dst = append(dst, escape...)
		i += size
		from = i
	}
}

// foreign measures the character at the start of s, which is not ASCII, and
// gives the escape it needs, if any: JavaScript takes U+2028 and U+2029 for
// line ends.
func foreign(s string) (size int, escape string) {
	r, size := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && size == 1:
		return 1, `\ufffd`
	case r == '\u2028':
		return size, `\u2028`
	case r == '\u2029':
		return size, `\u2029`
	}
	return size, ""
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
}

// appendNodeOpen appends a node up to where its "nodes" would stand, in the
// order of etcd's fields; appendNodeClose what comes after. The root has
// neither key nor indices.
func appendNodeOpen(dst []byte, n *kernel.Node, clock kernel.Clock, removed bool) []byte {
	dst = append(dst, '{')
	from := len(dst)
	if n.Path != "/" {
		dst = append(dst, `"key":`...)
		dst = appendString(dst, n.Path)
	}
	switch {
	case n.Dir:
		dst = append(appendComma(dst, from), `"dir":true`...)
	case !removed:
		dst = append(appendComma(dst, from), `"value":`...)
		dst = appendString(dst, n.Value)
	}
	if n.Deadline == 0 {
		return dst
	}
	dst = append(appendComma(dst, from), `"expiration":"`...)
	dst = time.Unix(0, clock.UnixNano(n.Deadline)).UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	if ttl := clock.TTLSeconds(n.Deadline); ttl > 0 {
		dst = append(dst, `,"ttl":`...)
		dst = strconv.AppendInt(dst, ttl, 10)
	}
	return dst
}

// appendComma separates a field from those that began at from, if any.
func appendComma(dst []byte, from int) []byte {
	if len(dst) == from {
		return dst
	}
	return append(dst, ',')
}

func appendNodeClose(dst []byte, n *kernel.Node) []byte {
	if n.Modified != 0 {
		dst = append(dst, `,"modifiedIndex":`...)
		dst = strconv.AppendUint(dst, uint64(n.Modified), 10)
	}
	if n.Created != 0 {
		dst = append(dst, `,"createdIndex":`...)
		dst = strconv.AppendUint(dst, uint64(n.Created), 10)
	}
	return append(dst, '}')
}

func appendNode(dst []byte, n *kernel.Node, clock kernel.Clock, removed bool) []byte {
	return appendNodeClose(appendNodeOpen(dst, n, clock, removed), n)
}

// appendEvent appends an event as answers and watchers see it, with the line
// end that json.Encoder leaves. A bare one has its action only.
func appendEvent(dst []byte, e *kernel.Event, bare bool) []byte {
	dst = append(dst, `{"action":"`...)
	dst = append(dst, e.Action.String()...)
	dst = append(dst, '"')
	if !bare && e.Node != nil {
		dst = append(dst, `,"node":`...)
		dst = appendNode(dst, e.Node, e.Clock, e.Action.Removes())
	}
	if !bare && e.Prev != nil {
		dst = append(dst, `,"prevNode":`...)
		dst = appendNode(dst, e.Prev, e.Clock, false)
	}
	return append(dst, '}', '\n')
}

// nodeBytes is what a node needs in an answer beside its path and value.
const nodeBytes = 160

// eventBytes is the length of an event in JSON if nothing in it needs an escape.
// A buffer that grows by itself to the size of a large value is copied, and
// cleared by the system, several times over.
func eventBytes(e *kernel.Event) int {
	size := 0
	for _, n := range []*kernel.Node{e.Node, e.Prev} {
		if n != nil {
			size += nodeBytes + len(n.Path) + len(n.Value)
		}
	}
	return size
}

// framed is an event as the one chunk of a body and the end of that body:
//
//	length in hex CRLF event CRLF 0 CRLF CRLF
//
// It is made once for all watches, and each sends what it needs of it.
type framed []byte

const (
	lastChunk = "0\r\n\r\n"
	// maxLengthLine is the longest first line of a chunk: eight digits, CRLF.
	maxLengthLine = 10
)

// encodeFramed is framed in a buffer of its own, for Notice.Encoded.
func encodeFramed(e *kernel.Event) []byte {
	const after = "\r\n" + lastChunk
	b := appendEvent(make([]byte, maxLengthLine, maxLengthLine+eventBytes(e)+len(after)), e, false)
	var line [maxLengthLine]byte
	length := append(strconv.AppendUint(line[:0], uint64(len(b)-maxLengthLine), 16), "\r\n"...)
	from := maxLengthLine - len(length)
	copy(b[from:], length)
	return append(b, after...)[from:]
}

// whole is the event and the end of the body.
func (f framed) whole() []byte { return f }

// chunk is the event, framed.
func (f framed) chunk() []byte { return f[:len(f)-len(lastChunk)] }

// bare is the event for a body without chunks.
func (f framed) bare() []byte {
	return f[bytes.IndexByte(f, '\n')+1 : len(f)-len("\r\n"+lastChunk)]
}
