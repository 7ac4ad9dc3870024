package differential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// text is a body, or a part of one, without what may differ: indices are
// relative, and times stand aside to be compared with tolerance.
type text struct {
	s     string
	times []moment
}

// moment is a ttl or an expiration taken out of a body.
type moment struct {
	seconds float64
	what    string
}

func (t *text) write(s string) { t.s += s }

func (t *text) append(o text) {
	t.s += o.s
	t.times = append(t.times, o.times...)
}

// normalizer rewrites the bodies of one session.
type normalizer struct {
	first   uint64 // the index to which others are relative
	ordered bool   // whether the order of nodes was asked for
}

var (
	twentyDigits = regexp.MustCompile(`[0-9]{20}`)
	anyNumber    = regexp.MustCompile(`[0-9]+`)
)

// nearby is how far from the first index a number in a cause may lie and be
// taken for an index.
const nearby = 1000

// index shows an index relative to the first; 0 means "none" and stays.
func (n *normalizer) index(v uint64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("@%+d", int64(v-n.first))
}

// body normalizes a whole body: JSON values one after another as they are, or
// anything else as text. Bytes between and after values are kept.
func (n *normalizer) body(b []byte) text {
	var out text
	for len(b) > 0 {
		if b[0] != '{' {
			out.write(n.digits(string(b)))
			return out
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		var raw json.RawMessage
		if dec.Decode(&raw) != nil {
			out.write("not JSON: " + string(b))
			return out
		}
		v, err := n.value("", raw, 0)
		if err != nil {
			v = text{s: "not JSON: " + string(raw)}
		}
		out.append(v)
		b = b[dec.InputOffset():]
		rest := bytes.TrimLeft(b, "\r\n \t")
		out.write(string(b[:len(b)-len(rest)]))
		b = rest
	}
	return out
}

// digits makes the index in the name of an in-order key relative.
func (n *normalizer) digits(s string) string {
	return twentyDigits.ReplaceAllStringFunc(s, func(d string) string {
		v, err := strconv.ParseUint(d, 10, 64)
		if err != nil || v < n.first || v > n.first+nearby {
			return d
		}
		return "@20" + n.index(v)
	})
}

// maxDepth bounds the nesting of a body.
const maxDepth = 1000

// value normalizes one value; name is that of the member it belongs to.
func (n *normalizer) value(name string, raw json.RawMessage, depth int) (text, error) {
	if depth > maxDepth {
		return text{}, errors.New("nested too deeply")
	}
	switch raw[0] {
	case '{':
		return n.object(raw, depth)
	case '[':
		return n.array(name, raw, depth)
	}
	return n.scalar(name, string(raw)), nil
}

func (n *normalizer) scalar(name, raw string) text {
	switch name {
	case "modifiedIndex", "createdIndex", "index":
		if v, err := strconv.ParseUint(raw, 10, 64); err == nil {
			return text{s: n.index(v)}
		}
	case "ttl":
		if v, err := strconv.ParseInt(raw, 10, 64); err == nil {
			return text{s: "TTL", times: []moment{{float64(v), "ttl"}}}
		}
	case "expiration":
		t, err := time.Parse(time.RFC3339Nano, strings.Trim(raw, `"`))
		if err == nil && t.Location() == time.UTC {
			return text{s: "EXPIRATION", times: []moment{{float64(t.UnixNano()) / 1e9, "expiration"}}}
		}
	}
	return text{s: n.digits(raw)}
}

// comparison makes the indices in the cause of a failed comparison relative.
func (n *normalizer) comparison(raw string) text {
	return text{s: anyNumber.ReplaceAllStringFunc(raw, func(d string) string {
		v, err := strconv.ParseUint(d, 10, 64)
		if err != nil || v < n.first || v > n.first+nearby {
			return d
		}
		return n.index(v)
	})}
}

// codeTestFailed is the error whose cause is a comparison.
const codeTestFailed = 101

func (n *normalizer) object(raw json.RawMessage, depth int) (text, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return text{}, err
	}
	var failed struct{ ErrorCode int }
	if err := json.Unmarshal(raw, &failed); err != nil {
		return text{}, err
	}
	out := text{s: "{"}
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return text{}, err
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return text{}, err
		}
		t, err := n.value(fmt.Sprint(k), v, depth+1)
		if err != nil {
			return text{}, err
		}
		if k == "cause" && failed.ErrorCode == codeTestFailed {
			t = n.comparison(string(v))
		}
		out.write(fmt.Sprintf("%q:", k))
		out.append(t)
		out.write(",")
	}
	out.write("}")
	return out, nil
}

func (n *normalizer) array(name string, raw json.RawMessage, depth int) (text, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil && !errors.Is(err, io.EOF) {
		return text{}, err
	}
	var parts []text
	for dec.More() {
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return text{}, err
		}
		t, err := n.value("", v, depth+1)
		if err != nil {
			return text{}, err
		}
		parts = append(parts, t)
	}
	if name == "nodes" && !n.ordered {
		sort.SliceStable(parts, func(i, j int) bool { return parts[i].s < parts[j].s })
	}
	out := text{s: "["}
	for _, p := range parts {
		out.append(p)
		out.write(",")
	}
	out.write("]")
	return out, nil
}
