package httpd

import (
	"bytes"
	"strconv"
	"strings"
)

// param numbers the parameters of the keys API.
type param uint8

const (
	paramRecursive param = iota
	paramSorted
	paramWait
	paramDir
	paramQuorum
	paramStream
	paramNoValueOnSuccess
	paramPrevIndex
	paramWaitIndex
	paramPrevValue
	paramPrevExist
	paramValue
	paramTTL
	paramRefresh
	paramCount
)

// params holds the parameters of one request. The first of several of one
// name counts, and the body's come before the query's, as in net/http.
type params struct {
	given  [paramCount]bool
	values [paramCount][]byte
	// decoded backs the values that had escapes in them.
	decoded []byte
}

// reset forgets everything and makes room to decode n bytes, so that decoded
// never moves under the values that lie in it.
func (p *params) reset(n int) {
	p.given = [paramCount]bool{}
	p.values = [paramCount][]byte{}
	if cap(p.decoded) < n {
		p.decoded = make([]byte, 0, n)
	}
	p.decoded = p.decoded[:0]
}

func paramOf(name []byte) (param, bool) {
	switch string(name) {
	case "recursive":
		return paramRecursive, true
	case "sorted":
		return paramSorted, true
	case "wait":
		return paramWait, true
	case "dir":
		return paramDir, true
	case "quorum":
		return paramQuorum, true
	case "stream":
		return paramStream, true
	case "noValueOnSuccess":
		return paramNoValueOnSuccess, true
	case "prevIndex":
		return paramPrevIndex, true
	case "waitIndex":
		return paramWaitIndex, true
	case "prevValue":
		return paramPrevValue, true
	case "prevExist":
		return paramPrevExist, true
	case "value":
		return paramValue, true
	case "ttl":
		return paramTTL, true
	case "refresh":
		return paramRefresh, true
	}
	return 0, false
}

const badSemicolon = "invalid semicolon separator in query"

// scan reads the pairs of a query or of a form body by the rules of
// url.ParseQuery: a faulty pair is passed over and the rest still read. It
// returns the text of url.ParseQuery's error, "" if there is none.
func (p *params) scan(query []byte) (fault string) {
	for len(query) > 0 {
		pair := query
		if i := bytes.IndexByte(query, '&'); i >= 0 {
			pair, query = query[:i], query[i+1:]
		} else {
			query = nil
		}
		if bytes.IndexByte(pair, ';') >= 0 {
			fault = badSemicolon
			continue
		}
		if len(pair) == 0 {
			continue
		}
		if bad := p.pair(pair); bad != "" && fault == "" {
			fault = bad
		}
	}
	return fault
}

func (p *params) pair(pair []byte) (fault string) {
	name, value := pair, []byte(nil)
	if i := bytes.IndexByte(pair, '='); i >= 0 {
		name, value = pair[:i], pair[i+1:]
	}
	if fault = badEscape(name); fault == "" {
		fault = badEscape(value)
	}
	if fault != "" {
		return fault
	}
	if which, ok := paramOf(p.unescape(name)); ok && !p.given[which] {
		p.given[which], p.values[which] = true, p.unescape(value)
	}
	return ""
}

// unescape decodes a part of a query; without anything to decode it returns
// the part itself.
func (p *params) unescape(s []byte) []byte {
	if bytes.IndexByte(s, '%') < 0 && bytes.IndexByte(s, '+') < 0 {
		return s
	}
	from := len(p.decoded)
	p.decoded = appendUnescaped(p.decoded, s, true)
	return p.decoded[from:]
}

// badEscape gives url.EscapeError's text for the first faulty escape in s.
func badEscape(s []byte) string {
	for i := 0; ; i += 3 {
		n := bytes.IndexByte(s[i:], '%')
		if n < 0 {
			return ""
		}
		i += n
		if i+2 >= len(s) || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return "invalid URL escape " + strconv.Quote(string(s[i:min(i+3, len(s))]))
		}
	}
}

// appendUnescaped decodes s, which has no faulty escape. In a query, but not
// in a path, a plus is a space.
func appendUnescaped(dst, s []byte, query bool) []byte {
	if !query && bytes.IndexByte(s, '%') < 0 {
		return append(dst, s...) // as nearly every path is
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%':
			dst = append(dst, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		case c == '+' && query:
			dst = append(dst, ' ')
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

// bool reads a boolean by strconv.ParseBool's rules; absent is false.
func (p *params) bool(which param) (value, ok bool) {
	if !p.given[which] {
		return false, true
	}
	switch string(p.values[which]) {
	case "1", "t", "T", "true", "TRUE", "True":
		return true, true
	case "0", "f", "F", "false", "FALSE", "False":
		return false, true
	}
	return false, false
}

// uint reads a decimal number by strconv.ParseUint's rules; absent is 0.
func (p *params) uint(which param) (value uint64, ok bool) {
	if !p.given[which] {
		return 0, true
	}
	s := p.values[which]
	if len(s) == 0 {
		return 0, false
	}
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		next := value*10 + uint64(c-'0')
		if value > (1<<64-1)/10 || next < value*10 {
			return 0, false
		}
		value = next
	}
	return value, true
}

// text is a parameter's value, or "" without one.
func (p *params) text(which param) []byte { return p.values[which] }

// isForm tells whether a Content-Type is exactly the one that practically
// every client sends with a form.
func isForm(contentType []byte) bool {
	return string(contentType) == formType
}

const formType = "application/x-www-form-urlencoded"

// trimFold is the media type in the form that etcd's members API compares: as
// sent without parameters, lower case and trimmed with.
func trimFold(contentType string) string {
	if i := strings.IndexByte(contentType, ';'); i >= 0 {
		return strings.TrimSpace(strings.ToLower(contentType[:i]))
	}
	return contentType
}
