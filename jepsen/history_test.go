package jepsen_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen"
)

// Malformed histories are refused, with the place and what to do.
func TestReadHistoryRefuses(t *testing.T) {
	const good = `{"process":1,"call":5,"return":9,"op":"read","key":"/a","outcome":"ok"}`
	for _, c := range []struct{ name, in, want string }{
		{"not JSON", good + "\n{", "line 2"},
		{"unknown op", strings.Replace(good, `"read"`, `"push"`, 1), `unknown op "push"`},
		{"unknown outcome", strings.Replace(good, `"ok"`, `"maybe"`, 1), `unknown outcome "maybe"`},
		{"no key", strings.Replace(good, `"/a"`, `""`, 1), "no key"},
		{"returns before its call", strings.Replace(good, `"return":9`, `"return":4`, 1), "before its call"},
		{"two at once in one process", good + "\n" + strings.Replace(good, `"call":5`, `"call":7`, 1), "under way"},
		{"line too long", strings.Replace(good, `/a`, strings.Repeat("a", jepsen.MaxLineBytes), 1), "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := jepsen.ReadHistory(strings.NewReader(c.in))
			require.ErrorIs(t, err, jepsen.ErrHistory)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// An unknown operation ends when its client gives up, so that the client may
// go on.
func TestProcessGoesOnAfterUnknown(t *testing.T) {
	h := jepsen.History{
		{Process: 1, Call: 1, Return: 5, Op: jepsen.Write, Key: "/a", Arg: "x", Outcome: jepsen.Unknown},
		{Process: 1, Call: 6, Return: 7, Op: jepsen.Read, Key: "/a", Outcome: jepsen.OK, Result: "x"},
	}
	assert.NoError(t, h.Validate())
}

type brokenWriter struct{ left int }

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left--; w.left == 0 {
		return 0, errors.New("disk full")
	}
	return len(b), nil
}

// After a failed write the recorder refuses everything: a history with a hole
// is worse than none.
func TestRecorderStaysBroken(t *testing.T) {
	r := jepsen.NewRecorder(&brokenWriter{left: 2})
	assert.NoError(t, r.Record(jepsen.Operation{}))
	assert.ErrorContains(t, r.Record(jepsen.Operation{}), "disk full")
	assert.ErrorContains(t, r.Record(jepsen.Operation{}), "disk full")
}

// Whatever the bytes are, decoding ends in a valid history or an error.
func FuzzReadHistory(f *testing.F) {
	f.Add(`{"process":1,"call":5,"return":9,"op":"read","key":"/a","outcome":"ok"}`)
	f.Add("# comment\n\n{}")
	f.Fuzz(func(t *testing.T, s string) {
		if h, err := jepsen.ReadHistory(strings.NewReader(s)); err == nil {
			assert.NoError(t, h.Validate())
		}
	})
}
