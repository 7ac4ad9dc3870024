package jepsen

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	at1 = "http://10.0.0.1:2379"
	at2 = "http://10.0.0.2:2379"
)

// everything tells of each kind of request, carried out and refused.
func everything(s *story) {
	s.do(Operation{Op: Write, Key: "/a/k", Arg: "p1-1"})
	s.do(Operation{Op: Read, Key: "/a/k"})
	s.do(Operation{Op: Create, Key: "/a/k", Arg: "p1-2"}) // 105
	s.do(Operation{Op: Create, Key: "/a/_hidden/x", Arg: "p1-3"})
	s.do(Operation{Op: Update, Key: "/a/k", Arg: "p1-4"})
	s.do(Operation{Op: Update, Key: "/a/none", Arg: "p1-5"}) // 100
	s.do(Operation{Op: CAS, Key: "/a/k", Prev: "p1-4", Arg: "p1-6"})
	s.do(Operation{Op: CAS, Key: "/a/k", Prev: "p1-4", Arg: "p1-7"}) // 101
	s.do(Operation{Op: Write, Key: "/a", Arg: "p1-8"})               // 102
	s.do(Operation{Op: Write, Key: "/a/k/below", Arg: "p1-9"})       // 104
	s.do(Operation{Op: Read, Key: "/a/k/below"})                     // 104
	s.do(Operation{Op: Delete, Key: "/", Arg: ""})                   // 107
	s.do(Operation{Op: MakeDir, Key: "/d"})
	s.do(Operation{Op: RemoveDir, Key: "/a"}) // 108
	s.do(Operation{Op: RemoveDir, Key: "/d"})
	s.do(Operation{Op: InOrder, Key: "/q", Arg: "p1-10"})
	s.do(Operation{Op: InOrder, Key: "/q", Arg: "p1-11"})
	s.do(Operation{Op: List, Key: "/q"})
	s.do(Operation{Op: List, Key: "/"})
	s.do(Operation{Op: List, Key: "/none"})
	s.do(Operation{Op: LocalList, Key: "/a"})
	s.do(Operation{Op: LocalRead, Key: "/a/k", Member: at1})
	s.lose(s.do(Operation{Op: Write, Key: "/a/k", Arg: "p1-12"}))
	s.lose(s.do(Operation{Op: Delete, Key: "/a/k"}))
	s.do(Operation{Op: Read, Key: "/a/k"})
	s.r.History = append(s.r.History, Operation{Process: 9, Call: s.now, Return: s.now + 1, Op: Write, Key: "/a/k", Arg: "p9-1", Outcome: Unknown})
	s.do(Operation{Op: Write, Key: "/a/t", Arg: "p1-13", TTL: 2})
	s.do(Operation{Op: Refresh, Key: "/a/t", TTL: 3})
	s.pass(4 * time.Second)
	s.do(Operation{Op: Read, Key: "/a/t"})
	s.do(Operation{Op: Write, Key: "/a/k", Arg: "p1-14"})
	s.do(Operation{Op: CAD, Key: "/a/k", Prev: "p1-14"})
	s.do(Operation{Op: RemoveAll, Key: "/a"})
	s.do(Operation{Op: Read, Key: "/a/_hidden/x"})
}

// find gives the first operation of a kind with an outcome.
func find(s *story, k Kind, outcome Outcome) *Operation {
	for i := range s.r.History {
		if o := &s.r.History[i]; o.Op == k && o.Outcome == outcome {
			return o
		}
	}
	s.t.Fatalf("no %s that is %s", k, outcome)
	return nil
}

// eachEvent changes an event of the log alike on all members.
func eachEvent(s *story, match func(e *Event) bool, change func(e *Event)) {
	n := 0
	for i := range s.r.Commits {
		for j := range s.r.Commits[i].Events {
			if e := &s.r.Commits[i].Events[j]; match(e) {
				change(e)
				n++
			}
		}
	}
	require.NotZero(s.t, n, "no event matches")
}

func action(name string) func(*Event) bool { return func(e *Event) bool { return e.Action == name } }

func TestOrderTellsApart(t *testing.T) {
	tellsApart(t, "order", everything, []bend{
		{"a member has another event", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.r.Commits[len(s.r.Commits)-1].Events[0].Key = "/elsewhere"
		}, "members disagree"},
		{"an acknowledged write was never applied", func(s *story) {
			i := s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.r.Commits = s.r.Commits[:len(s.r.Commits)-3]
			s.r.History[i].Return++
		}, "no member ever applied"},
		{"the answer names another event", func(s *story) { find(s, CAS, OK).ModifiedIndex = 1 }, "its action is"},
		{"the answer shows another key", func(s *story) { find(s, InOrder, OK).Node = "/q/1" }, "the answer says key /q/1"},
		{"two are given one index", func(s *story) {
			s.r.History = append(s.r.History, *find(s, CAD, OK))
		}, "and so was"},
		{"an event without a cause", func(s *story) {
			find(s, Write, OK).Arg = "something else"
		}, "its value is"},
		{"a client's operation is not known", func(s *story) {
			*find(s, Create, OK) = *find(s, Read, OK)
		}, "has no cause"},
		{"a refused write took effect", func(s *story) {
			*find(s, Update, OK) = Operation{Process: 1, Op: Update, Key: "/a/k", Arg: "p1-4", Outcome: Fail, ErrorCode: 100, EtcdIndex: 4}
		}, "was refused for certain"},
		{"a write is applied twice", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.r.History = s.r.History[:len(s.r.History)-1]
		}, "applied twice"},
		{"an unknown write is applied twice", func(s *story) {
			s.lose(s.do(Operation{Op: Write, Key: "/w", Arg: "x"}))
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.r.History = s.r.History[:len(s.r.History)-1]
		}, "applied twice"},
		{"an unknown delete happens twice", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.lose(s.do(Operation{Op: Delete, Key: "/w"}))
			s.do(Operation{Op: Write, Key: "/w", Arg: "y"})
			s.do(Operation{Op: Delete, Key: "/w"})
			s.r.History = s.r.History[:len(s.r.History)-1]
		}, "has no cause"},
		{"an unknown write happens before its call", func(s *story) {
			o := s.lose(s.do(Operation{Op: Write, Key: "/w", Arg: "x"}))
			o.Call, o.Return = s.now, s.now+1
		}, "before"},
		{"a confirmed write happens before its call", func(s *story) {
			o := &s.r.History[s.do(Operation{Op: Write, Key: "/w", Arg: "x"})]
			o.Call, o.Return = s.now, s.now+1
		}, "before it was called"},
		{"a write is confirmed before anybody applied it", func(s *story) {
			o := &s.r.History[s.do(Operation{Op: Write, Key: "/w", Arg: "x"})]
			o.Return = o.Call + 1
		}, "nobody had applied by then"},
		{"a compare with a value and an index was told of one only", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.r.History[s.do(Operation{Op: CAS, Key: "/w", Prev: "y", PrevIndex: 1, Arg: "z"})].PrevModified = 0
		}, "is said to have met"},
		{"a value alone was compared", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			o := &s.r.History[s.do(Operation{Op: CAS, Key: "/w", Prev: "x", Arg: "z"})]
			o.PrevIndex = 1
		}, "it replaces index"},
		{"a swap of what was not there", func(s *story) {
			eachEvent(s, action(actionCAS), func(e *Event) { e.PrevValue = "p1-1" })
			find(s, CAS, OK).Prev, find(s, CAS, OK).Result = "p1-1", "p1-1"
		}, "cannot follow"},
		{"a create over what was there", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			o := &s.r.History[s.do(Operation{Op: Write, Key: "/w", Arg: "y"})]
			eachEvent(s, func(e *Event) bool { return e.Value == "y" }, func(e *Event) { e.Action = actionCreate })
			o.Op, o.Action = Create, actionCreate
		}, "it creates what existed"},
		{"expiry of what had no ttl", func(s *story) {
			eachEvent(s, func(e *Event) bool { return e.Key == "/a/t" && e.Action != actionExpire }, func(e *Event) { e.Deadline = 0 })
		}, "no time to live"},
		{"expiry before the deadline", func(s *story) {
			eachEvent(s, func(e *Event) bool { return e.Key == "/a/t" && e.Action != actionExpire }, func(e *Event) { e.Deadline *= 2 })
		}, "deadline was cluster time"},
		{"a read is stale", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			i := s.do(Operation{Op: Read, Key: "/w"})
			s.do(Operation{Op: Write, Key: "/w", Arg: "y"})
			o := s.r.History[i]
			o.Call, o.Return = s.now, s.now+5
			s.r.History = append(s.r.History, o)
		}, "had shown index"},
		{"a ttl that is shown stands still", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x", TTL: 4})
			s.pass(2 * time.Second)
			s.r.History[s.do(Operation{Op: LocalRead, Key: "/w"})].TTLLeft = 4
		}, "it had 2 s left"},
		{"the ttl of a directory is shown too short", func(s *story) {
			s.do(Operation{Op: MakeDir, Key: "/w", TTL: 4})
			o := &s.r.History[s.do(Operation{Op: List, Key: "/"})]
			o.Nodes[len(o.Nodes)-1].TTLLeft = 3
		}, "shows a ttl of 3 s (0: none) for /w"},
		{"a change names another entry", func(s *story) { find(s, Write, OK).RaftIndex++ }, "the answer's X-Raft-Index is"},
		{"a change names another term", func(s *story) { find(s, Write, OK).RaftTerm = 0 }, "the answer's X-Raft-Term is 0"},
		{"a read names an entry of another state", func(s *story) { find(s, Read, OK).RaftIndex-- }, "the store was at another index there"},
		{"a listing names no entry", func(s *story) { find(s, LocalList, OK).RaftIndex = 0 }, "X-Raft-Index 0 (0: none)"},
		{"a read shows what its index has not", func(s *story) { find(s, Read, OK).Result = "p1-4" }, "the key held"},
		{"a read finds what is gone", func(s *story) {
			o := &s.r.History[s.do(Operation{Op: Read, Key: "/a/k"})]
			o.Missing, o.ErrorCode, o.Result = false, 0, "p1-14"
		}, "was answered with success"},
		{"a read misses what is there", func(s *story) {
			o := find(s, Read, OK)
			o.Missing, o.Result, o.ModifiedIndex = true, "", 0
		}, "asks for success"},
		{"a local read shows what its index has not", func(s *story) { find(s, LocalRead, OK).Result = "p1-1" }, "the key held"},
		{"a local read is from the future", func(s *story) {
			s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			i := s.do(Operation{Op: LocalRead, Key: "/w"})
			s.r.History[i].Call, s.r.History[i].Return = 200*ms, 201*ms
		}, "nobody had applied by then"},
		{"a listing leaves something out", func(s *story) {
			o := find(s, List, OK)
			o.Nodes = o.Nodes[1:]
		}, "leaves out /q/"},
		{"a listing shows what is hidden", func(s *story) {
			o := find(s, LocalList, OK)
			o.Nodes = append(o.Nodes, Node{Key: "/a/_hidden", Dir: true, ModifiedIndex: 4, CreatedIndex: 4})
		}, "not to be seen"},
		{"a listing shows an old value", func(s *story) { find(s, List, OK).Nodes[0].Value = "old" }, "it held"},
		{"a listing shows something twice", func(s *story) {
			o := find(s, List, OK)
			o.Nodes[1] = o.Nodes[0]
		}, "twice"},
		{"a refusal that the state does not ask for", func(s *story) { find(s, Create, Fail).EtcdIndex = 2 }, "asks for success"},
		{"a compare that met something else", func(s *story) { find(s, CAS, Fail).Result = "p1-1" }, "is said to have met"},
		{"a refusal of another kind", func(s *story) { find(s, RemoveDir, Fail).ErrorCode = 100 }, "directory not empty"},
		{"an answer at an index that nobody reached", func(s *story) { find(s, Read, OK).EtcdIndex = 1000 }, "no member ever got there"},
		{"an in-order key with a wrong name", func(s *story) {
			o := find(s, InOrder, OK)
			eachEvent(s, func(e *Event) bool { return e.Index == o.ModifiedIndex }, func(e *Event) { e.Key = "/q/1" })
			o.Node = "/q/1"
		}, "the name must be"},
		{"an index that nobody saw", func(s *story) {
			last := s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
			s.do(Operation{Op: Write, Key: "/w", Arg: "y"})
			s.r.History = append(s.r.History[:last], s.r.History[last+1:]...)
			n := len(s.r.Commits)
			s.r.Commits = append(s.r.Commits[:n-6], s.r.Commits[n-3:]...)
		}, "was never seen"},
	})
}

// Where the clients were cut off, an event without a cause is no finding.
func TestOrderOfACutOffHistory(t *testing.T) {
	s := newStory(t)
	s.do(Operation{Op: Write, Key: "/w", Arg: "x"})
	s.do(Operation{Op: Write, Key: "/w", Arg: "y"})
	s.r.History, s.r.Whole = s.r.History[:1], false
	requireGood(t, s.end())
}

// An empty run passes: whoever asks judges that.
func TestEmptyRunPasses(t *testing.T) {
	requireGood(t, &Run{})
}

// drawStory tells a random good run: requests of all kinds on few keys, with
// times around the moment of their effect, many at once, some answers lost.
func drawStory(t *rapid.T, tt testing.TB, n int) *story {
	s := newStory(tt)
	keys := []string{"/a", "/a/b", "/a/b/c", "/a/_h", "/a/_h/x", "/d", "/q", "/"}
	kinds := []Kind{
		Write, Write, Write, Create, Update, CAS, CAS, Refresh, Delete, CAD, InOrder, MakeDir, RemoveDir, RemoveAll,
		Read, Read, List, LocalRead, LocalList, Watch,
	}
	values := []string{"none"}
	free := map[int]int64{}
	for i := range n {
		s.now += int64(rapid.IntRange(10, 60).Draw(t, "gap")) * ms
		if rapid.IntRange(0, 5).Draw(t, "tick") == 0 {
			s.pass(500 * time.Millisecond)
		}
		o := Operation{Op: rapid.SampledFrom(kinds).Draw(t, "kind"), Key: rapid.SampledFrom(keys).Draw(t, "key"), Member: at1}
		switch o.Op {
		case Write, Create, Update, CAS, InOrder:
			o.Arg = fmt.Sprintf("p-%d", i)
			values = append(values, o.Arg)
		}
		if o.Op == CAS || o.Op == CAD {
			o.Prev = values[max(0, len(values)-1-rapid.IntRange(0, 4).Draw(t, "back"))]
			switch rapid.IntRange(0, 3).Draw(t, "by") {
			case 0:
				o.PrevIndex = uint64(s.k.Index())
			case 1:
				o.Prev, o.PrevIndex = "", uint64(s.k.Index())
			}
		}
		if o.Op == Refresh || !o.Op.Reads() && rapid.IntRange(0, 3).Draw(t, "ttl") == 0 {
			o.TTL = int64(rapid.IntRange(1, 3).Draw(t, "seconds"))
		}
		o.Call = max(0, s.now-int64(rapid.IntRange(1, 200).Draw(t, "before"))*ms)
		for o.Process = 1; free[o.Process] > o.Call; o.Process++ {
		}
		after := s.now + int64(rapid.IntRange(1, 200).Draw(t, "after"))*ms
		switch {
		case o.Op == Watch:
			o.Outcome, o.EtcdIndex, o.Recursive = OK, uint64(s.k.Index()), true
			after = s.now + ms
		case o.Op.Reads():
			s.look(&o)
		default:
			s.effect(&o)
		}
		o.Return = after
		free[o.Process] = after + 1
		if !o.Op.Reads() && rapid.IntRange(0, 4).Draw(t, "lost") == 0 {
			forget(&o)
		}
		s.r.History = append(s.r.History, o)
	}
	return s
}

// No run that the kernel can produce is refused by any checker.
func TestCheckersAcceptWhatTheKernelDoes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStory(rt, t, rapid.IntRange(1, 60).Draw(rt, "n"))
		requireGood(rt, s.end())
	})
}

// A read that shows any other state than its index's does not get through.
func TestOrderNoticesAnyShiftedRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newStory(t)
		n := rapid.IntRange(2, 30).Draw(rt, "n")
		for i := range n {
			s.do(Operation{Op: Write, Key: "/r", Arg: fmt.Sprint("v", i)})
			s.do(Operation{Op: Read, Key: "/r"})
		}
		i, j := rapid.IntRange(0, n-1).Draw(rt, "i"), rapid.IntRange(0, n-1).Draw(rt, "j")
		if i == j {
			return
		}
		a, b := &s.r.History[2*i+1], &s.r.History[2*j+1]
		a.Result, a.ModifiedIndex, a.CreatedIndex, a.EtcdIndex = b.Result, b.ModifiedIndex, b.CreatedIndex, b.EtcdIndex
		require.NotEmpty(rt, findings(t, s.end(), "order"))
	})
}
