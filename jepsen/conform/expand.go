package conform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// scope is what the placeholders and tokens of one scenario stand for.
type scope struct {
	base  int64             // X-Etcd-Index when the scenario began
	names map[string]string // root, rname, hroot, loop, i ...
	vars  map[string]any    // what was captured
	at    time.Time         // the moment that @time is relative to
}

// maxExpanded bounds a string made by ${x*n}.
const maxExpanded = 64 << 20

var placeholder = regexp.MustCompile(`\$\$\{|\$\{[^}]*\}`)

// expand replaces the placeholders in s:
//
//	${root} ${rname} ${hroot} ${loop} ${i}  names of the scenario
//	${@+3}   the base index plus 3;  ${@020+3}  the same with 20 digits
//	${x*10}  ten times x
//	${var}, ${var.path.0}  a captured value or a part of it
//	$${      the two characters ${
func (s *scope) expand(text string) (string, error) {
	var firstErr error
	out := placeholder.ReplaceAllStringFunc(text, func(m string) string {
		if m == "$${" {
			return "${"
		}
		v, err := s.value(m[2 : len(m)-1])
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return v
	})
	return out, firstErr
}

func (s *scope) value(name string) (string, error) {
	if v, ok := s.names[name]; ok {
		return v, nil
	}
	if rest, ok := strings.CutPrefix(name, "@"); ok {
		format := "%d"
		if r, ok := strings.CutPrefix(rest, "020"); ok {
			rest, format = r, "%020d"
		}
		n, err := strconv.ParseInt(rest, 10, 64)
		if err != nil {
			return "", fmt.Errorf("placeholder ${%s}: not an index; write ${@+1}", name)
		}
		return fmt.Sprintf(format, s.base+n), nil
	}
	if what, times, ok := cutLast(name, "*"); ok {
		n, err := strconv.Atoi(times)
		if err == nil && n >= 0 && n*len(what) <= maxExpanded {
			return strings.Repeat(what, n), nil
		}
	}
	v, ok := dig(s.vars, name)
	if !ok {
		return "", fmt.Errorf("placeholder ${%s}: nothing has that name; capture it first", name)
	}
	return plain(v), nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 1 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// dig follows a dotted path through objects and arrays; "" is v itself.
func dig(v any, path string) (any, bool) {
	for path != "" {
		var head string
		head, path, _ = strings.Cut(path, ".")
		switch x := v.(type) {
		case map[string]any:
			member, ok := x[head]
			if !ok {
				return nil, false
			}
			v = member
		case []any:
			i, err := strconv.Atoi(head)
			if err != nil || i < 0 || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, true
}

// plain is a JSON value as text: strings without quotes, the rest as JSON.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
