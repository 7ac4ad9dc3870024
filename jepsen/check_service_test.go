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
		{"a watch without a head", func(s *story) { s.fail(Operation{Op: Watch, Key: "/s"}, 3*time.Second, 0) }, "told at once"},
		{"a stream without a head", func(s *story) { s.fail(Operation{Op: Stream, Key: "/s"}, 3*time.Second, 0) }, "told at once"},
		{"a poll without X-Etcd-Index", func(s *story) { s.fail(Operation{Op: Watch, Key: "/s"}, 3*time.Second, 0).Outcome = OK }, "told at once"},
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
		{"a status that does not fit", func(s *story) { find(s, Write, OK).Status = 201 }, "status 201"},
		{"no answer of the API", func(s *story) { s.fail(Operation{Op: Write, Key: "/s", Arg: "x"}, 0, 0).Status = 404 }, "status 404"},
	})
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
