package jepsen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Answers that leave out what they have to say: none of it contradicts the log
// by a value that is wrong.

func leavesOut(s *story) {
	everything(s)
	s.do(Operation{Op: Write, Key: "/o/k", Arg: "o-1"})
	s.do(Operation{Op: Write, Key: "/o/k", Arg: "o-2"})
	s.do(Operation{Op: Delete, Key: "/o/k"})
	s.do(Operation{Op: Write, Key: "/o/d/x", Arg: "o-3"})
	s.do(Operation{Op: Read, Key: "/o/d"})
	s.do(Operation{Op: List, Key: "/o/d"})
	s.do(Operation{Op: Refresh, Key: "/o/d", TTL: 100})
	s.do(Operation{Op: Refresh, Key: "/o/d/x", TTL: 90})
	s.do(Operation{Op: Read, Key: "/o/d/x"})
	s.do(Operation{Op: Read, Key: "/o/d"})
	s.do(Operation{Op: List, Key: "/o"})
	s.do(Operation{Op: CAD, Key: "/o/d/x", PrevIndex: 1}) // 101
	s.do(Operation{Op: List, Key: "/"})
	s.do(Operation{Op: RemoveAll, Key: "/o"})
}

// last gives the last operation of a kind on a key.
func last(s *story, k Kind, key string) *Operation {
	for i := len(s.r.History) - 1; i >= 0; i-- {
		if o := &s.r.History[i]; o.Op == k && o.Key == key {
			return o
		}
	}
	s.t.Fatalf("no %s of %s", k, key)
	return nil
}

func TestOrderMissesWhatIsLeftOut(t *testing.T) {
	shows := func(o *Operation, v string) { o.Shown = &v }
	tellsApart(t, "order", leavesOut, []bend{
		{"a write has no createdIndex", func(s *story) { find(s, Write, OK).CreatedIndex = 0 }, "created at index 0"},
		{"an in-order create has no createdIndex", func(s *story) { find(s, InOrder, OK).CreatedIndex = 0 }, "created at index 0"},
		{"a delete has no createdIndex", func(s *story) { last(s, Delete, "/o/k").CreatedIndex = 0 }, "created at index 0"},
		{"a write over a key has no prevNode", func(s *story) {
			o := last(s, Write, "/o/k")
			o.PrevModified, o.Result = 0, ""
		}, "replaced index 0"},
		{"its prevNode has no value", func(s *story) { last(s, Write, "/o/k").Result = "" }, `it replaced ""`},
		{"its prevNode has another value", func(s *story) { last(s, Write, "/o/k").Result = "o-0" }, `it replaced "o-0"`},
		{"an update has no prevNode", func(s *story) { find(s, Update, OK).PrevModified = 0 }, "replaced index 0"},
		{"a swap has no prevNode", func(s *story) { find(s, CAS, OK).PrevModified = 0 }, "replaced index 0"},
		{"a delete has no prevNode", func(s *story) { last(s, Delete, "/o/k").PrevModified = 0 }, "replaced index 0"},
		{"a compare-and-delete has no prevNode", func(s *story) { find(s, CAD, OK).PrevModified = 0 }, "replaced index 0"},
		{"a refresh has no prevNode", func(s *story) { find(s, Refresh, OK).PrevModified = 0 }, "replaced index 0"},
		{"the removal of a directory has no prevNode", func(s *story) { find(s, RemoveAll, OK).PrevModified = 0 }, "replaced index 0"},
		{"a write shows another value", func(s *story) { shows(last(s, Write, "/o/k"), "o-1") }, `shows the value "o-1"`},
		{"a write shows no value", func(s *story) { shows(find(s, Write, OK), "") }, `shows the value ""`},
		{"a refresh shows another value", func(s *story) { shows(last(s, Refresh, "/o/d/x"), "") }, `shows the value ""`},
		{"a delete shows a value", func(s *story) { shows(last(s, Delete, "/o/k"), "o-2") }, `shows the value "o-2"`},
		{"a directory is not called one", func(s *story) { find(s, MakeDir, OK).Dir = false }, "is a directory: false"},
		{"a change has no action", func(s *story) { find(s, Write, OK).Action = "" }, `says action ""`},
		{"a change has no key", func(s *story) { find(s, Write, OK).Node = "/" }, "says key /"},
		{"an in-order create shows the directory", func(s *story) { find(s, InOrder, OK).Node = "" }, "says key /q"},
		{"a change has no X-Etcd-Index", func(s *story) { find(s, Write, OK).EtcdIndex = 0 }, "X-Etcd-Index is 0"},
		{"a change has no modifiedIndex", func(s *story) { find(s, Write, OK).ModifiedIndex = 0 }, "confirmed without an index"},
		{"a read has no X-Etcd-Index", func(s *story) { find(s, Read, OK).EtcdIndex = 0 }, "answered without an index"},
		{"a refusal has no index", func(s *story) { find(s, Create, Fail).EtcdIndex = 0 }, "answered without an index"},
		{"a read has no modifiedIndex", func(s *story) { find(s, Read, OK).ModifiedIndex = 0 }, "of index 0 (created"},
		{"a read has no createdIndex", func(s *story) { find(s, LocalRead, OK).CreatedIndex = 0 }, "(created at 0)"},
		{"a read shows another key", func(s *story) { find(s, Read, OK).Node = "/o" }, "another node"},
		{"a listing is not called a directory", func(s *story) { last(s, List, "/o/d").Dir = false }, "shows a directory: false"},
		{"a failed swap does not say what it met", func(s *story) { find(s, CAS, Fail).Result = "" }, "said to have met"},
		{"a failed delete does not say what it met", func(s *story) { last(s, CAD, "/o/d/x").PrevModified = 0 }, "said to have met"},
		{"a directory shows a ttl that it has not", func(s *story) { last(s, List, "/o/d").TTLLeft = 3 }, "it had none"},
		{"a listing shows a ttl of a directory that has none", func(s *story) {
			o := &s.r.History[s.do(Operation{Op: List, Key: "/"})]
			for i := range o.Nodes {
				o.Nodes[i].TTLLeft = 3
			}
		}, "it had none"},
	})
}

func TestTTLMissesWhatIsLeftOut(t *testing.T) {
	tellsApart(t, "ttl", leavesOut, []bend{
		{"a write shows no ttl", func(s *story) { last(s, Write, "/a/t").TTLLeft = 0 }, "(0: none)"},
		{"a refresh shows no ttl", func(s *story) { last(s, Refresh, "/o/d/x").TTLLeft = 0 }, "(0: none)"},
		{"a refresh shows less than it was given", func(s *story) { last(s, Refresh, "/o/d/x").TTLLeft = 89 }, "shows a ttl of 89 s"},
		{"a read shows no ttl", func(s *story) { last(s, Read, "/o/d/x").TTLLeft = 0 }, "are left at least"},
		{"a read shows too little", func(s *story) { last(s, Read, "/o/d/x").TTLLeft = 80 }, "are left at least"},
		{"a listing shows no ttl", func(s *story) {
			o := last(s, List, "/o")
			for i := range o.Nodes {
				o.Nodes[i].TTLLeft = 0
			}
		}, "are left at least"},
	})
	s := newStory(t) // what may have passed by then need not be shown
	s.do(Operation{Op: Write, Key: "/t", Arg: "x", TTL: 1})
	s.now += 500 * ms
	s.r.History[s.do(Operation{Op: Read, Key: "/t"})].TTLLeft = 0
	require.Empty(t, findings(t, s.end(), "ttl"))
}

// Only the stalls of clocks within its life let a key live on.
func TestTTLGrantsStalls(t *testing.T) {
	late := func(stalls func(set int64) []Stall) []Finding {
		s := newStory(t)
		set := s.now
		s.do(Operation{Op: Write, Key: "/t/c", Arg: "v", TTL: 1})
		for range 12 {
			s.now += 500 * ms
			s.entry()
		}
		s.pass(time.Second)
		s.r.Stalls = stalls(set)
		return findings(t, s.end(), "ttl")
	}
	sec := 1000 * ms
	require.Empty(t, late(func(set int64) []Stall { return []Stall{{set + sec/2, set + 5*sec}} }))
	require.Empty(t, late(func(set int64) []Stall { return []Stall{{set - 3*sec, set + sec/2}, {set + sec, set + 2*sec}} }), "two that touch it")
	for name, stalls := range map[string]func(set int64) []Stall{
		"none":        func(int64) []Stall { return nil },
		"before":      func(set int64) []Stall { return []Stall{{set - 6*sec, set}} },
		"after":       func(set int64) []Stall { return []Stall{{set + 10*sec, set + 20*sec}} },
		"not so long": func(set int64) []Stall { return []Stall{{set + sec, set + 2*sec}} },
	} {
		found := late(stalls)
		require.NotEmpty(t, found, name)
		require.Contains(t, found[0].Detail, "expired late", name)
	}
}

func TestWatchMissesWhatIsLeftOut(t *testing.T) {
	tellsApart(t, "watch", watches1, []bend{
		{"an event has no createdIndex", func(s *story) { watchAt(s, 0).Events[0].CreatedIndex = 0 }, "the log has"},
		{"an event has no prevNode", func(s *story) { watchAt(s, 5).Events[0].PrevIndex = 0 }, "the log has"},
		{"the prevNode of an event has no value", func(s *story) {
			for i := range watchAt(s, 6).Events {
				watchAt(s, 6).Events[i].PrevValue = ""
			}
		}, "the log has"},
	})
}

// What answers say of the node before them is searched for, too.
func TestLinearizableReadsPrevNodes(t *testing.T) {
	good := func(s *story) {
		s.do(Operation{Op: Write, Key: "/r", Arg: "a"})
		s.do(Operation{Op: Write, Key: "/r", Arg: "b"})
		s.do(Operation{Op: Update, Key: "/r", Arg: "c"})
		s.do(Operation{Op: Write, Key: "/d/x", Arg: "d"})
		s.do(Operation{Op: Write, Key: "/d/x", Arg: "e"})
		s.do(Operation{Op: RemoveAll, Key: "/d"})
	}
	tellsApart(t, "linearizable", good, []bend{
		{"a write replaced another value", func(s *story) { s.r.History[1].Result = "z" }, "on /r"},
		{"an update replaced another value", func(s *story) { s.r.History[2].Result = "a" }, "on /r"},
		{"a first write replaced something", func(s *story) { s.r.History[0].Result = "z" }, "on /r"},
		{"below a directory that is removed", func(s *story) { s.r.History[4].Result = "z" }, "on the whole tree"},
		{"another index", func(s *story) { s.r.History[1].PrevModified++ }, "on the whole tree"},
		{"an index of nothing", func(s *story) { s.r.History[3].PrevModified = 1 }, "on the whole tree"},
	})
}

// Who looks last and is shown no index was not shown the confirmed write.
func TestDurableMissesAnIndex(t *testing.T) {
	tellsApart(t, "durable", confirmed, []bend{
		{"a read has no modifiedIndex", func(s *story) { s.r.History[4].ModifiedIndex = 0 }, "still shows index 0"},
	})
}
