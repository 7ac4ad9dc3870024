package jepsen_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"holdfast/jepsen"
)

func loadHistory(t testing.TB, file string) jepsen.History {
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	h, err := jepsen.ReadHistory(f)
	require.NoError(t, err)
	return h
}

// The checker tells hand-made good histories from bad ones: file names begin
// with the verdict they must get.
func TestRegisterTellsGoodFromBad(t *testing.T) {
	files, err := filepath.Glob("testdata/*.jsonl")
	require.NoError(t, err)
	seen := map[jepsen.Verdict]int{}
	for _, f := range files {
		name := filepath.Base(f)
		want := jepsen.Legal
		if strings.HasPrefix(name, "bad-") {
			want = jepsen.Illegal
		}
		t.Run(strings.TrimSuffix(name, ".jsonl"), func(t *testing.T) {
			rep, err := jepsen.CheckRegister(loadHistory(t, f), time.Minute)
			require.NoError(t, err)
			assert.Equal(t, want, rep.Verdict, rep.Detail)
			if want == jepsen.Illegal {
				assert.Equal(t, "/r/1", rep.Key)
				assert.Contains(t, rep.Detail, "can follow")
			}
			seen[rep.Verdict]++
		})
	}
	assert.GreaterOrEqual(t, seen[jepsen.Legal], 8)
	assert.GreaterOrEqual(t, seen[jepsen.Illegal], 10)
}

// A search that does not end in time is its own verdict, neither ok nor illegal.
func TestRegisterTimeoutIsItsOwnVerdict(t *testing.T) {
	var h jepsen.History
	for p := range 40 {
		h = append(h, jepsen.Operation{Process: p, Call: 0, Return: 100, Op: jepsen.Write, Key: "/k", Arg: fmt.Sprint(p), Outcome: jepsen.OK})
	}
	h = append(h, jepsen.Operation{Process: 99, Call: 200, Return: 210, Op: jepsen.Read, Key: "/k", Result: "none of them", Outcome: jepsen.OK})
	rep, err := jepsen.CheckRegister(h, 20*time.Millisecond)
	require.NoError(t, err)
	assert.Equal(t, jepsen.Timeout, rep.Verdict)
	assert.Equal(t, []string{"/k"}, rep.TimedOut)
}

// drawHistory simulates a correct register: every operation takes effect at a
// moment between its call and its return, unknown ones perhaps later or never.
func drawHistory(t *rapid.T) jepsen.History {
	type pending struct {
		op jepsen.Operation
		at int64
	}
	n := rapid.IntRange(1, 14).Draw(t, "operations")
	var todo []pending
	free := map[int]int64{}
	for i := range n {
		p := rapid.IntRange(0, 3).Draw(t, "process")
		call := free[p] + int64(rapid.IntRange(1, 10).Draw(t, "gap"))
		length := int64(rapid.IntRange(1, 30).Draw(t, "length"))
		o := jepsen.Operation{Process: p, Call: call, Return: call + length, Key: "/k"}
		o.Op = rapid.SampledFrom([]jepsen.Kind{jepsen.Read, jepsen.Write, jepsen.CAS, jepsen.Delete}).Draw(t, "op")
		if o.Op == jepsen.Write || o.Op == jepsen.CAS {
			o.Arg = fmt.Sprintf("v%d", i)
		}
		if o.Op == jepsen.CAS {
			o.Prev = fmt.Sprintf("v%d", rapid.IntRange(0, n).Draw(t, "prev"))
		}
		at := call + int64(rapid.IntRange(0, int(length)).Draw(t, "moment"))
		if o.Op != jepsen.Read && rapid.IntRange(0, 3).Draw(t, "lost answer") == 0 {
			o.Outcome = jepsen.Unknown
			at += int64(rapid.IntRange(0, 200).Draw(t, "late"))
		}
		free[p] = o.Return + 1
		todo = append(todo, pending{o, at})
	}
	// Take effect in the order of the moments; a draw before decides ties.
	for i := range todo {
		for j := i; j > 0 && todo[j].at < todo[j-1].at; j-- {
			todo[j], todo[j-1] = todo[j-1], todo[j]
		}
	}
	value, exists, index := "", false, uint64(3)
	var h jepsen.History
	for _, p := range todo {
		o := p.op
		lost := o.Outcome == jepsen.Unknown
		if lost && rapid.Bool().Draw(t, "never applied") {
			h = append(h, o)
			continue
		}
		o.Outcome = jepsen.OK
		switch {
		case o.Op == jepsen.Read:
			o.Missing, o.Result = !exists, value
			if exists {
				o.ModifiedIndex = index
			}
		case o.Op == jepsen.Write, o.Op == jepsen.CAS && exists && value == o.Prev:
			index += uint64(rapid.IntRange(1, 3).Draw(t, "other keys' changes"))
			o.ModifiedIndex, value, exists = index, o.Arg, true
		case o.Op == jepsen.Delete && exists:
			index++
			o.ModifiedIndex, o.Result, value, exists = index, value, "", false
		default:
			o.Outcome, o.Result, o.ErrorCode, o.Missing = jepsen.Fail, value, 101, false
			if !exists {
				o.ErrorCode, o.Missing = 100, true
			}
		}
		if lost {
			o.Outcome, o.Result, o.ErrorCode, o.Missing, o.ModifiedIndex = jepsen.Unknown, "", 0, false, 0
		}
		h = append(h, o)
	}
	return h
}

// No history that a correct register can produce is refused.
func TestRegisterAcceptsWhatACorrectOneDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		rep, err := jepsen.CheckRegister(h, time.Minute)
		require.NoError(t, err)
		require.Equal(t, jepsen.Legal, rep.Verdict, "%s", rep.Detail)
	})
}

// A history survives being written and read.
func TestHistoryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t)
		var b bytes.Buffer
		require.NoError(t, h.Encode(&b))
		back, err := jepsen.ReadHistory(&b)
		require.NoError(t, err)
		require.Equal(t, h, back)
	})
}
