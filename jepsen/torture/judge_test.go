package torture

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen"
)

// sound is a journal and what members hold after it.
func sound() (jepsen.History, map[string]view, []sample) {
	c := counterKey(0)
	h := jepsen.History{
		{Op: jepsen.Write, Key: "/torture/a", Arg: "1", ModifiedIndex: 5, Outcome: jepsen.OK},
		{Op: jepsen.Write, Key: "/torture/b", Arg: "1", Outcome: jepsen.Unknown},
		{Op: jepsen.Write, Key: "/torture/c", Arg: "1", Outcome: jepsen.Fail, Error: "connection refused"},
		{Op: jepsen.CAS, Key: c, Prev: "0", Arg: "1", Outcome: jepsen.OK},
		{Op: jepsen.CAS, Key: c, Prev: "1", Arg: "2", Outcome: jepsen.Unknown},
		{Op: jepsen.CAS, Key: c, Prev: "1", Arg: "2", Outcome: jepsen.Fail, ErrorCode: 101},
	}
	views := map[string]view{}
	for _, name := range []string{"n1", "n2", "n3"} {
		v := view{"/torture/a": {Value: "1", ModifiedIndex: 5}, c: {Value: "1"}}
		for i := 1; i < counters; i++ {
			v[counterKey(i)] = node{Value: "0"}
		}
		views[name] = v
	}
	return h, views, []sample{{index: 9, hashes: map[string]string{"n1": "ab", "n2": "ab", "n3": "ab"}}}
}

// The judges pass a sound run, also if unknown writes took place, and refuse
// every single broken promise.
func TestJudges(t *testing.T) {
	for _, c := range []struct {
		name string
		with func(h jepsen.History, v map[string]view, s []sample) jepsen.History
		want string // empty: sound
	}{
		{"sound", func(h jepsen.History, _ map[string]view, _ []sample) jepsen.History { return h }, ""},
		{"unknown write took place", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			for _, m := range v {
				m["/torture/b"] = node{Value: "1"}
				m[counterKey(0)] = node{Value: "2"}
			}
			return h
		}, ""},
		{"confirmed key lost on one member", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			delete(v["n2"], "/torture/a")
			return h
		}, "n2: confirmed key is lost"},
		{"value changed", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			v["n3"]["/torture/a"] = node{Value: "2", ModifiedIndex: 5}
			return h
		}, "n3: confirmed key is changed"},
		{"applied twice", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			v["n3"]["/torture/a"] = node{Value: "1", ModifiedIndex: 6}
			return h
		}, "n3: confirmed key is changed"},
		{"failed write is there", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			v["n1"]["/torture/c"] = node{Value: "1"}
			return h
		}, "n1: key of a write that failed"},
		{"one more confirmed key", func(h jepsen.History, _ map[string]view, _ []sample) jepsen.History {
			return append(h, jepsen.Operation{Op: jepsen.Write, Key: "/torture/x", Outcome: jepsen.OK})
		}, "confirmed key is lost"},
		{"two increments to one value", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			return append(h, h[3])
		}, "one is lost"},
		{"increment lost", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			v["n1"][counterKey(0)] = node{Value: "0"}
			return h
		}, `n1: /torture/counter-0 is "0" after 1 confirmed and 1 unknown`},
		{"increment twice", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			v["n1"][counterKey(0)] = node{Value: "3"}
			return h
		}, `n1: /torture/counter-0 is "3"`},
		{"counter gone", func(h jepsen.History, v map[string]view, _ []sample) jepsen.History {
			delete(v["n1"], counterKey(2))
			return h
		}, "n1: /torture/counter-2"},
		{"hashes differ", func(h jepsen.History, _ map[string]view, s []sample) jepsen.History {
			s[0].hashes["n3"] = "ac"
			return h
		}, "history hashes at log index 9 differ"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, v, s := sound()
			h = c.with(h, v, s)
			wrong := append(judgeViews(h, v), judgeHashes(s)...)
			if c.want == "" {
				assert.Empty(t, wrong)
				assert.NoError(t, selfCheck(h, v, s))
				return
			}
			require.NotEmpty(t, wrong)
			assert.Contains(t, wrong[0], c.want)
		})
	}
}

// The self check reports a run in which nothing was at stake: planted faults
// that cannot be told from it.
func TestSelfCheckNeedsSomethingToJudge(t *testing.T) {
	_, v, s := sound()
	assert.ErrorIs(t, selfCheck(nil, v, s), errBlind)
}
