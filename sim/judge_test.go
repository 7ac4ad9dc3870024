package sim

import (
	"bytes"
	"testing"

	"holdfast/jepsen"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// judged gives the verdict on a history of a world of one member, after a partition and a kill.
func judged(t *testing.T, h jepsen.History, tweak func(*world)) (*Report, error) {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, h.Encode(&text))
	w := &world{plan: Plan{Clients: 2, CalmAtNanos: 100}, history: text.Bytes(), timeline: &timeline{}}
	w.add(&machine{name: "m1", ip: "10.0.0.1"})
	w.counts = Counts{Kills: 1, Partitions: 1, HeldUp: 1}
	if tweak != nil {
		tweak(w)
	}
	rep := &Report{Counts: w.counts}
	return rep, w.judge(rep, true)
}

// op is one operation on the only key, through the only member.
func op(process int, call, end int64, kind jepsen.Kind, outcome jepsen.Outcome, value string, index uint64) jepsen.Operation {
	o := jepsen.Operation{
		Process: process, Call: call, Return: end, Op: kind, Key: "/k", Outcome: outcome, ModifiedIndex: index,
		Member: "http://10.0.0.1:2379",
	}
	if kind == jepsen.Read {
		o.Result = value
	} else {
		o.Arg = value
	}
	return o
}

func whole() jepsen.History {
	return jepsen.History{
		op(0, 10, 20, jepsen.Write, jepsen.OK, "a", 5), op(1, 30, 40, jepsen.Read, jepsen.OK, "a", 5),
		op(0, 110, 120, jepsen.Write, jepsen.OK, "b", 6), op(2, 130, 140, jepsen.Read, jepsen.OK, "b", 6),
	}
}

// A run is green only if its faults took place, and clients were served before and after them.
func TestJudgeRefusesARunThatTestedNothing(t *testing.T) {
	rep, err := judged(t, whole(), nil)
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, rep.Verdict, rep.Detail)

	_, err = judged(t, whole(), func(w *world) { w.counts.Kills = 0 })
	require.ErrorIs(t, err, ErrUntested)
	_, err = judged(t, whole(), func(w *world) { w.counts.HeldUp = 0 })
	require.ErrorIs(t, err, ErrUntested)

	for name, h := range map[string]jepsen.History{
		"no operation":                    nil,
		"no write confirmed in phase one": whole()[2:],
		"no write confirmed in phase two": {whole()[0], whole()[3]},
	} {
		rep, err = judged(t, h, nil)
		require.NoError(t, err, name)
		assert.NotEqual(t, VerdictOK, rep.Verdict, name)
	}
}

// The clients of a run that was broken off leave operations out of the history that were under way: what they may have
// done is no fault of the store. What happened before them is still held to account.
func TestJudgeOfABrokenOffRun(t *testing.T) {
	crash := func(w *world) { w.crashes = []string{"m1: exit status 1"} }
	h := jepsen.History{
		op(0, 10, 20, jepsen.Write, jepsen.OK, "a", 5), op(1, 12, 22, jepsen.Read, jepsen.OK, "a", 5),
		// Client 0 writes "under way" now, and client 1 reads it.
		op(1, 30, 40, jepsen.Read, jepsen.OK, "under way", 6),
	}
	rep, err := judged(t, h, crash)
	require.NoError(t, err)
	assert.Equal(t, VerdictCrash, rep.Verdict, rep.Detail)

	h[1].Result = "never written"
	h[0].Return = 25
	rep, err = judged(t, h, crash)
	require.NoError(t, err)
	assert.Equal(t, VerdictSafety, rep.Verdict, rep.Detail)
}

// Of an operation that spans the cut only that it may have happened is kept.
func TestAccountable(t *testing.T) {
	h := jepsen.History{
		op(0, 1, 10, jepsen.Write, jepsen.OK, "a", 5), op(1, 2, 6, jepsen.Read, jepsen.OK, "a", 5),
		op(1, 8, 12, jepsen.CAS, jepsen.OK, "b", 6), op(1, 13, 14, jepsen.Read, jepsen.OK, "c", 7),
	}
	got := accountable(h, 2)
	require.Len(t, got, 3)
	assert.Equal(t, h[:2], got[:2])
	assert.Equal(t, jepsen.Unknown, got[2].Outcome)
	assert.Zero(t, got[2].ModifiedIndex)
	assert.Empty(t, accountable(h[1:], 2), "client 0 may have had something under way from the start")
	read := append(h, op(2, 20, 21, jepsen.Read, jepsen.OK, "b", 6))
	assert.Equal(t, read, accountable(read, 2), "who reads back begins when the others are done")
}
