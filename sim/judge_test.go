package sim

import (
	"bytes"
	"testing"

	"holdfast/jepsen"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// judged gives the verdict on a history of a world of one member.
func judged(t *testing.T, h jepsen.History, finished bool, tweak func(*world)) (*Report, error) {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, h.Encode(&text))
	w := &world{
		plan: Plan{CalmAtNanos: 100, EndNanos: 200, Workloads: []Work{{Name: "register", Clients: 2}}}, history: text.Bytes(), timeline: &timeline{},
		trace: plain(), toys: true,
	}
	w.add(&machine{name: "m1", ip: "10.0.0.1"})
	if tweak != nil {
		tweak(w)
	}
	rep := &Report{Counts: w.counts}
	return rep, w.judge(rep, finished)
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
		readBack(jepsen.List, "/register"), readBack(jepsen.Watch, "/"),
	}
}

// readBack is what is asked of every member beside its keys.
func readBack(kind jepsen.Kind, key string) jepsen.Operation {
	o := op(2, 150, 160, kind, jepsen.OK, "", 0)
	if o.Key, o.EtcdIndex, o.Missing = key, 6, true; kind == jepsen.Watch {
		o.Call, o.Return, o.Missing = 170, 180, false
	}
	return o
}

// A run is green only if clients were served when all was healed, and soon.
func TestJudgeAsksForProgress(t *testing.T) {
	rep, err := judged(t, whole(), true, nil)
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, rep.Verdict, rep.Detail)

	headless := whole()
	headless[5].EtcdIndex = 0
	late := whole()
	late[2].Return += int64(progressWithin) + 100
	for name, h := range map[string]jepsen.History{
		"no operation":                    nil,
		"no write confirmed in phase two": append(whole()[:2], whole()[4:]...),
		"no read confirmed in phase two":  whole()[:3],
		"no directory read back":          append(whole()[:4], whole()[5]),
		"no watch begun":                  whole()[:5],
		"a watch without a head":          headless,
		"a write confirmed late":          late[:3],
	} {
		rep, err = judged(t, h, true, nil)
		require.NoError(t, err, name)
		assert.Equal(t, VerdictLiveness, rep.Verdict, name)
	}
	rep, err = judged(t, whole(), false, nil)
	require.NoError(t, err)
	assert.Equal(t, VerdictLiveness, rep.Verdict, "the clients did not finish")

	silent := append(whole()[:2], op(2, 130, 140, jepsen.Read, jepsen.OK, "a", 5), whole()[4], whole()[5])
	quiet := func(w *world) { w.plan.EndNanos = w.plan.CalmAtNanos }
	rep, err = judged(t, silent, true, quiet)
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, rep.Verdict, "no write is asked of clients that fell silent with the last fault")
	silent[2].Outcome = jepsen.Unknown
	rep, err = judged(t, silent, true, quiet)
	require.NoError(t, err)
	assert.Equal(t, VerdictLiveness, rep.Verdict, "but everything has to be read back")
}

// Whoever reads back must have an answer about each key from each member that is whole.
func TestJudgeAsksForEveryReadBack(t *testing.T) {
	second := func(lost string) func(*world) {
		return func(w *world) { w.add(&machine{name: "m2", ip: "10.0.0.2"}).cond.lost = lost }
	}
	rep, err := judged(t, whole(), true, second(""))
	require.NoError(t, err)
	assert.Equal(t, VerdictLiveness, rep.Verdict)
	assert.Contains(t, rep.Detail, "m2")
	rep, err = judged(t, whole(), true, second(wiped))
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, rep.Verdict, rep.Detail)

	other := op(2, 190, 195, jepsen.Read, jepsen.Fail, "", 0)
	other.Key = "/other"
	rep, err = judged(t, append(whole(), other), true, nil)
	require.NoError(t, err)
	assert.Equal(t, VerdictLiveness, rep.Verdict)
	assert.Contains(t, rep.Detail, "/other")

	last := op(2, 186, 187, jepsen.Write, jepsen.Unknown, "z", 0)
	last.Key, last.Arg = "/final/0", "z"
	rep, err = judged(t, append(whole(), last), true, nil)
	require.NoError(t, err)
	assert.Equal(t, VerdictLiveness, rep.Verdict)
	assert.Contains(t, rep.Detail, "/final/0")

	client := op(1, 150, 160, jepsen.Read, jepsen.Fail, "", 0)
	client.Key = "/other"
	rep, err = judged(t, append(whole(), client), true, nil)
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, rep.Verdict, "a client of a workload may fail")
}

func TestJudgeOfLostMembers(t *testing.T) {
	rep, err := judged(t, whole(), true, nil)
	require.NoError(t, err)
	require.Equal(t, VerdictOK, rep.Verdict)
	rep, err = judged(t, whole()[:3], true, func(w *world) { w.machines[0].cond.lost = rotten })
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, rep.Verdict, "of a lost member nothing is asked")
}

// What the host saw outranks what the clients saw, and a guest that is no toy must have told of its log.
func TestJudgeOfWhatTheHostSaw(t *testing.T) {
	rep, err := judged(t, whole(), true, func(w *world) { w.violate("m1: it is back from the dead") })
	require.NoError(t, err)
	assert.Equal(t, VerdictSafety, rep.Verdict)
	assert.Equal(t, "host", rep.Fired)
	assert.Contains(t, rep.Detail, "back from the dead")

	_, err = judged(t, whole(), true, func(w *world) { w.toys = false })
	require.ErrorIs(t, err, ErrUntested)
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
	rep, err := judged(t, h, false, crash)
	require.NoError(t, err)
	assert.Equal(t, VerdictCrash, rep.Verdict, rep.Detail)

	h[1].Result = "never written"
	h[0].Return = 25
	rep, err = judged(t, h, false, crash)
	require.NoError(t, err)
	assert.Equal(t, VerdictSafety, rep.Verdict, rep.Detail)
}

// Of an operation that spans the cut only that it may have happened is kept.
func TestAccountable(t *testing.T) {
	h := jepsen.History{
		op(0, 1, 10, jepsen.Write, jepsen.OK, "a", 5), op(1, 2, 6, jepsen.Read, jepsen.OK, "a", 5),
		op(1, 8, 12, jepsen.CAS, jepsen.OK, "b", 6), op(1, 13, 14, jepsen.Read, jepsen.OK, "c", 7),
	}
	got := accountable(h, false)
	require.Len(t, got, 3)
	assert.Equal(t, h[:2], got[:2])
	assert.Equal(t, jepsen.Unknown, got[2].Outcome)
	assert.Zero(t, got[2].ModifiedIndex)
	assert.Equal(t, h, accountable(h, true), "a run that went to its end")
	assert.Empty(t, accountable(nil, false))
}

// A ring wraps under a watch if its member applies as many events meanwhile as it holds, whatever others apply; who is refused
// for it has met that, too.
func TestWatchesUnderWhichTheRingWrapped(t *testing.T) {
	run := &jepsen.Run{Ring: 3, Addrs: map[string]string{"a": "m1", "b": "m2"}}
	for i, at := range []int64{10, 20, 30} {
		run.Commits = append(run.Commits,
			jepsen.Commit{Member: "m1", At: at, StoreIndex: uint64(2 * i)}, jepsen.Commit{Member: "m2", At: at + 1, StoreIndex: uint64(i)})
	}
	for _, c := range []struct {
		op      jepsen.Operation
		wrapped int
	}{
		{jepsen.Operation{Op: jepsen.Watch, Member: "a", Call: 10, Return: 29}, 0},
		{jepsen.Operation{Op: jepsen.Watch, Member: "a", Call: 10, Return: 30}, 1},
		{jepsen.Operation{Op: jepsen.Stream, Member: "a", Call: 0, Return: 99}, 1},
		{jepsen.Operation{Op: jepsen.Watch, Member: "b", Call: 0, Return: 99}, 0},
		{jepsen.Operation{Op: jepsen.Watch, Member: "b", Call: 5, Return: 6, ErrorCode: 401}, 1},
		{jepsen.Operation{Op: jepsen.Read, Member: "a", Call: 0, Return: 99}, 0},
	} {
		run.History = jepsen.History{c.op}
		var s Stats
		s.countWatches(run)
		assert.Equal(t, c.wrapped, s.WrappedWatches, "%+v", c.op)
	}
}
