package kernel

import (
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// machine drives a state and the naive model side by side. Its exported
// methods are rapid's actions.
type machine struct {
	l          *leader
	m          *naive
	operations *int
	changed    bool // since all was compared
	copies     []viewed
}

// viewed is a view taken earlier, with what it showed then.
type viewed struct {
	view    *View
	nodes   map[string]Node
	members []Member
}

// The names sort around '/', so that ranges of the tree that are cut wrong
// take in a neighbour.
var (
	someName   = rapid.SampledFrom([]string{"a", "b", "a!", "a-", "a0", "_h", "aa"})
	someSecond = rapid.SampledFrom([]Time{0, 1, Second / 2, Second, 3 * Second})
	somePath   = rapid.Custom(func(t *rapid.T) string {
		return "/" + strings.Join(rapid.SliceOfN(someName, 0, 3).Draw(t, "names"), "/")
	})
	someOp = rapid.SampledFrom([]Op{
		OpSet, OpSet, OpSet, OpCreate, OpCreate, OpCreateInOrder, OpUpdate, OpUpdate, OpCompareAndSwap,
		OpDelete, OpDelete, OpCompareAndDelete, OpExpire,
		OpMemberAdd, OpMemberAttributes, OpMemberUpdate, OpMemberRemove,
	})
)

func (x *machine) command(t *rapid.T) Command {
	c := Command{Op: someOp.Draw(t, "op")}
	switch {
	case c.Op.onMember():
		url := "http://" + someName.Draw(t, "url")
		c.Member = Member{ID: rapid.Uint64Range(1, 30).Draw(t, "id"), Name: url, PeerURLs: []string{url}, ClientURLs: []string{url, url}}
	case c.Op.onKey():
		c.Path = somePath.Draw(t, "path")
		bits := rapid.Uint8().Draw(t, "bits")
		c.Dir, c.Recursive, c.Refresh = bits&7 == 0, bits&8 != 0, bits&0x70 == 0
		if c.HasTTL = bits&0x80 != 0; c.HasTTL {
			c.TTLSeconds = rapid.Uint64Range(0, 9).Draw(t, "ttl")
		}
		c.Value = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "value")
		if c.Op == OpCompareAndSwap || c.Op == OpCompareAndDelete {
			c.PrevValue = rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "prevValue")
			if n, ok := x.m.nodes[c.Path]; ok && rapid.Bool().Draw(t, "byIndex") {
				c.PrevIndex = n.Modified + StoreIndex(rapid.IntRange(0, 1).Draw(t, "off"))
			}
		}
	}
	return c
}

// Apply applies a batch, now and then under a session that is not open.
func (x *machine) Apply(t *rapid.T) {
	session := x.l.session
	if rapid.IntRange(0, 9).Draw(t, "stale") == 0 {
		session.Term--
	}
	x.l.advance(someSecond.Draw(t, "pass"))
	list := make([]Command, rapid.IntRange(1, 11).Draw(t, "commands"))
	var results []Result
	events := []*Event{}
	x.m.pass(session, x.l.elapsed)
	for i := range list {
		list[i] = x.command(t)
		r, e := x.m.apply(list[i])
		if i == 0 && list[i].Op.conditional() {
			// The refusal without the log is the one with it.
			require.Equal(t, r.Err, x.l.s.Refusal(&list[i]), "%+v", list[i])
			require.Equal(t, r.Err != nil, x.l.s.Refuses(&list[i]), "%+v", list[i])
		}
		results, events = append(results, r), append(events, e...)
	}
	out := x.l.entry(batch(t, session, x.l.elapsed, list...))
	for i := range results {
		if !reflect.DeepEqual(results[i], out.Results[i]) {
			t.Fatalf("%+v: got %s, want %s", list[i], told(out.Results[i]), told(results[i]))
		}
	}
	if !reflect.DeepEqual(events, out.Events) {
		t.Fatalf("events differ: got %d, want %d", len(out.Events), len(events))
	}
	*x.operations += len(list)
	x.changed = true
}

func told(r Result) string {
	if r.Err != nil {
		return fmt.Sprintf("%+v", *r.Err)
	}
	if r.Event == nil {
		return "nothing"
	}
	return fmt.Sprintf("%+v node %+v prev %+v", *r.Event, r.Event.Node, r.Event.Prev)
}

// Open has a new leader take over, or the same after a restore.
func (x *machine) Open(t *rapid.T) {
	session := x.l.session
	if rapid.Bool().Draw(t, "restore") {
		session.Restore++
	} else {
		session.Term += 2
	}
	x.l.open(session)
	x.m.open(session, wall+int64(x.m.now))
}

// Resize changes the length of the ring.
func (x *machine) Resize(t *rapid.T) {
	c := Command{Op: OpSetting, Path: SettingHistoryEvents, Value: strconv.Itoa(rapid.SampledFrom([]int{1, 2, 7, 20, 100}).Draw(t, "events"))}
	x.m.pass(x.l.session, x.l.elapsed)
	x.m.apply(c)
	require.Equal(t, Result{}, x.l.do(c))
	*x.operations++
	x.changed = true
}

// Restore puts a snapshot's state in the place of the original.
func (x *machine) Restore(t *rapid.T) {
	snapshot := snapshotBytes(t, x.l.s)
	history := x.l.s.HistoryHash()
	x.l.s = restored(t, snapshot)
	x.changed = true
	require.Equal(t, snapshot, snapshotBytes(t, x.l.s))
	require.Equal(t, history, x.l.s.HistoryHash())
}

// View takes a view, and looks whether the oldest of a few is what it was.
func (x *machine) View(t *rapid.T) {
	x.copies = append(x.copies, viewed{x.l.s.View(), maps.Clone(x.m.nodes), slices.Clone(x.l.s.Members())})
	if len(x.copies) > 5 {
		compareNodes(t, x.copies[0].view, x.copies[0].nodes)
		require.Equal(t, x.copies[0].members, x.copies[0].view.Members)
		x.copies = x.copies[1:]
	}
}

// Read asks for a path and a directory.
func (x *machine) Read(t *rapid.T) {
	path, v := somePath.Draw(t, "path"), x.l.s.View()
	n, refused := v.Get(path)
	if path == "/" {
		require.Equal(t, &Node{Path: "/", Dir: true}, n)
	} else if want, code, cause := x.m.walk(path); code != 0 {
		require.Equal(t, &Error{code, cause, x.m.index}, refused)
	} else {
		require.Equal(t, &want, n)
	}
	names := []string{}
	v.Children(path, func(n *Node) bool { names = append(names, n.Name()); return true })
	if want := x.m.children(path); !slices.Equal(want, names) {
		t.Fatalf("children of %s: got %q, want %q", path, names, want)
	}
}

// Replay asks the ring for what a watcher would see.
func (x *machine) Replay(t *rapid.T) {
	back := rapid.Uint64Range(0, 25).Draw(t, "back")
	since := x.m.index + 2 - min(x.m.index+2, StoreIndex(back))
	path, recursive := somePath.Draw(t, "path"), rapid.Bool().Draw(t, "recursive")
	seen := []StoreIndex{}
	refused := x.l.s.Replay(since, func(e *Event) bool {
		if e.Matches(path, recursive) {
			seen = append(seen, e.Index)
		}
		return true
	})
	got := fmt.Sprint(seen)
	if refused != nil {
		got = "401 " + strings.TrimPrefix(refused.Cause, "the requested history has been cleared ")
		require.Equal(t, x.m.index, refused.Index)
	}
	if want := x.m.replay(since, path, recursive); want != got {
		t.Fatalf("replay of %s from %d: got %s, want %s", path, since, got, want)
	}
}

// check compares all there is after every action that may have changed it.
func (x *machine) check(t *rapid.T) {
	s := x.l.s
	if s.Index() != x.m.index || s.Now() != x.m.now || s.Applied() != x.l.index {
		t.Fatalf("index %d, time %d, applied %d; want %d, %d, %d", s.Index(), s.Now(), s.Applied(), x.m.index, x.m.now, x.l.index)
	}
	if !x.changed {
		return
	}
	x.changed = false
	compareNodes(t, s.View(), x.m.nodes)
	if len(s.ring.events) != len(x.m.held) {
		t.Fatalf("%d events held, want %d", len(s.ring.events), len(x.m.held))
	}
	if len(s.Members()) != len(x.m.members) {
		t.Fatalf("%d members, want %d", len(s.Members()), len(x.m.members))
	}
	for _, member := range s.Members() {
		if !reflect.DeepEqual(x.m.members[member.ID], member) {
			t.Fatalf("member %+v, want %+v", member, x.m.members[member.ID])
		}
	}
}

// compareNodes compares what a view has, in its order, with a map.
func compareNodes(t *rapid.T, v *View, want map[string]Node) {
	last, count := "", 0
	v.tree.nodes.Scan(func(_ string, n *Node) bool {
		if *n != want[n.Path] || n.Path <= last {
			t.Fatalf("node %+v, want %+v, after %s", *n, want[n.Path], last)
		}
		last = n.Path
		count++
		return true
	})
	if count != len(want) || v.Len() != len(want) {
		t.Fatalf("%d nodes (%d by Len), want %d", count, v.Len(), len(want))
	}
}

// TestAgainstNaiveModel runs random histories on the state and on a naive
// model: results, events, listings, the ring, times to live, views taken
// earlier and restored snapshots must agree. A default run has over 100,000
// operations.
func TestAgainstNaiveModel(t *testing.T) {
	steps := flag.Lookup("rapid.steps")
	if steps.Value.String() == steps.DefValue {
		require.NoError(t, steps.Value.Set("430"))
		defer func() { require.NoError(t, steps.Value.Set(steps.DefValue)) }()
	}
	operations := 0
	rapid.Check(t, func(t *rapid.T) {
		x := &machine{l: &leader{t: t, s: New()}, m: newNaive(), operations: &operations}
		x.l.open(Session{Term: 1})
		x.m.open(Session{Term: 1}, wall)
		t.Repeat(map[string]func(*rapid.T){
			"Apply": x.Apply, "Apply2": x.Apply, "Apply3": x.Apply, "Apply4": x.Apply, "Apply5": x.Apply, "Apply6": x.Apply,
			"Open": x.Open, "Resize": x.Resize, "Restore": x.Restore, "View": x.View, "Read": x.Read, "Replay": x.Replay,
			"": x.check,
		})
		checkState(t, x.l.s)
	})
	t.Logf("%d operations", operations)
	if steps.Value.String() == "430" && flag.Lookup("rapid.checks").Value.String() == "100" {
		assert.Greater(t, operations, 100_000)
	}
}
