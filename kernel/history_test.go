package kernel

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSameEntriesSameBytes: two states that apply the same entries agree on
// everything, after every entry.
func TestSameEntriesSameBytes(t *testing.T) {
	a, b := newLeader(t), newLeader(t)
	for _, c := range someCommands() {
		a.advance(Second)
		b.advance(Second)
		require.Equal(t, a.batch(c, Command{Op: OpExpire}), b.batch(c, Command{Op: OpExpire}))
		require.Equal(t, a.s.HistoryHash(), b.s.HistoryHash())
		require.Equal(t, snapshotBytes(t, a.s), snapshotBytes(t, b.s))
	}
}

// TestHistoryHash: any difference in an entry, in its log index, or in what
// came of it shows in the hash, and goes on showing.
func TestHistoryHash(t *testing.T) {
	base := func() *leader {
		l := newLeader(t)
		l.must(withTTL(set("/k", "v"), 60))
		return l
	}
	same := base()
	require.Equal(t, base().s.HistoryHash(), same.s.HistoryHash())
	step := func(l *leader) uint64 {
		l.batch(Command{Op: OpUpdate, Path: "/k", Value: "w"}, remove("/nothing"))
		return l.s.HistoryHash()
	}
	want := step(base())
	require.Equal(t, want, step(same))

	for name, change := range map[string]func(*leader){
		"another log index":    func(l *leader) { l.index++ },
		"another entry":        func(l *leader) { l.elapsed++ },
		"an entry more":        func(l *leader) { l.batch() },
		"another past":         func(l *leader) { l.s.history++ },
		"another store index":  func(l *leader) { l.s.index++; l.s.ring = newRing(9, l.s.index+1) },
		"another clock":        func(l *leader) { l.s.clock.now++ },
		"another wall clock":   func(l *leader) { l.s.clock.wall++ },
		"another refusal":      func(l *leader) { l.s.tree.nodes.Set("/nothing", &Node{Path: "/nothing", Dir: true}) },
		"another success":      func(l *leader) { l.s.tree.nodes.Set("/nothing", &Node{Path: "/nothing"}) },
		"another old value":    func(l *leader) { l.s.tree.nodes.Set("/k", with(l, "/k", func(n *Node) { n.Value = "x" })) },
		"another creation":     func(l *leader) { l.s.tree.nodes.Set("/k", with(l, "/k", func(n *Node) { n.Created = 9 })) },
		"another old index":    func(l *leader) { l.s.tree.nodes.Set("/k", with(l, "/k", func(n *Node) { n.Modified = 9 })) },
		"another old deadline": func(l *leader) { l.s.tree.nodes.Set("/k", with(l, "/k", func(n *Node) { n.Deadline = 9 })) },
		"another kind":         func(l *leader) { l.s.tree.nodes.Set("/k", with(l, "/k", func(n *Node) { n.Dir, n.Value = true, "" })) },
	} {
		l := base()
		change(l)
		assert.NotEqual(t, want, step(l), name)
	}
	assert.Equal(t, want, step(base()))
	after := base()
	after.index++
	step(after)
	step(same)
	assert.NotEqual(t, same.s.HistoryHash(), after.s.HistoryHash(), "a difference is never forgotten")
}

// with is a changed copy of a node, as a fault in memory would leave it.
func with(l *leader, path string, change func(*Node)) *Node {
	n := *l.s.tree.get(path)
	change(&n)
	return &n
}

// TestCauseCounts: the text of a refusal is part of the result.
func TestCauseCounts(t *testing.T) {
	refusal := func(cause string) uint64 {
		s := New()
		s.roll(1, nil, &Applied{Results: []Result{{Err: &Error{Code: 100, Cause: cause}}}})
		return s.HistoryHash()
	}
	assert.Equal(t, refusal("/a"), refusal("/a"))
	assert.NotEqual(t, refusal("/a"), refusal("/b"))
}

// TestStateHash digests what clients see: the way there, the log, the ring
// and the members do not count.
func TestStateHash(t *testing.T) {
	a, b := newLeader(t), newLeader(t)
	a.must(set("/x", "1"))
	a.must(set("/y", "2"))
	b.must(set("/x", "1"))
	b.batch()
	b.do(remove("/nothing"))
	b.must(set("/y", "2"))
	hash := func(l *leader) string { return l.s.Snapshot().StateHash() }
	assert.Equal(t, hash(a), hash(b))
	assert.NotEqual(t, a.s.HistoryHash(), b.s.HistoryHash())
	b.must(Command{Op: OpMemberAdd, Member: Member{ID: 1}})
	assert.Equal(t, hash(a), hash(b))
	before := hash(b)
	b.must(set("/x", "1"))
	assert.NotEqual(t, before, hash(b), "indices count")
	a.resize(5)
	assert.NotEqual(t, before, hash(a), "settings count")
}
