package jepsen

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What clients saw of POSTs, locks, local reads and confirmed writes.

func posts(s *story) {
	for i := range 3 {
		s.do(Operation{Op: InOrder, Key: "/q", Arg: fmt.Sprint("v", i)})
	}
	s.do(Operation{Op: List, Key: "/q"})
}

func TestInOrderTellsApart(t *testing.T) {
	tellsApart(t, "in-order", posts, []bend{
		{"a name is given twice", func(s *story) { s.r.History[1].Node = s.r.History[0].Node }, "was given to two"},
		{"a name is not the index", func(s *story) { s.r.History[1].Node = "/q/7" }, "its name must be"},
		{"a later post gets an earlier name", func(s *story) {
			h := s.r.History
			h[0].Node, h[1].Node, h[0].ModifiedIndex, h[1].ModifiedIndex = h[1].Node, h[0].Node, h[1].ModifiedIndex, h[0].ModifiedIndex
		}, "does not come after"},
		{"a value is there twice", func(s *story) { s.r.History[3].Nodes[1].Value = "v0" }, `"v0" twice`},
	})
}

func locking(s *story) {
	for i := range 2 {
		j := s.do(Operation{Op: Create, Key: "/lock", Arg: fmt.Sprint("owner", i)})
		token := s.r.History[j].ModifiedIndex
		j = s.do(Operation{Op: CAS, Key: "/lock", PrevIndex: token, Arg: fmt.Sprint("work", i)})
		s.do(Operation{Op: CAD, Key: "/lock", PrevIndex: s.r.History[j].ModifiedIndex})
	}
}

func TestLockTellsApart(t *testing.T) {
	tellsApart(t, "lock", locking, []bend{
		{"two hold it at once", func(s *story) {
			eachEvent(s, action(actionCAD), func(e *Event) { e.Action = actionUpdate })
		}, "nothing took the key away"},
		{"a token is lower than an earlier one", func(s *story) {
			s.r.History[0].ModifiedIndex += 20
		}, "no higher"},
		{"a fenced write goes through too late", func(s *story) {
			o := &s.r.History[4]
			o.PrevIndex = s.r.History[0].ModifiedIndex
		}, "came between"},
	})
}

func localReads(s *story) {
	for i := range 3 {
		s.do(Operation{Op: Write, Key: "/r", Arg: fmt.Sprint("v", i)})
		s.do(Operation{Op: LocalRead, Key: "/r", Member: at2})
	}
	s.restart("n2")
	s.do(Operation{Op: LocalRead, Key: "/r", Member: at2})
	s.do(Operation{Op: Create, Key: "/r", Arg: "no", Member: at2})
	s.do(Operation{Op: Write, Key: "/r", Arg: "v3", Member: at2})
	s.do(Operation{Op: LocalRead, Key: "/r", Member: at2})
	s.poll(Operation{Key: "/r", Member: at2}, func() { s.do(Operation{Op: Write, Key: "/r", Arg: "v4"}) })
	o := &s.r.History[len(s.r.History)-1]
	o.Events = append(o.Events, s.last[0])
	s.do(Operation{Op: LocalRead, Key: "/r", Member: at2})
}

func TestLocalReadsTellsApart(t *testing.T) {
	tellsApart(t, "local-reads", localReads, []bend{
		{"a read goes back", func(s *story) { s.r.History[3].EtcdIndex = s.r.History[1].EtcdIndex - 1 }, "went back"},
		{"a read goes back over a restart", func(s *story) { s.r.History[6].EtcdIndex = s.r.History[3].EtcdIndex }, "went back"},
		{"a read lags behind a write through the same member", func(s *story) { s.r.History[9].EtcdIndex-- }, "p1's write of /r"},
		{"a read lags behind a refusal by the same member", func(s *story) { s.r.History[7].EtcdIndex += 2 }, "p1's create of /r"},
		{"a read lags behind an event that the same member told", func(s *story) { s.r.History[12].EtcdIndex-- }, "'s watch of /r"},
		{"a watch begins in the past", func(s *story) { s.r.History[11].EtcdIndex-- }, "'s watch of /r through n2 from"},
	})
	s := newStory(t)
	localReads(s)
	s.r.History[3].EtcdIndex, s.r.History[3].Member = s.r.History[1].EtcdIndex, at3
	require.Empty(t, findings(t, s.end(), "local-reads"), "another member may lag behind")
}

func confirmed(s *story) {
	s.do(Operation{Op: Write, Key: "/d/a", Arg: "x"})
	s.do(Operation{Op: Write, Key: "/d/b", Arg: "y"})
	s.do(Operation{Op: Delete, Key: "/d/b"})
	s.do(Operation{Op: List, Key: "/d"})
	s.do(Operation{Op: Read, Key: "/d/a"})
}

func TestDurableTellsApart(t *testing.T) {
	tellsApart(t, "durable", confirmed, []bend{
		{"a write is in no log", func(s *story) {
			eachEvent(s, func(e *Event) bool { return e.Value == "x" }, func(e *Event) { e.Value = "z" })
		}, "no member ever applied"},
		{"a write is not found at the end", func(s *story) {
			o := &s.r.History[4]
			o.Missing, o.Result, o.ModifiedIndex = true, "", 0
		}, "does not find it"},
		{"a listing at the end lacks a write", func(s *story) {
			s.r.History = s.r.History[:4]
			s.r.History[3].Nodes = nil
		}, "does not find it"},
		{"an older write is found at the end", func(s *story) { s.r.History[4].ModifiedIndex = 1 }, "still shows index 1"},
	})
}

func registers(s *story) {
	s.do(Operation{Op: Create, Key: "/r", Arg: "a"})
	s.do(Operation{Op: CAS, Key: "/r", Prev: "a", Arg: "b"})
	s.lose(s.do(Operation{Op: Update, Key: "/r", Arg: "c"}))
	s.do(Operation{Op: Read, Key: "/r"})
	s.do(Operation{Op: Create, Key: "/r", Arg: "d"})
	s.do(Operation{Op: CAD, Key: "/r", PrevIndex: uint64(s.k.Index())})
	s.do(Operation{Op: CAD, Key: "/r", Prev: "x"})
	s.do(Operation{Op: InOrder, Key: "/q", Arg: "e"})
	s.do(Operation{Op: List, Key: "/"})
}

func TestLinearizableTellsApart(t *testing.T) {
	tellsApart(t, "linearizable", registers, []bend{
		{"a create finds nothing there", func(s *story) {
			o := &s.r.History[4]
			*o = Operation{Process: 1, Call: o.Call, Return: o.Return, Op: Create, Key: "/r", Arg: "d", Outcome: OK, ModifiedIndex: 7}
		}, "no order of the operations on /r"},
		{"an unknown update is lost", func(s *story) { s.r.History[3].Result, s.r.History[3].ModifiedIndex = "b", 0 }, "no order of the operations on /r"},
		{"a listing lacks a key", func(s *story) { s.r.History[8].Nodes = nil }, "on the whole tree"},
		{"a compare met what it expected", func(s *story) {
			s.r.History[1].Outcome, s.r.History[1].ErrorCode = Fail, 101
		}, "no order"},
	})
}

// Of a register's histories whose answers are lost the log knows the end.
func TestLinearizableResolvesUnknown(t *testing.T) {
	s := newStory(t)
	for i := range 60 {
		s.do(Operation{Op: Write, Key: "/r", Arg: fmt.Sprint("v", i)})
		if i%2 == 0 {
			s.lose(len(s.r.History) - 1)
		}
		s.lose(s.do(Operation{Op: Delete, Key: "/r"}))
		s.r.History = append(s.r.History, Operation{Process: 1000 + i, Call: 5, Return: 6, Op: CAS, Key: "/r", Prev: "never", Arg: fmt.Sprint("w", i), Outcome: Unknown})
		s.do(Operation{Op: Read, Key: "/r"})
	}
	res := checkLinearizable(s.end(), Limits{})
	require.Equal(t, Legal, res.Verdict, res.Findings)
	require.Equal(t, 180, res.Operations)
}

// A search that does not end is neither ok nor illegal, and what is too long
// is not counted.
func TestLinearizableTimeoutAndLimits(t *testing.T) {
	var h History
	for p := range 40 {
		h = append(h, Operation{Process: p, Return: 100, Op: Write, Key: "/k", Arg: fmt.Sprint(p), Outcome: OK})
	}
	h = append(h, Operation{Process: 99, Call: 200, Return: 210, Op: Read, Key: "/k", Result: "none", Outcome: OK})
	res := checkLinearizable(&Run{History: h}, Limits{PerKey: 20 * time.Millisecond})
	require.Equal(t, Timeout, res.Verdict)
	require.NotEmpty(t, res.Findings)
	res = checkLinearizable(&Run{History: h}, Limits{KeyOperations: 40, TreeOperations: 1})
	require.Equal(t, Legal, res.Verdict)
	require.Zero(t, res.Operations)
}
