package conform

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// missing stands for a member or header that is not there.
type missing struct{}

// tokenForm splits "@name(args)suffix"; indices, "@+1", have no name.
var tokenForm = regexp.MustCompile(`^@([a-z0-9]*)(?:\((.*)\))?([^()]*)$`)

var hexID = regexp.MustCompile(`^[0-9a-f]{1,16}$`)

// defaultTolerance is how far a clock reading may lie from @time.
const defaultTolerance = 2 * time.Second

// isToken tells whether an expected string is a token; "@@" begins a literal @.
func isToken(want string) bool {
	return strings.HasPrefix(want, "@") && !strings.HasPrefix(want, "@@")
}

// token holds got against one token and returns why it does not fit:
//
//	@+3 @-1          the base index plus 3, minus 1
//	@time(+5) @time(+5,1)  RFC 3339, UTC, now plus 5 s, give or take 2 s, or 1 s
//	@range(a,b)      a number between; absent counts as 0
//	@ref(var.path)+3 a captured number plus 3;  @ref(...)>=3  at least plus 3
//	@set(a,b)        a comma-separated list in any order
//	@re(...)         a string that matches
//	@any @absent @uint @hex @string @rfc3339
func (s *scope) token(want string, got any) error {
	m := tokenForm.FindStringSubmatch(want)
	if m == nil {
		return fmt.Errorf("token %s: not understood", want)
	}
	name, args, rest := m[1], m[2], m[3]
	_, none := got.(missing)
	switch {
	case name == "absent":
		return demand(none, want, got)
	case name == "range":
		return matchRange(want, args, got)
	case none:
		return demand(false, want, got)
	case name == "":
		return s.matchIndex(want, got)
	case name == "time":
		return s.matchTime(want, args, got)
	case name == "ref":
		return s.matchRef(want, args, rest, got)
	}
	return matchClass(want, name, args, got)
}

// demand is the error that want was not met, unless it was.
func demand(met bool, want string, got any) error {
	if met {
		return nil
	}
	return fmt.Errorf("want %s, got %s", want, show(got))
}

// matchClass handles the tokens that look at nothing but the value.
func matchClass(want, name, args string, got any) error {
	text, isText := got.(string)
	switch name {
	case "any":
		return nil
	case "uint":
		n, ok := number(got)
		return demand(ok && n.Sign() >= 0, want, got)
	case "hex":
		return demand(isText && hexID.MatchString(text), want, got)
	case "string":
		return demand(isText, want, got)
	case "rfc3339":
		_, err := time.Parse(time.RFC3339Nano, text)
		return demand(isText && err == nil, want, got)
	case "re":
		re, err := regexp.Compile(args)
		if err != nil {
			return fmt.Errorf("token %s: %w", want, err)
		}
		return demand(isText && re.MatchString(text), want, got)
	case "set":
		return demand(isText && slices.Equal(listOf(text), listOf(args)), want, got)
	}
	return fmt.Errorf("token %s: not understood", want)
}

func listOf(s string) []string {
	l := strings.Split(s, ",")
	for i := range l {
		l[i] = strings.TrimSpace(l[i])
	}
	slices.Sort(l)
	return l
}

func (s *scope) matchIndex(want string, got any) error {
	d, err := strconv.ParseInt(want[1:], 10, 64)
	if err != nil {
		return fmt.Errorf("token %s: not understood", want)
	}
	n, ok := number(got)
	if !ok || !n.IsInt64() {
		return demand(false, want, got)
	}
	if n.Int64() != s.base+d {
		return fmt.Errorf("want %s, got @%+d (%v)", want, n.Int64()-s.base, n)
	}
	return nil
}

func (s *scope) matchTime(want, args string, got any) error {
	seconds, tolerance, given := strings.Cut(args, ",")
	off, err := strconv.Atoi(seconds)
	within := defaultTolerance
	if given && err == nil {
		var n int
		n, err = strconv.Atoi(tolerance)
		within = time.Duration(n) * time.Second
	}
	if err != nil {
		return fmt.Errorf("token %s: not understood", want)
	}
	text, _ := got.(string)
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !strings.HasSuffix(text, "Z") {
		return demand(false, want+" in UTC", got)
	}
	if d := t.Sub(s.at); (d - time.Duration(off)*time.Second).Abs() > within {
		return fmt.Errorf("want %s, got %s, which is %+.1f s", want, text, d.Seconds())
	}
	return nil
}

func matchRange(want, args string, got any) error {
	low, high, _ := strings.Cut(args, ",")
	a, err1 := strconv.ParseInt(low, 10, 64)
	b, err2 := strconv.ParseInt(high, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("token %s: not understood", want)
	}
	n, ok := new(big.Int), true
	if _, none := got.(missing); !none {
		n, ok = number(got)
	}
	return demand(ok && n.Cmp(big.NewInt(a)) >= 0 && n.Cmp(big.NewInt(b)) <= 0, want, got)
}

func (s *scope) matchRef(want, path, rest string, got any) error {
	ref, found := dig(s.vars, path)
	from, ok := number(ref)
	if !found || !ok {
		return fmt.Errorf("token %s: no number was captured under that name", want)
	}
	rest, atLeast := strings.CutPrefix(rest, ">=")
	d, err := strconv.ParseInt(rest, 10, 64)
	if err != nil {
		return fmt.Errorf("token %s: not understood", want)
	}
	n, ok := number(got)
	if !ok {
		return demand(false, want, got)
	}
	c := n.Cmp(new(big.Int).Add(from, big.NewInt(d)))
	if c == 0 || atLeast && c > 0 {
		return nil
	}
	return fmt.Errorf("want %s, which is %v plus %d, got %v", want, from, d, n)
}

// number reads a whole number from a JSON number or a string.
func number(v any) (*big.Int, bool) {
	switch x := v.(type) {
	case json.Number:
		return new(big.Int).SetString(x.String(), 10)
	case string:
		return new(big.Int).SetString(x, 10)
	}
	return nil, false
}
