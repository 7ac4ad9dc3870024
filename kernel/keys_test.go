package kernel

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The common ground of the tables below. After it the store index is 5:
// 1 /a = "x"; 2 /d/k = "y", which makes /d; 3 /empty, a directory;
// 4 /ttl = "t" for 100 s; 5 /td, a directory for 100 s.
func furnished(t testing.TB) *leader {
	l := newLeader(t)
	l.must(set("/a", "x"))
	l.must(set("/d/k", "y"))
	l.must(mkdir("/empty"))
	l.must(withTTL(set("/ttl", "t"), 100))
	l.must(withTTL(mkdir("/td"), 100))
	require.Equal(t, StoreIndex(5), l.s.Index())
	return l
}

// TestOperations holds each operation's event against what etcd 3.4 answers.
func TestOperations(t *testing.T) {
	at := func(seconds uint64) Time { return Time(seconds) * Second }
	a := &Node{Path: "/a", Value: "x", Created: 1, Modified: 1}
	dir := &Node{Path: "/d", Dir: true, Created: 2, Modified: 2}
	ttl := &Node{Path: "/ttl", Value: "t", Created: 4, Modified: 4, Deadline: at(100)}
	td := &Node{Path: "/td", Dir: true, Created: 5, Modified: 5, Deadline: at(100)}
	for _, test := range []struct {
		name    string
		command Command
		action  Action
		node    Node
		prev    *Node
		refresh bool
	}{
		{"set makes a key", set("/n", "v"), ActionSet, Node{Path: "/n", Value: "v", Created: 6, Modified: 6}, nil, false},
		{"set makes the directories above", set("/n/m/k", "v"), ActionSet, Node{Path: "/n/m/k", Value: "v", Created: 6, Modified: 6}, nil, false},
		{"set replaces a key, which is created anew", set("/a", "z"), ActionSet, Node{Path: "/a", Value: "z", Created: 6, Modified: 6}, a, false},
		{"set makes a directory; its value is ignored", Command{Op: OpSet, Path: "/n", Dir: true, Value: "v"}, ActionSet, Node{Path: "/n", Dir: true, Created: 6, Modified: 6}, nil, false},
		{"set replaces a key with a directory", mkdir("/a"), ActionSet, Node{Path: "/a", Dir: true, Created: 6, Modified: 6}, a, false},
		{"set takes the time to live away", set("/ttl", "z"), ActionSet, Node{Path: "/ttl", Value: "z", Created: 6, Modified: 6}, ttl, false},
		{"set with a time to live", withTTL(set("/a", "z"), 7), ActionSet, Node{Path: "/a", Value: "z", Created: 6, Modified: 6, Deadline: at(7)}, a, false},
		{"set refreshes and keeps the value", withTTL(Command{Op: OpSet, Path: "/ttl", Refresh: true}, 7), ActionSet, Node{Path: "/ttl", Value: "t", Created: 6, Modified: 6, Deadline: at(7)}, ttl, true},
		{"create a key", create("/n", "v"), ActionCreate, Node{Path: "/n", Value: "v", Created: 6, Modified: 6}, nil, false},
		{"create a directory with a time to live", withTTL(Command{Op: OpCreate, Path: "/n", Dir: true}, 7), ActionCreate, Node{Path: "/n", Dir: true, Created: 6, Modified: 6, Deadline: at(7)}, nil, false},
		{"create below a directory", create("/empty/k", ""), ActionCreate, Node{Path: "/empty/k", Created: 6, Modified: 6}, nil, false},
		{"create in order", Command{Op: OpCreateInOrder, Path: "/d", Value: "v"}, ActionCreate, Node{Path: "/d/00000000000000000006", Value: "v", Created: 6, Modified: 6}, nil, false},
		{"create in order at the root", Command{Op: OpCreateInOrder, Path: "/", Value: "v"}, ActionCreate, Node{Path: "/00000000000000000006", Value: "v", Created: 6, Modified: 6}, nil, false},
		{"create in order makes the queue", Command{Op: OpCreateInOrder, Path: "/q", Dir: true}, ActionCreate, Node{Path: "/q/00000000000000000006", Dir: true, Created: 6, Modified: 6}, nil, false},
		{"update a key, which keeps its creation", Command{Op: OpUpdate, Path: "/a", Value: "z"}, ActionUpdate, Node{Path: "/a", Value: "z", Created: 1, Modified: 6}, a, false},
		{"update takes the time to live away", Command{Op: OpUpdate, Path: "/ttl", Value: "z"}, ActionUpdate, Node{Path: "/ttl", Value: "z", Created: 4, Modified: 6}, ttl, false},
		{"update refreshes and keeps the value", withTTL(Command{Op: OpUpdate, Path: "/ttl", Refresh: true}, 7), ActionUpdate, Node{Path: "/ttl", Value: "t", Created: 4, Modified: 6, Deadline: at(7)}, ttl, true},
		{"update a directory's time to live", withTTL(Command{Op: OpUpdate, Path: "/d", Dir: true}, 7), ActionUpdate, Node{Path: "/d", Dir: true, Created: 2, Modified: 6, Deadline: at(7)}, dir, false},
		{"update takes a directory's time to live away", Command{Op: OpUpdate, Path: "/td", Dir: true}, ActionUpdate, Node{Path: "/td", Dir: true, Created: 5, Modified: 6}, td, false},
		{"compare and swap by value", Command{Op: OpCompareAndSwap, Path: "/a", Value: "z", PrevValue: "x"}, ActionCompareAndSwap, Node{Path: "/a", Value: "z", Created: 1, Modified: 6}, a, false},
		{"compare and swap by index", Command{Op: OpCompareAndSwap, Path: "/a", Value: "z", PrevIndex: 1}, ActionCompareAndSwap, Node{Path: "/a", Value: "z", Created: 1, Modified: 6}, a, false},
		{"compare and swap by both", withTTL(Command{Op: OpCompareAndSwap, Path: "/a", Value: "z", PrevValue: "x", PrevIndex: 1}, 7), ActionCompareAndSwap, Node{Path: "/a", Value: "z", Created: 1, Modified: 6, Deadline: at(7)}, a, false},
		{"compare and swap takes the time to live away", Command{Op: OpCompareAndSwap, Path: "/ttl", Value: "z", PrevIndex: 4}, ActionCompareAndSwap, Node{Path: "/ttl", Value: "z", Created: 4, Modified: 6}, ttl, false},
		{"compare and swap refreshes", withTTL(Command{Op: OpCompareAndSwap, Path: "/ttl", Refresh: true, PrevValue: "t"}, 7), ActionCompareAndSwap, Node{Path: "/ttl", Value: "t", Created: 4, Modified: 6, Deadline: at(7)}, ttl, true},
		{"compare nothing", Command{Op: OpCompareAndSwap, Path: "/a", Value: "z"}, ActionCompareAndSwap, Node{Path: "/a", Value: "z", Created: 1, Modified: 6}, a, false},
		{"delete a key", remove("/a"), ActionDelete, Node{Path: "/a", Created: 1, Modified: 6}, a, false},
		{"delete a key as if a directory", Command{Op: OpDelete, Path: "/a", Dir: true, Recursive: true}, ActionDelete, Node{Path: "/a", Created: 1, Modified: 6}, a, false},
		{"delete an empty directory", Command{Op: OpDelete, Path: "/td", Dir: true}, ActionDelete, Node{Path: "/td", Dir: true, Created: 5, Modified: 6}, td, false},
		{"delete a directory with all in it", Command{Op: OpDelete, Path: "/d", Recursive: true}, ActionDelete, Node{Path: "/d", Dir: true, Created: 2, Modified: 6}, dir, false},
		{"compare and delete by value", Command{Op: OpCompareAndDelete, Path: "/a", PrevValue: "x"}, ActionCompareAndDelete, Node{Path: "/a", Created: 1, Modified: 6}, a, false},
		{"compare and delete by index", Command{Op: OpCompareAndDelete, Path: "/ttl", PrevIndex: 4}, ActionCompareAndDelete, Node{Path: "/ttl", Created: 4, Modified: 6}, ttl, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := furnished(t)
			out := l.batch(test.command)
			require.Nil(t, out.Results[0].Err)
			clock := Clock{WallOffset: wall}
			want := &Event{Action: test.action, Index: 6, Node: &test.node, Prev: test.prev, Refresh: test.refresh, Clock: clock}
			assert.Equal(t, want, out.Results[0].Event)
			assert.Equal(t, []*Event{want}, out.Events)
			assert.Equal(t, StoreIndex(6), l.s.Index())
			checkState(t, l.s)

			n, refused := l.s.View().Get(test.node.Path)
			if test.action.Removes() {
				require.NotNil(t, refused)
				assert.Equal(t, CodeKeyNotFound, refused.Code)
				return
			}
			stored := test.node
			if test.action == ActionUpdate && stored.Dir {
				stored.Modified = test.prev.Modified // as etcd: only the answer shows the new index
			}
			assert.Equal(t, &stored, n)
		})
	}
}

// TestRefusals gives every refusal with its code, cause and index, and that
// it changes nothing but the log index and the history.
func TestRefusals(t *testing.T) {
	deep := "/" + strings.Repeat("n/", MaxDepth-1) + "n"
	cas := func(path, value string, index StoreIndex) Command {
		return Command{Op: OpCompareAndSwap, Path: path, Value: "z", PrevValue: value, PrevIndex: index}
	}
	cad := func(path, value string, index StoreIndex) Command {
		return Command{Op: OpCompareAndDelete, Path: path, PrevValue: value, PrevIndex: index}
	}
	for _, test := range []struct {
		name    string
		command Command
		code    Code
		cause   string
	}{
		{"set the root", mkdir("/"), CodeRootReadOnly, "/"},
		{"set a directory", set("/d", "v"), CodeNotFile, "/d"},
		{"set a directory as a directory", mkdir("/d"), CodeNotFile, "/d"},
		{"set below a key", set("/a/b", "v"), CodeNotDir, "/a"},
		{"set far below a key", set("/d/k/m/n", "v"), CodeNotDir, "/d/k"},
		{"refresh what is not there", withTTL(Command{Op: OpSet, Path: "/n/m", Refresh: true}, 7), CodeKeyNotFound, "/n"},
		{"refresh below a key", withTTL(Command{Op: OpSet, Path: "/a/m", Refresh: true}, 7), CodeNotDir, "/a"},
		{"refresh a directory by set", withTTL(Command{Op: OpSet, Path: "/td", Refresh: true}, 7), CodeNotFile, "/td"},
		{"create the root", Command{Op: OpCreate, Path: "/", Dir: true}, CodeRootReadOnly, "/"},
		{"create what is there", create("/a", "v"), CodeNodeExist, "/a"},
		{"create a directory that is there", Command{Op: OpCreate, Path: "/d", Dir: true}, CodeNodeExist, "/d"},
		{"create below a key", create("/a/b/c", "v"), CodeNotDir, "/a"},
		{"create in order below a key", Command{Op: OpCreateInOrder, Path: "/a"}, CodeNotDir, "/a"},
		{"create in order too deep", Command{Op: OpCreateInOrder, Path: deep}, CodeInvalidField, "path too long"},
		{"update the root", Command{Op: OpUpdate, Path: "/", Value: "v"}, CodeRootReadOnly, "/"},
		{"update what is not there", Command{Op: OpUpdate, Path: "/d/n/m", Value: "v"}, CodeKeyNotFound, "/d/n"},
		{"update below a key", Command{Op: OpUpdate, Path: "/a/n", Value: "v"}, CodeNotDir, "/a"},
		{"update a directory with a value", Command{Op: OpUpdate, Path: "/d", Value: "v"}, CodeNotFile, "/d"},
		{"swap the root", cas("/", "x", 0), CodeRootReadOnly, "/"},
		{"swap what is not there", cas("/n", "x", 0), CodeKeyNotFound, "/n"},
		{"swap below a key", cas("/a/n", "x", 0), CodeNotDir, "/a"},
		{"swap a directory", cas("/d", "", 2), CodeNotFile, "/d"},
		{"swap with another value", cas("/a", "w", 0), CodeTestFailed, "[w != x]"},
		{"swap with another index", cas("/a", "", 9), CodeTestFailed, "[9 != 1]"},
		{"swap with the value only", cas("/a", "x", 9), CodeTestFailed, "[9 != 1]"},
		{"swap with the index only", cas("/a", "w", 1), CodeTestFailed, "[w != x]"},
		{"swap with neither", cas("/a", "w", 9), CodeTestFailed, "[w != x] [9 != 1]"},
		{"delete the root", Command{Op: OpDelete, Path: "/", Recursive: true}, CodeRootReadOnly, "/"},
		{"delete what is not there", remove("/n/m"), CodeKeyNotFound, "/n"},
		{"delete below a key", remove("/a/m"), CodeNotDir, "/a"},
		{"delete a directory as a key", remove("/empty"), CodeNotFile, "/empty"},
		{"delete a full directory as a key", remove("/d"), CodeNotFile, "/d"},
		{"delete a full directory", Command{Op: OpDelete, Path: "/d", Dir: true}, CodeDirNotEmpty, "/d"},
		{"compare and delete the root", cad("/", "x", 0), CodeNotFile, "/"},
		{"compare and delete what is not there", cad("/n", "x", 0), CodeKeyNotFound, "/n"},
		{"compare and delete a directory", cad("/empty", "", 3), CodeNotFile, "/empty"},
		{"compare and delete another value", cad("/a", "w", 0), CodeTestFailed, "[w != x]"},
		{"compare and delete another index", cad("/a", "", 2), CodeTestFailed, "[2 != 1]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := furnished(t)
			before, history := l.s.Snapshot().StateHash(), l.s.HistoryHash()
			out := l.batch(test.command)
			assert.Equal(t, []Result{{Err: &Error{Code: test.code, Cause: test.cause, Index: 5}}}, out.Results)
			assert.Empty(t, out.Events)
			assert.Equal(t, StoreIndex(5), l.s.Index())
			assert.Equal(t, before, l.s.Snapshot().StateHash())
			assert.NotEqual(t, history, l.s.HistoryHash())
			checkState(t, l.s)
		})
	}
}

// TestInOrderKeyInTheWay: the name of an in-order key may be taken already.
func TestInOrderKeyInTheWay(t *testing.T) {
	l := newLeader(t)
	l.must(set("/q/00000000000000000002", ""))
	r := l.do(Command{Op: OpCreateInOrder, Path: "/q"})
	require.NotNil(t, r.Err)
	assert.Equal(t, Error{Code: CodeNodeExist, Cause: "/q/00000000000000000002", Index: 1}, *r.Err)
}

// TestRemovalTakesAll: what is below a directory goes with it, deadlines
// included, and its neighbours with almost its name stay.
func TestRemovalTakesAll(t *testing.T) {
	l := newLeader(t)
	for _, p := range []string{"/a/b/c", "/a/b/d/e", "/a/b!/x", "/a/b-", "/a/b.x/y", "/a/b0", "/a/bb/c", "/a/b/_h/i"} {
		l.must(withTTL(set(p, ""), 10))
	}
	l.must(Command{Op: OpDelete, Path: "/a/b", Recursive: true})
	assert.Equal(t, []string{"/a", "/a/b!", "/a/b!/x", "/a/b-", "/a/b.x", "/a/b.x/y", "/a/b0", "/a/bb", "/a/bb/c"}, paths(l.s.View()))
	checkState(t, l.s)
	assert.Len(t, l.expire(11*Second), 5)
}

// TestDirectoriesOwnTheirPaths: a directory may outlive the long path of the
// key that it was made for, and must not keep it in memory.
func TestDirectoriesOwnTheirPaths(t *testing.T) {
	l := newLeader(t)
	l.must(set("/d/"+strings.Repeat("k", 1000), ""))
	dir, _ := l.s.View().Get("/d")
	l.s.View().Children("/d", func(n *Node) bool {
		assert.NotSame(t, unsafe.StringData(dir.Path), unsafe.StringData(n.Path))
		return true
	})
}

// TestBatchIsInOrder: the commands of one entry see each other's effects.
func TestBatchIsInOrder(t *testing.T) {
	l := newLeader(t)
	out := l.batch(create("/a", "1"), create("/a", "2"), Command{Op: OpCompareAndSwap, Path: "/a", Value: "3", PrevValue: "1"}, remove("/a"), remove("/a"))
	codes := []Code{}
	for _, r := range out.Results {
		if r.Err != nil {
			codes = append(codes, r.Err.Code)
		} else {
			codes = append(codes, 0)
		}
	}
	assert.Equal(t, []Code{0, CodeNodeExist, 0, 0, CodeKeyNotFound}, codes)
	assert.Len(t, out.Events, 3)
	assert.Equal(t, StoreIndex(1), out.Results[1].Err.Index, "the index is the one at the refusal")
	assert.Equal(t, StoreIndex(3), out.Results[4].Err.Index)
}

// TestStats: what this state applied, successes and refusals apart.
func TestStats(t *testing.T) {
	l := furnished(t)
	for _, c := range []Command{
		set("/a", "y"), set("/d", "y"), create("/n", ""), create("/n", ""), {Op: OpCreateInOrder, Path: "/q"},
		{Op: OpUpdate, Path: "/a"}, {Op: OpUpdate, Path: "/m"}, {Op: OpCompareAndSwap, Path: "/a", Value: "1"},
		{Op: OpCompareAndSwap, Path: "/a", PrevValue: "2"}, {Op: OpCompareAndDelete, Path: "/a", PrevValue: "2"},
		{Op: OpCompareAndDelete, Path: "/a"}, remove("/n"), remove("/n"), {Op: OpMemberAdd, Member: Member{ID: 1}},
	} {
		l.do(c)
	}
	l.expire(101 * Second)
	want := Stats{Sets: Count{6, 1}, Creates: Count{2, 1}, Updates: Count{1, 1}, Deletes: Count{1, 1}, Swaps: Count{1, 1}, CompareDeletes: Count{1, 1}, Expired: 2}
	assert.Equal(t, want, l.s.Stats())
	assert.Zero(t, restored(t, snapshotBytes(t, l.s)).Stats(), "counters are a member's own")
}

// checkState holds what every state must: each node hangs on a directory, the
// deadlines are those of the nodes, the ring is a window up to the index.
func checkState(t require.TestingT, s *State) {
	deadlines := 0
	s.tree.nodes.Scan(func(path string, n *Node) bool {
		require.Equal(t, path, n.Path)
		require.True(t, ValidPath(path))
		require.LessOrEqual(t, n.Modified, s.index)
		if parent := parentOf(path); parent != "/" {
			p := s.tree.get(parent)
			require.NotNil(t, p, "above %s", path)
			require.True(t, p.Dir, "above %s", path)
		}
		if n.Deadline != 0 {
			_, ok := s.deadlines.Get(deadline{n.Deadline, path})
			require.True(t, ok, "deadline of %s", path)
			deadlines++
		}
		return true
	})
	require.Equal(t, deadlines, s.deadlines.Len())
	require.LessOrEqual(t, len(s.ring.events), s.ring.size)
	require.Equal(t, s.index+1, s.ring.next)
	for i := range s.ring.events {
		require.Equal(t, s.ring.first()+StoreIndex(i), s.ring.at(i).Index)
	}
}
