package jepsen

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Leaving out unobserved unknown writes never changes a verdict, on histories
// that are mostly nonsense.
func TestDropUnobservedKeepsTheVerdict(t *testing.T) {
	verdicts := map[Verdict]int{}
	dropped := 0
	rapid.Check(t, func(t *rapid.T) {
		values := []string{"a", "b", "c", "d"}
		var h History
		free := map[int]int64{}
		for i := range rapid.IntRange(1, 9).Draw(t, "n") {
			p := rapid.IntRange(0, 3).Draw(t, "process")
			o := Operation{Process: p, Key: "/k", Call: free[p] + int64(rapid.IntRange(1, 20).Draw(t, "gap"))}
			o.Return = o.Call + int64(rapid.IntRange(1, 40).Draw(t, "length"))
			free[p] = o.Return + 1
			o.Op = rapid.SampledFrom([]Kind{Read, Write, Write, CAS, Delete}).Draw(t, "op")
			o.Outcome = rapid.SampledFrom([]Outcome{OK, OK, Unknown, Fail}).Draw(t, "outcome")
			value := func(l string) string { return rapid.SampledFrom(values).Draw(t, l) }
			switch o.Op {
			case Write, CAS:
				o.Arg = value("arg")
				if rapid.Bool().Draw(t, "unique") {
					o.Arg = fmt.Sprint(i)
				}
			}
			if o.Op == CAS {
				o.Prev = value("prev")
			}
			if o.Op == Read && o.Outcome == OK || o.Op == Delete && o.Outcome == OK {
				o.Result = value("result")
				o.Missing = o.Op == Read && rapid.Bool().Draw(t, "missing")
			}
			if o.Outcome == Fail && (o.Op == CAS || o.Op == Delete) {
				o.ErrorCode = codeKeyNotFound
				o.Missing = true
				if o.Op == CAS && rapid.Bool().Draw(t, "mismatch") {
					o.ErrorCode, o.Missing, o.Result = codeTestFailed, false, value("met")
				}
			}
			h = append(h, o)
		}
		pruned := dropUnobserved(h)
		full, _ := checkOneRegister(registerOperations(h), time.Minute)
		short, _ := checkOneRegister(registerOperations(pruned), time.Minute)
		require.Equal(t, full, short)
		verdicts[full]++
		dropped += len(h) - len(pruned)
	})
	require.Positive(t, verdicts[Legal])
	require.Positive(t, verdicts[Illegal])
	require.Positive(t, dropped)
}
