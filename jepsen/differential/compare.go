package differential

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// toleranceSeconds is how far two servers may disagree about a time.
const toleranceSeconds = 2

var (
	// equalHeaders have the same value on both servers.
	equalHeaders = []string{"Content-Type", "Location", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Allow-Headers"}
	// presentHeaders are there on both or on neither.
	presentHeaders = []string{"X-Raft-Index", "X-Raft-Term", "X-Etcd-Cluster-Id"}
)

// difference tells where two answers to one step differ; empty if nowhere.
func difference(st *Step, a, b *answer, firstA, firstB uint64) string {
	switch {
	case a.skipped || b.skipped:
		return unequal("index to refer to is missing", a.skipped, b.skipped)
	case a.failure != b.failure:
		return unequal("failure", a.failure, b.failure)
	case a.failure != "", st.Watch == Replay && hiddenReplay(st, a.body):
		return ""
	case a.status != b.status:
		return unequal("status", fmt.Sprintf("%d %.200s", a.status, a.body), fmt.Sprintf("%d %.200s", b.status, b.body))
	case a.pending != b.pending:
		return unequal("no event in time", a.pending, b.pending)
	}
	if d := headerDifference(a, b, firstA, firstB); d != "" {
		return d
	}
	if a.status >= 300 && a.status < 400 {
		return "" // the page of a redirect is nobody's contract
	}
	bodyA, bodyB := a.body, b.body
	if st.Watch == Live {
		bodyA, bodyB = withoutRepeats(bodyA), withoutRepeats(bodyB)
		if removedAboveOnly(bodyA, bodyB) {
			return ""
		}
	}
	na := &normalizer{first: firstA, ordered: ordered(st)}
	nb := &normalizer{first: firstB, ordered: na.ordered}
	ta, tb := na.body(bodyA), nb.body(bodyB)
	if ta.s != tb.s {
		return unequal("body", string(a.body), string(b.body)) + "\n  that is, normalized:" + unequal("", ta.s, tb.s)
	}
	for i := range ta.times {
		if math.Abs(ta.times[i].seconds-tb.times[i].seconds) > toleranceSeconds {
			return unequal(ta.times[i].what, string(a.body), string(b.body))
		}
	}
	return ""
}

func headerDifference(a, b *answer, firstA, firstB uint64) string {
	for _, h := range equalHeaders {
		if a.status >= 300 && a.status < 400 && h == "Content-Type" {
			continue
		}
		if d := unequal(h, a.header.Get(h), b.header.Get(h)); d != "" {
			return d
		}
	}
	for _, h := range presentHeaders {
		if d := unequal(h+" is there", a.header.Get(h) != "", b.header.Get(h) != ""); d != "" {
			return d
		}
	}
	if d := unequal("Allow", allowed(a.header), allowed(b.header)); d != "" {
		return d
	}
	return unequal("X-Etcd-Index", headerIndex(a.header, firstA), headerIndex(b.header, firstB))
}

// allowed is the Allow header as an ordered list.
func allowed(h http.Header) string {
	l := strings.FieldsFunc(h.Get("Allow"), func(r rune) bool { return r == ',' || r == ' ' })
	slices.Sort(l)
	return strings.Join(l, ",")
}

// headerIndex is X-Etcd-Index relative to the first index.
func headerIndex(h http.Header, first uint64) string {
	v, err := strconv.ParseUint(h.Get("X-Etcd-Index"), 10, 64)
	if err != nil {
		return h.Get("X-Etcd-Index")
	}
	return (&normalizer{first: first}).index(v)
}

// ordered tells whether the step asks for an order of nodes.
func ordered(st *Step) bool {
	for _, q := range st.Query {
		if v, ok := strings.CutPrefix(q, "sorted="); ok {
			on, err := strconv.ParseBool(v)
			return err == nil && on
		}
	}
	return false
}

// unequal reports two values that should be one.
func unequal[T comparable](what string, a, b T) string {
	if a == b {
		return ""
	}
	return fmt.Sprintf("%s\n  a: %+v\n  b: %+v", what, a, b)
}
