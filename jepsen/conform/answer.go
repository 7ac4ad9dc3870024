package conform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// answer is what came back for a request, so far.
type answer struct {
	status   int
	header   http.Header
	transfer string // chunked, length or close
	body     []byte
	lines    []timedLine // of a background request
	at       time.Time   // when the last byte came
	ended    bool
	lateHead bool // a background request whose headers did not come at once
	err      error
}

type timedLine struct {
	text string
	at   time.Time
}

func (a *answer) head(resp *http.Response) {
	a.status, a.header, a.transfer = resp.StatusCode, resp.Header, "close"
	switch {
	case slices.Contains(resp.TransferEncoding, "chunked"):
		a.transfer = "chunked"
	case resp.ContentLength >= 0:
		a.transfer = "length"
	}
}

// decodeJSON decodes exactly one value and keeps numbers as they are spelt.
func decodeJSON(b []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// check holds an answer against the expectation and returns the differences.
func (s *scope) check(x *Expect, a *answer) []string {
	if x == nil {
		return nil
	}
	if a.err != nil {
		return []string{a.err.Error()}
	}
	c := &comparison{scope: s, ordered: x.Ordered}
	if a.lateHead {
		c.add("headers", errors.New("they did not come at once"))
	}
	pending := !a.ended && len(a.body) == 0 && x.Events == nil
	if pending != x.Pending {
		if x.Pending {
			return append(c.diffs, fmt.Sprintf("answer: want none yet, got status %d: %s", a.status, show(string(a.body))))
		}
		return append(c.diffs, "answer: none in time")
	}
	if x.Status != 0 && x.Status != a.status {
		c.add("status", fmt.Errorf("want %d, got %d", x.Status, a.status))
	}
	c.checkHead(x, a)
	if !pending {
		c.checkBody(x, a)
	}
	return c.diffs
}

func (c *comparison) checkHead(x *Expect, a *answer) {
	for _, name := range sortedKeys(x.Headers) {
		var got any = missing{}
		if v := a.header.Get(name); v != "" {
			got = v
		}
		c.match(x.Headers[name], got, name)
	}
	if x.Transfer != "" && x.Transfer != a.transfer {
		c.add("transfer", fmt.Errorf("want %s, got %s", x.Transfer, a.transfer))
	}
}

func (c *comparison) checkBody(x *Expect, a *answer) {
	if x.Events != nil {
		c.checkEvents(x, a)
	}
	if x.JSON != nil {
		before := len(c.diffs)
		v, err := decodeJSON(a.body)
		if err != nil {
			c.add("body", fmt.Errorf("want JSON, got %s (%w)", show(string(a.body)), err))
			return
		}
		c.match(x.JSON, v, "body")
		if len(c.diffs) > before {
			c.diffs[len(c.diffs)-1] += "; the body was " + show(v)
		}
	}
	if x.Text != nil {
		c.match(*x.Text, string(a.body), "text")
	}
	if x.Raw != nil {
		want, err := c.expand(*x.Raw)
		if strings.HasPrefix(want, "@@") {
			want = want[1:]
		}
		if err == nil {
			err = demand(want == string(a.body), show(want), string(a.body))
		}
		c.add("raw body", err)
	}
}

// checkEvents compares the lines of a stream, each against the time it came.
func (c *comparison) checkEvents(x *Expect, a *answer) {
	if len(x.Events) != len(a.lines) {
		c.add("events", fmt.Errorf("want %d, got %d: %s", len(x.Events), len(a.lines), show(string(a.body))))
		return
	}
	for i, l := range a.lines {
		at := fmt.Sprintf("event %d", i)
		c.at = l.at
		v, err := decodeJSON([]byte(l.text))
		if err != nil {
			c.add(at, fmt.Errorf("want JSON, got %s (%w)", show(l.text), err))
			continue
		}
		c.match(x.Events[i], v, at)
	}
}

// capture keeps the parts of an answer that later steps refer to.
func (s *scope) capture(what map[string]string, a *answer) error {
	for _, name := range sortedKeys(what) {
		path := what[name]
		if h, ok := strings.CutPrefix(path, "header:"); ok {
			s.vars[name] = a.header.Get(h)
			continue
		}
		v, err := decodeJSON(a.body)
		if err != nil {
			return fmt.Errorf("capture %s: body: %w", name, err)
		}
		part, ok := dig(v, path)
		if !ok {
			return fmt.Errorf("capture %s: no %s in %s", name, path, show(v))
		}
		s.vars[name] = part
	}
	return nil
}
