package story

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"holdfast/jepsen"
	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files anew")

// ms is a moment in milliseconds.
const ms = 1_000_000

// scene is a small run, made by hand: three members, m1 leads, is cut off, and m2 leads after it.
func scene() *Source {
	rec := &sim.Recording{
		Members: []string{"m1", "m2", "m3"},
		Acts: []sim.Act{
			{At: 0, Who: "m1", What: "start", Detail: "incarnation 1"}, {At: 30 * ms, Who: "m2", What: "start", Detail: "incarnation 1"},
			{At: 60 * ms, Who: "m3", What: "start", Detail: "incarnation 1"}, {At: 2600 * ms, Who: "m3", What: "dark", Detail: "torn: 2 sectors lost, 0 zeroed, 0 names"},
			{At: 2600 * ms, Who: "m3", What: "killed", Detail: "incarnation 1"}, {At: 2900 * ms, Who: "m3", What: "restart", Detail: "incarnation 2"},
			{At: 3450 * ms, Who: "m2", What: "rot", Detail: "a bit of its log flips while it is down #5 for 1s"}, {At: 3451 * ms, Who: "m2", What: "rot", Detail: "{Path:log/1 Offset:7 Bits:2}"},
			{At: 4000 * ms, Who: "all", What: "calm", Detail: "phase two"},
		},
		Faults: []sim.Struck{
			{Fault: sim.Fault{ID: 1, Kind: "isolate", At: 1204 * ms, For: 2000 * ms, Member: "m1"}, Detail: "from all other members", Hits: []int64{1204 * ms}, End: 3204 * ms},
			{Fault: sim.Fault{ID: 2, Kind: "power-cut", At: 2590 * ms, For: 300 * ms, Member: "m3", N: 9}, Detail: "at its host call 9 from now", Hits: []int64{2590 * ms}},
			{Fault: sim.Fault{ID: 3, Kind: "aimed-kill", At: 3300 * ms, For: 300 * ms, Member: "m2"}, Detail: "4 host calls after it works on /log/"},
			{Fault: sim.Fault{ID: 4, Kind: "kill", At: 3400 * ms, Member: "m2"}},
		},
		Messages: []sim.Message{
			{From: 0, To: 1, Sent: 1000 * ms, Due: 1001 * ms, Arrived: 1001 * ms, Bytes: 200, Says: sim.Frame{Kind: sim.FrameAppend, Term: 2, Index: 4, Entries: 1, Commit: 4}},
			{From: 1, To: 0, Sent: 1002 * ms, Due: 1003 * ms, Arrived: 1003 * ms, Bytes: 60, Says: sim.Frame{Kind: sim.FrameAppended, Term: 2, Index: 5, OK: true}},
			{From: 0, To: 2, Sent: 1300 * ms, Due: 1301 * ms, Arrived: 3250 * ms, Bytes: 100, Says: sim.Frame{Kind: sim.FrameAppend, Term: 2, Index: 5, Commit: 5}},
			{From: 1, To: 0, Sent: 2000 * ms, Due: 2001 * ms, Bytes: 90, Again: true, Says: sim.Frame{Kind: sim.FrameVote, Term: 3, Index: 5}},
		},
	}
	url := func(n int) string { return fmt.Sprintf("http://10.0.0.%d:2379", n) }
	rec.History = jepsen.History{
		{Process: 0, Call: 1000 * ms, Return: 1004 * ms, Op: jepsen.Write, Key: "/a", Arg: "2", Outcome: jepsen.OK, Action: "set", ModifiedIndex: 1, CreatedIndex: 1, EtcdIndex: 1, Member: url(1)},
		{Process: 1, Call: 2100 * ms, Return: 2110 * ms, Op: jepsen.Write, Key: "/a", Arg: "3", Outcome: jepsen.OK, Action: "set", ModifiedIndex: 2, CreatedIndex: 2, PrevModified: 1, Result: "2", EtcdIndex: 2, Member: url(2)},
		{Process: 2, Call: 2200 * ms, Return: 2300 * ms, Op: jepsen.CAS, Key: "/a", Prev: "9", Arg: "4", Outcome: jepsen.Fail, ErrorCode: 101, Result: "3", EtcdIndex: 2, Member: url(2)},
		{Process: 3, Call: 2400 * ms, Return: 2500 * ms, Op: jepsen.Read, Key: "/b", Outcome: jepsen.Unknown, Error: "time-out", Member: url(1)},
		{Process: 4, Call: 2700 * ms, Return: 2704 * ms, Op: jepsen.Read, Key: "/a", Outcome: jepsen.OK, Result: "2", ModifiedIndex: 1, EtcdIndex: 1, Member: url(1)},
	}
	rec.Run = &jepsen.Run{
		History: rec.History, Addrs: map[string]string{url(1): "m1", url(2): "m2", url(3): "m3"},
		Roles: []jepsen.Role{
			{Member: "m1", Life: 1, At: 500 * ms, State: "leader", Term: 2}, {Member: "m2", Life: 1, At: 40 * ms, State: "follower", Term: 0},
			{Member: "m3", Life: 1, At: 70 * ms, State: "follower", Term: 0}, {Member: "m2", Life: 1, At: 2050 * ms, State: "leader", Term: 3},
			{Member: "m3", Life: 2, At: 2950 * ms, State: "follower", Term: 3}, {Member: "m1", Life: 1, At: 3260 * ms, State: "follower", Term: 3},
		},
		Commits: []jepsen.Commit{
			{Member: "m1", Life: 1, At: 1003 * ms, LogIndex: 5, Term: 2, StoreIndex: 1, Events: []jepsen.Event{{Index: 1, Action: "set", Key: "/a", Value: "2", CreatedIndex: 1}}},
			{Member: "m2", Life: 1, At: 2105 * ms, LogIndex: 7, Term: 3, StoreIndex: 2, Events: []jepsen.Event{{Index: 2, Action: "set", Key: "/a", Value: "3", CreatedIndex: 2, PrevIndex: 1, PrevValue: "2"}}},
			{Member: "m3", Life: 2, At: 2960 * ms, LogIndex: 7, Term: 3, StoreIndex: 2, Restored: true},
		},
		CalmAt: 4000 * ms, End: 5000 * ms, Whole: true,
	}
	rep := &sim.Report{
		Seed: 0x1f, Module: "0123456789abcdef", Hash: 0xfeed, Verdict: sim.VerdictOK, VirtualNanos: 5000 * ms, OK: 3, Failed: 1, Unknown: 1,
		Plan:   sim.Plan{Nodes: 3, EndNanos: 4500 * ms, CalmAtNanos: 4000 * ms, Workloads: []sim.Work{{Name: "register", Clients: 4}}},
		Stats:  sim.Stats{LeaderChanges: 1, Installs: 1},
		Checks: []jepsen.Result{{Checker: "order", Verdict: jepsen.Legal, Operations: 4}, {Checker: "linearizable", Verdict: jepsen.Legal, Operations: 4}},
	}
	return &Source{Log: "run.log", Commit: "abc", Report: rep, Recording: rec}
}

// red makes a checker refuse the scene.
func red(src *Source, checker, key, detail string, at int64) *Source {
	rep := src.Report
	rep.Verdict, rep.Fired, rep.Detail = sim.VerdictSafety, checker, detail
	found := jepsen.Result{Checker: checker, Verdict: jepsen.Illegal, Operations: 4, Findings: []jepsen.Finding{{Checker: checker, Key: key, At: at, Detail: detail}}}
	for i := range rep.Checks {
		if rep.Checks[i].Checker == checker {
			rep.Checks[i] = found
			return src
		}
	}
	rep.Checks = append(rep.Checks, found)
	return src
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "make it with go test ./sim/story -update")
	assert.Equal(t, string(want), got, "compare, and write it anew with -update if it is right")
}

// Each kind of verdict has its story, with the member, the time and the key that it is about.
func TestStories(t *testing.T) {
	for name, src := range map[string]*Source{
		"green":        scene(),
		"linearizable": red(scene(), "linearizable", "/a", "no order of the operations on /a explains all answers", 2704*ms),
		"order": red(scene(), "order", "/a",
			`p4's read of /a through m1 from 2.700000 s to 2.704000 s shows "2"; p1's write of /a = "3" through m2 from 2.100000 s to 2.110000 s came before`, 2704*ms),
		"crash": func() *Source {
			s := scene()
			s.Recording.Acts = append(s.Recording.Acts, sim.Act{At: 3500 * ms, Who: "m2", What: "exit", Detail: "exit status 2"})
			s.Report.Verdict, s.Report.Fired, s.Report.Detail = sim.VerdictCrash, "crash", "m2: exit status 2"
			return s
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			require.NoError(t, Tell(src).WriteText(&b))
			golden(t, name+".txt", b.String())
			for _, line := range strings.Split(b.String(), "\n") {
				assert.LessOrEqual(t, len([]rune(line)), textWidth, line)
			}
		})
	}
}

// What cannot be followed is explained by the state and by what it would have needed.
func TestExplanation(t *testing.T) {
	src := red(scene(), "linearizable", "/a", "no order", 2704*ms)
	f := focusOn(src)
	require.NotNil(t, f.explanation)
	assert.Len(t, f.explanation.Order, 3, "two writes and the refused swap")
	require.Len(t, f.explanation.Next, 1)
	assert.Equal(t, `it returned "2"; here the key is "3" (index = 2)`, f.explanation.Next[0].Why)
	assert.Equal(t, 4, f.main)
}

// A finding that names no operation is about none, and the picture is of its time.
func TestFindingWithoutOperation(t *testing.T) {
	f := focusOn(red(scene(), "invariants", "", "two leaders of term 3", 2100*ms))
	assert.Equal(t, -1, f.main)
	assert.Equal(t, int64(2100*ms), f.from)
}

// What was due from the calm on and never came is about all of that time.
func TestFindingOfProgress(t *testing.T) {
	src := scene()
	src.Report.Verdict, src.Report.Fired, src.Report.Detail = sim.VerdictLiveness, "progress", "no write was confirmed after 4s, when all was healed"
	f := focusOn(src)
	assert.Equal(t, []int64{4000 * ms, 5000 * ms}, []int64{f.from, f.to})
	assert.Equal(t, []string{src.Report.Detail, promises["progress"]}, Tell(src).Finding)
}

// An order that is missing is shown although something graver decided the verdict.
func TestExplanationBesideAnotherFinding(t *testing.T) {
	src := red(red(scene(), "linearizable", "/a", "no order", 2704*ms), "order", "/a", "p4's index is too old", 2704*ms)
	r := Make(src)
	require.NotNil(t, r.focus.explanation)
	assert.Equal(t, "p4's index is too old", r.Story.Finding[0])
	assert.Equal(t, "No order of the operations on /a explains all answers, either: 3 of 4 can be placed.", r.Story.Finding[2])
	assert.Len(t, r.data().Order.Next, 1)
}

// A story of a red run is bounded: what lies long before is left out, and counted; who led then is still told.
func TestLongStoryIsCut(t *testing.T) {
	src := red(scene(), "order", "", "wrong", 900_000*ms)
	for i := range 500 {
		src.Recording.Faults = append(src.Recording.Faults, sim.Struck{Fault: sim.Fault{ID: 100 + i, Kind: "pause", At: int64(4000+i*100) * ms, Member: "m1"}, Detail: "no turns", Hits: []int64{1}})
	}
	s := Tell(src)
	assert.LessOrEqual(t, len(s.Lines), 2*maxChanges+2)
	assert.Contains(t, s.Lines[0].Text, "m1 no longer leads")
	assert.Contains(t, s.Lines[1].Text, "left out here")
}

// embedded is the data of a page, read as a browser finds it: up to the first end of its element.
func embedded(t *testing.T, page string) (d data) {
	t.Helper()
	_, rest, ok := strings.Cut(page, `<script type="application/json" id="data">`)
	require.True(t, ok)
	text, _, ok := strings.Cut(rest, "</script>")
	require.True(t, ok)
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	return d
}

func pageOf(t *testing.T, src *Source) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, Make(src).WritePage(&b))
	return b.String()
}

// Whatever a key or a value holds, the page stays what it is: it is data there, and comes out as it went in.
func TestPageHoldsAnyValue(t *testing.T) {
	nasty := []string{"</script><script>alert(1)</script>", "<!--<script>", "{{data}}{{script}}", "\u2028\u2029\x00\x1b[31m", "]]>\"'`${x}&lt;", "é 😀 \U0010ffff"}
	src := red(scene(), "order", "/a", nasty[0], 2704*ms)
	for i, text := range nasty {
		o := src.Recording.History[0]
		o.Process, o.Key, o.Arg = 10+i, "/"+text, text
		src.Recording.History = append(src.Recording.History, o)
	}
	src.Recording.Run.History = src.Recording.History
	plain, page := pageOf(t, scene()), pageOf(t, src)
	assert.Equal(t, strings.Count(plain, "<script"), strings.Count(page, "<script"))
	assert.Equal(t, strings.Count(plain, "</script"), strings.Count(page, "</script"))
	assert.NotContains(t, page, "<!--")
	d := embedded(t, page)
	for i, text := range nasty {
		assert.Equal(t, "/"+text, d.Ops[5+i].Key)
	}
	assert.Contains(t, d.Finding, nasty[0])
	assert.NotContains(t, func() string { var b bytes.Buffer; _ = Tell(src).WriteText(&b); return b.String() }(), "\x1b")
}

// A page names no address but that of SVG's vocabulary, loads nothing, and forbids itself to.
func TestPageStandsAlone(t *testing.T) {
	page := pageOf(t, scene())
	for _, address := range regexp.MustCompile(`https?://[^"'\s)]+`).FindAllString(page, -1) {
		assert.Contains(t, []string{"http://www.w3.org/2000/svg"}, address)
	}
	assert.NotRegexp(t, `(?i)<(link|img|iframe|script)[^>]+(src|href)="[^d]`, page)
	assert.Contains(t, page, "default-src 'none'")
}

// What is beyond the limits is left out, farthest from the finding first, and counted; the page stays small.
func TestPageIsBounded(t *testing.T) {
	src := red(scene(), "linearizable", "/a", "no order", 2704*ms)
	rec := src.Recording
	for i := range 3 * MaxPageMessages / 2 {
		f := sim.Frame{Kind: sim.FrameAppend, Term: 1 << 40, Index: 1 << 40, Commit: 1 << 40, Entries: uint64(i % 2)}
		rec.Messages = append(rec.Messages, sim.Message{From: i % 3, To: (i + 1) % 3, Sent: int64(i) * ms, Arrived: int64(i+1) * ms, Bytes: 1 << 20, Says: f})
	}
	long := strings.Repeat("/value", 500)
	for i := range 3 * MaxPageOperations / 2 {
		rec.History = append(rec.History, jepsen.Operation{
			Process: 5, Call: int64(5000+2*i) * ms, Return: int64(5001+2*i) * ms, Op: jepsen.Write, Key: "/" + long, Arg: long, Outcome: jepsen.Unknown, Error: long,
		})
	}
	page := pageOf(t, src)
	d := embedded(t, page)
	assert.Len(t, d.Flights, MaxPageMessages)
	assert.Len(t, d.Ops, MaxPageOperations)
	assert.Equal(t, MaxPageMessages/2+4, d.LeftOut.Messages)
	assert.Equal(t, MaxPageOperations/2+5, d.LeftOut.Operations)
	assert.Equal(t, 3*MaxPageOperations/2+5, d.Count.Operations)
	assert.Equal(t, 0, d.Ops[0].Process, "what the finding is about stays")
	assert.Less(t, len(page), 8<<20)
}

// The same run gives the same page.
func TestPageIsTheSame(t *testing.T) {
	assert.Equal(t, pageOf(t, scene()), pageOf(t, scene()))
}
