package jepsen

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const at3 = "http://10.0.0.3:2379"

// served tells of a run that is calm from its first second on, and of the time
// in which members must serve: first in trouble and excused, then in order.
func served(s *story) {
	everything(s)
	s.r.CalmAt = 1000 * ms
	s.pass(time.Second)
	for range 4 { // still settling
		s.fail(Operation{Op: Write, Key: "/s", Arg: "early"}, time.Second, 300)
	}
	s.pass(10 * time.Second)
	require.Greater(s.t, s.now, s.r.CalmAt+int64(settle))
	// A connection that died long ago, and a late answer; then all is well.
	s.fail(Operation{Op: Read, Key: "/s"}, 0, 0)
	s.fail(Operation{Op: Read, Key: "/s"}, time.Second, 0)
	s.do(Operation{Op: Read, Key: "/s"})
	// An impatient client, and one that asks here and there.
	for range 6 {
		s.fail(Operation{Op: Read, Key: "/s"}, 100*time.Millisecond, 0)
	}
	s.do(Operation{Op: Read, Key: "/s"})
	for range 3 {
		s.fail(Operation{Op: Read, Key: "/s", Member: at2}, 400*time.Millisecond, 300)
		s.fail(Operation{Op: Read, Key: "/s", Member: at3}, 400*time.Millisecond, 300)
		s.do(Operation{Op: Read, Key: "/s", Member: at2})
		s.do(Operation{Op: Read, Key: "/s", Member: at3})
	}
	// A fail-over, though nobody knows why.
	for range 4 {
		s.fail(Operation{Op: Write, Key: "/s", Arg: "over"}, 900*time.Millisecond, 300)
	}
	s.elect("n2", 3)
	s.do(Operation{Op: Write, Key: "/s", Arg: "after"})
	s.pass(10 * time.Second)
	s.poll(Operation{Key: "/s"}, func() { s.now += 3000 * ms })
	// Failures between which nobody asked for long.
	for range 4 {
		s.fail(Operation{Op: Read, Key: "/s", Member: at2}, 400*time.Millisecond, 300)
		s.pass(2100 * time.Millisecond)
	}
	// The same, to one thing and then to another.
	for range 3 {
		s.fail(Operation{Op: List, Key: "/s", Member: at2}, 400*time.Millisecond, 300)
		s.fail(Operation{Op: LocalRead, Key: "/s", Member: at2}, 400*time.Millisecond, 300)
		s.pass(2100 * time.Millisecond)
		s.fail(Operation{Op: LocalRead, Key: "/s", Member: at2}, 400*time.Millisecond, 300)
		s.do(Operation{Op: LocalRead, Key: "/s", Member: at2})
	}
	// Nor does who is answered to one thing learn about another.
	for range 4 {
		s.fail(Operation{Op: Write, Key: "/s", Arg: "slow"}, 400*time.Millisecond, 300)
		for range 10 {
			s.do(Operation{Op: LocalRead, Key: "/s"})
			s.now += 200 * ms
		}
	}
	s.do(Operation{Op: Write, Key: "/s", Arg: "swift"})
	// A watch on a connection that died long ago, and two far apart.
	s.fail(Operation{Op: Watch, Key: "/s"}, 3*time.Second, 0)
	s.poll(Operation{Process: 1, Key: "/s"}, func() { s.now += 3000 * ms })
	s.fail(Operation{Op: Watch, Key: "/s"}, 3*time.Second, 0)
	s.pass(2100 * time.Millisecond)
	s.fail(Operation{Op: Stream, Key: "/s"}, 3*time.Second, 0)
	s.pass(10 * time.Second)
	// Whoever was destroyed need not answer.
	s.r.Absent = map[string]bool{"n3": true}
	for range 10 {
		s.fail(Operation{Op: List, Key: "/", Member: at3}, time.Second, 0)
	}
	s.fail(Operation{Op: Watch, Key: "/", Member: at3}, 3*time.Second, 0)
}

// fail adds an operation that got no answer, or that of a member in trouble.
func (s *story) fail(o Operation, took time.Duration, code int) *Operation {
	if o.Process == 0 {
		o.Process = 1
	}
	if o.Member == "" {
		o.Member = at1
	}
	o.Outcome, o.Call, o.ErrorCode, o.Error = Unknown, s.now, code, "no answer"
	if o.Op.Reads() {
		o.Outcome = Fail
	}
	s.now += int64(took)
	o.Return = s.now
	s.now += 10 * ms
	s.r.History = append(s.r.History, o)
	return &s.r.History[len(s.r.History)-1]
}

func TestServiceTellsApart(t *testing.T) {
	row := func(o Operation, n int, took time.Duration) func(*story) {
		return func(s *story) {
			for range n {
				s.fail(o, took, 300)
				s.do(Operation{Op: Read, Key: "/a/k", Process: 2}) // others are served
			}
		}
	}
	headlessOf := func(kinds ...Kind) func(*story) {
		return func(s *story) {
			for _, k := range kinds {
				s.fail(Operation{Op: k, Key: "/s"}, 3*time.Second, 0)
			}
		}
	}
	tellsApart(t, "service", served, []bend{
		{"a member that does not take writes", row(Operation{Op: Write, Key: "/s", Arg: "x"}, 4, 600*time.Millisecond), "3 requests in a row for its changes"},
		{"a member that does not read", row(Operation{Op: List, Key: "/s", Member: at2}, 3, 700*time.Millisecond), "for its quorum reads from n2"},
		{"a member that never shows its own view", row(Operation{Op: LocalRead, Key: "/s", Member: at2}, 3, 700*time.Millisecond), "reads of its own view from n2"},
		{"a member that is never ready for watches", row(Operation{Op: Watch, Key: "/s", Member: at2}, 20, 100*time.Millisecond), "for watches from n2"},
		{"long impatience", row(Operation{Op: Read, Key: "/s"}, 20, 100*time.Millisecond), "in a row"},
		{"elections without end", func(s *story) {
			for range 8 {
				s.fail(Operation{Op: Read, Key: "/s", Member: at2}, 700*time.Millisecond, 300)
				s.role("n2", "candidate", 3)
			}
		}, "may last for 5s at most"},
		{"pauses that are not long", func(s *story) {
			for range 4 {
				s.fail(Operation{Op: Read, Key: "/s"}, 400*time.Millisecond, 300)
				s.now += 1900 * ms
			}
		}, "to 3 requests in a row for its quorum reads"},
		{"a member that is silent to one thing after another", func(s *story) {
			for range 3 { // much goes by from one to the next of its kind
				s.fail(Operation{Op: Write, Key: "/s", Arg: "x"}, 1200*time.Millisecond, 0)
				s.fail(Operation{Op: Read, Key: "/s"}, 1200*time.Millisecond, 0)
				s.fail(Operation{Op: LocalRead, Key: "/s"}, 1200*time.Millisecond, 0)
			}
		}, "to 3 requests in a row for its changes"},
		{"silence goes on after a pause", func(s *story) {
			write := row(Operation{Op: Write, Key: "/s", Arg: "x"}, 2, time.Second)
			write(s)
			s.pass(3 * time.Second)
			write(s)
			write(s)
		}, "to 3 requests in a row for its changes"},
		{"watches without a head", headlessOf(Watch, Watch), "to 2 requests in a row for watches"},
		{"streams without a head", headlessOf(Stream, Stream), "told at once"},
		{"a watch and a stream without a head", headlessOf(Watch, Stream), "told at once"},
		{"a watch without a head, one broken off, one without a head", func(s *story) {
			s.fail(Operation{Op: Watch, Key: "/s"}, 2*time.Second, 0)
			s.fail(Operation{Op: Watch, Key: "/s"}, 0, 0)
			s.fail(Operation{Op: Watch, Key: "/s"}, 2*time.Second, 0)
		}, "told at once"},
		{"polls without X-Etcd-Index", func(s *story) {
			for range 2 {
				s.fail(Operation{Op: Watch, Key: "/s"}, 3*time.Second, 0).Outcome = OK
			}
		}, "told at once"},
		{"who was destroyed is asked for after all", func(s *story) { s.r.Absent = nil }, "from n3"},
	})
}

// What the documents do not give to a request no member may answer.
func TestAnswersTellsApart(t *testing.T) {
	refused := func(k Kind, code int) func(*story) {
		return func(s *story) {
			o := &s.r.History[0]
			*o = Operation{Process: 1, Call: o.Call, Return: o.Return, Op: k, Key: "/a/k", Outcome: Fail, ErrorCode: code, EtcdIndex: 3, Member: at1}
		}
	}
	tellsApart(t, "answers", served, []bend{
		{"a write finds nothing", refused(Write, 100), "code 100, which there is not"},
		{"a write compares", refused(Write, 101), "code 101, which there is not"},
		{"a write finds something", refused(Write, 105), "code 105, which there is not"},
		{"a write to the root", refused(Write, 107), "code 107, which there is not"},
		{"a create finds nothing", refused(Create, 100), "code 100, which there is not"},
		{"a post finds something", refused(InOrder, 105), "code 105, which there is not"},
		{"a delete finds a directory that is not empty", refused(Delete, 108), "code 108, which there is not"},
		{"a read of a directory", refused(Read, 102), "code 102, which there is not"},
		{"a read of cleared events", refused(Read, 401), "code 401, which there is not"},
		{"a refresh without a ttl", refused(Refresh, 212), "code 212, which there is not"},
		{"an invalid field", refused(CAS, 209), "code 209, which there is not"},
		{"a watch of what is missing", refused(Watch, 100), "code 100, which there is not"},
		{"a refusal with the status of a member in trouble", func(s *story) {
			refused(Write, 102)(s)
			s.r.History[0].Status = 500
		}, "status 500, which does not go with what was answered (code 102)"},
		{"nothing found, and too slow", func(s *story) {
			refused(Delete, 100)(s)
			s.r.History[0].Status = 408
		}, "status 408, which does not go with what was answered (code 100)"},
		{"an unknown change that was refused", func(s *story) {
			s.fail(Operation{Op: CAS, Key: "/s", Prev: "a", Arg: "b"}, 0, 101).Status = 503
		}, "status 503"},
		{"a read that sets", func(s *story) { find(s, Read, OK).Action = "set" }, `action "set"`},
		{"a local read that expires", func(s *story) { find(s, LocalRead, OK).Action = "expire" }, `action "expire"`},
		{"a listing with another word", func(s *story) { find(s, List, OK).Action = "list" }, `action "list"`},
		{"a local listing that creates", func(s *story) { find(s, LocalList, OK).Action = "create" }, `action "create"`},
		{"a listing that is not sorted", func(s *story) { find(s, List, OK).Unsorted = true }, "not sorted"},
		{"a status that does not fit", func(s *story) { find(s, Write, OK).Status = 201 }, "status 201"},
		{"no answer of the API", func(s *story) { s.fail(Operation{Op: Write, Key: "/s", Arg: "x"}, 0, 0).Status = 404 }, "status 404"},
	})
}

// What a member in trouble, or one that a request did not reach in time, may
// answer, and what a read is called.
func TestAnswersGrants(t *testing.T) {
	s := newStory(t)
	for _, a := range []struct{ status, code int }{{500, 0}, {503, 0}, {503, 300}, {500, 301}, {408, 0}, {0, 300}, {0, 301}} {
		s.fail(Operation{Op: Write, Key: "/s", Arg: "x"}, 0, a.code).Status = a.status
		s.fail(Operation{Op: Watch, Key: "/s"}, 0, a.code).Status = a.status
	}
	for _, k := range []Kind{Read, LocalRead, List, LocalList} {
		s.r.History[s.do(Operation{Op: k, Key: "/"})].Action = "get"
		s.do(Operation{Op: k, Key: "/"}) // its action was not noted
		s.do(Operation{Op: k, Key: "/nothing"})
	}
	s.do(Operation{Op: Write, Key: "/s", Arg: "y"})
	require.Empty(t, findings(t, s.end(), "answers"))
}

// The result counts what was held against the promise, and nothing else.
func TestServiceCountsWhatItJudged(t *testing.T) {
	count := func(bend func(*Run)) int {
		s := newStory(t)
		s.r.CalmAt = 1
		s.do(Operation{Op: Read, Key: "/s"}) // settling
		s.fail(Operation{Op: Read, Key: "/s"}, time.Second, 300)
		s.pass(12 * time.Second)
		s.do(Operation{Op: Write, Key: "/s", Arg: "x"})
		s.do(Operation{Op: Create, Key: "/s", Arg: "x"}) // refused
		s.fail(Operation{Op: Read, Key: "/s"}, time.Second, 300)
		s.do(Operation{Op: Read, Key: "/s", Member: at2})
		s.fail(Operation{Op: Read, Key: "/s", Member: at3}, time.Second, 0)
		s.do(Operation{Op: Read, Key: "/s"})
		bend(s.end())
		res := checkService(s.r, Limits{})
		require.Empty(t, res.Findings)
		return res.Operations
	}
	for _, c := range []struct {
		name string
		bend func(*Run)
		want int
	}{
		{"a whole run", func(*Run) {}, 6},
		{"a member was destroyed", func(r *Run) { r.Absent = map[string]bool{"n3": true} }, 5},
		{"broken off", func(r *Run) { r.Whole = false }, 5},
		{"calm at the very end", func(r *Run) { r.CalmAt = r.End }, 0},
		{"never calm", func(r *Run) { r.CalmAt = 0 }, 0},
	} {
		require.Equal(t, c.want, count(c.bend), c.name)
	}
}

// Who answers nothing for long after the calm is found whatever the clients are
// like: in a run of which the read-back is all that is left, too.
func TestServiceFindsLastingSilence(t *testing.T) {
	for _, c := range []struct {
		name string
		kind []Kind
		took time.Duration // the client's patience
		wait int64         // its pause
	}{
		{"read back", []Kind{List}, finalTimeout, int64(finalPause)},
		{"read back, refused at once", []Kind{List}, 0, int64(finalPause)},
		{"read back, the watch", []Kind{Watch}, finalWatch, int64(finalPause)},
		{"a slow client", []Kind{Write, LocalRead}, 3 * time.Second, 800 * ms},
		{"an impatient one", []Kind{Write, Read, LocalRead, Delete}, 100 * time.Millisecond, 800 * ms},
		{"a watcher", []Kind{LocalRead, Watch}, 3 * time.Second, 1500 * ms},
	} {
		s := newStory(t)
		s.r.CalmAt = 1
		s.pass(20 * time.Second)
		for i, begin := 0, s.now; s.now-begin < 4*int64(finalPatience); i++ {
			s.fail(Operation{Op: c.kind[i%len(c.kind)], Key: "/s", Arg: "x"}, c.took, 0)
			s.now += c.wait
			s.do(Operation{Op: Write, Key: "/s", Arg: "y", Process: 2, Member: at2})
		}
		require.NotEmpty(t, findings(t, s.end(), "service"), c.name)
	}
}

// What was under way when a run was broken off may have been answered.
func TestServiceOfABrokenRun(t *testing.T) {
	s := newStory(t)
	s.r.CalmAt = 1
	s.pass(12 * time.Second)
	for range 3 {
		s.fail(Operation{Op: Write, Key: "/s", Arg: "x"}, time.Second, 0)
	}
	require.Len(t, findings(t, s.end(), "service"), 1)
	s.r.Whole = false
	require.Empty(t, findings(t, s.r, "service"))
}

// A run of which nobody knows when the faults ended has no calm, and a member
// in trouble may say so.
func TestServiceWithoutCalm(t *testing.T) {
	s := newStory(t)
	s.pass(12 * time.Second)
	for _, status := range []int{0, 503, 408} {
		for range 10 {
			s.fail(Operation{Op: Write, Key: "/s", Arg: "x"}, time.Second, 300).Status = status
		}
	}
	require.Empty(t, findings(t, s.end(), "service"))
}
