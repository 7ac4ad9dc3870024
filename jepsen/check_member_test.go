package jepsen

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What members said of themselves: the log, terms and votes; watches; time.

func reigns(s *story) {
	s.do(Operation{Op: Write, Key: "/a", Arg: "x"})
	s.restart("n3")
	s.do(Operation{Op: Write, Key: "/a", Arg: "y"})
	s.elect("n2", 3)
	s.do(Operation{Op: Write, Key: "/a", Arg: "z"})
}

// lastOf is the newest commit of a member.
func lastOf(s *story, member string) *Commit {
	for i := len(s.r.Commits) - 1; ; i-- {
		if s.r.Commits[i].Member == member {
			return &s.r.Commits[i]
		}
	}
}

func TestInvariantsTellsApart(t *testing.T) {
	tellsApart(t, "invariants", reigns, []bend{
		{"two leaders in a term", func(s *story) { s.role("n1", "leader", 3) }, "two leaders in term 3"},
		{"a term goes back", func(s *story) { s.role("n1", "follower", 1) }, "it had been in term 2"},
		{"two votes in a term", func(s *story) { s.vote("n1", "n3", 3, false) }, "in its life 1 it voted for n2"},
		{"two votes in a term over a restart", func(s *story) {
			s.life["n1"]++
			s.vote("n1", "n1", 3, false)
		}, "in its life 1 it voted for n2"},
		{"a vote is forgotten", func(s *story) {
			s.life["n1"]++
			s.vote("n1", "n1", 2, true)
		}, "it had voted for n2 in term 3"},
		{"a vote for who did not stand", func(s *story) {
			s.life["n1"]++
			s.vote("n1", "n2", 4, true)
			s.role("n2", "leader", 3)
		}, "never was a candidate"},
		{"hashes differ", func(s *story) { lastOf(s, "n2").Hash++ }, "the history hash differs"},
		{"clocks differ", func(s *story) { lastOf(s, "n2").Now++ }, "the clock differs"},
		{"terms of an entry differ", func(s *story) { lastOf(s, "n2").Term++ }, "the term of the entry"},
		{"events differ", func(s *story) { lastOf(s, "n2").Events = nil }, "the list of events"},
		{"a restored state has another hash", func(s *story) {
			s.restart("n1")
			lastOf(s, "n1").Hash++
		}, "restored from a snapshot"},
		{"an entry is applied twice", func(s *story) {
			k := *lastOf(s, "n1")
			k.At = s.now
			s.r.Commits = append(s.r.Commits, k)
		}, "and had been at"},
		{"a state goes back", func(s *story) {
			s.do(Operation{Op: Write, Key: "/a", Arg: "w"})
			k := *lastOf(s, "n1")
			s.do(Operation{Op: Write, Key: "/a", Arg: "v"})
			k.At, k.Restored, k.Events, k.Life = s.now, true, nil, s.life["n1"]
			s.r.Commits = append(s.r.Commits, k)
		}, "its state went back"},
		{"cluster time goes back", func(s *story) {
			s.do(Operation{Op: Write, Key: "/a", Arg: "w"})
			for i := range 3 {
				s.r.Commits[len(s.r.Commits)-1-i].Now = 0
			}
		}, "cluster time (ns) goes back"},
		{"the store index goes back", func(s *story) {
			s.pass(time.Second)
			for i := range 3 {
				s.r.Commits[len(s.r.Commits)-1-i].StoreIndex = 1
			}
		}, "X-Etcd-Index goes back"},
		{"events do not end at the store index", func(s *story) {
			s.do(Operation{Op: Write, Key: "/a", Arg: "w"})
			for i := range 3 {
				s.r.Commits[len(s.r.Commits)-1-i].Events[0].Index = 2
			}
		}, "must have index"},
	})
}

// A raft that is built anew in the same process restores an older snapshot;
// what it applies again is the same.
func TestInvariantsAllowARebuild(t *testing.T) {
	s := newStory(t)
	s.do(Operation{Op: Write, Key: "/a", Arg: "w"})
	old := *lastOf(s, "n2")
	s.do(Operation{Op: Write, Key: "/a", Arg: "v"})
	again := *lastOf(s, "n2")
	s.vote("n2", "n1", 2, true)
	old.At, old.Restored, old.Events = s.now, true, nil
	again.At = s.now + ms
	s.r.Commits = append(s.r.Commits, old, again)
	require.Empty(t, findings(t, s.end(), "invariants"))
}

func watches1(s *story) {
	write := func(key string) func() {
		return func() { s.do(Operation{Op: Write, Key: key, Arg: fmt.Sprint("v", s.now)}) }
	}
	see := func(i int, from uint64) {
		o := &s.r.History[i]
		for j := range s.r.Commits {
			k := &s.r.Commits[j]
			if k.Member != "n1" || len(k.Events) == 0 || k.Events[0].Index < from || k.At > o.Return {
				continue
			}
			e := k.Events[0]
			e.Deadline = 0
			o.Events = append(o.Events, e)
			if o.Op == Watch {
				return
			}
		}
	}
	see(s.poll(Operation{Key: "/w"}, write("/w")), uint64(s.k.Index()))                    // 0
	s.poll(Operation{Key: "/w"}, write("/w/_hidden-or-not"))                               // nothing: refused
	see(s.poll(Operation{Key: "/d", Recursive: true}, write("/d/x")), uint64(s.k.Index())) // 3
	s.poll(Operation{Key: "/d", Recursive: true}, write("/d/_x"))
	s.poll(Operation{Key: "/d"}, write("/d/x"))
	see(s.poll(Operation{Key: "/d/x/y"}, func() { s.do(Operation{Op: RemoveAll, Key: "/d"}) }), uint64(s.k.Index()))
	from := uint64(s.k.Index()) + 1
	see(s.poll(Operation{Op: Stream, Key: "/s", Recursive: true}, func() {
		for range 3 {
			write("/s/x")()
		}
		s.pass(time.Second)
	}), from)
	old := s.poll(Operation{Key: "/w", WaitIndex: uint64(s.k.Index()) - ringFor}, func() {})
	s.r.History[old].Outcome, s.r.History[old].ErrorCode = Fail, codeEventCleared
}

// watchAt finds the nth watch of a story.
func watchAt(s *story, n int) *Operation {
	for i := range s.r.History {
		if o := &s.r.History[i]; o.Op == Watch || o.Op == Stream {
			if n == 0 {
				return o
			}
			n--
		}
	}
	s.t.Fatal("no such watch")
	return nil
}

func TestWatchTellsApart(t *testing.T) {
	// silence has a watch end without its event, which was applied long before.
	silence := func(s *story, o Operation) *Operation {
		s.chat(o.Member, 50*time.Millisecond)
		return &s.r.History[s.poll(o, func() {
			s.do(Operation{Op: Write, Key: "/w", Arg: "silent"})
			s.chat(o.Member, time.Second)
		})]
	}
	// afterCut has a watch end without its event, which was applied while nobody was answered for a second and a half.
	afterCut := func(s *story, chats time.Duration) {
		s.chat("", 50*time.Millisecond)
		s.poll(Operation{Key: "/w"}, func() {
			s.pass(time.Second)
			s.do(Operation{Op: Write, Key: "/w", Arg: "silent", Member: at2})
			s.pass(500 * time.Millisecond)
			s.chat("", chats)
		})
	}
	tellsApart(t, "watch", watches1, []bend{
		{"an event is passed over", func(s *story) {
			o := watchAt(s, 6)
			o.Events = append(o.Events[:1:1], o.Events[2:]...)
		}, "the first event for it from index"},
		{"an event comes twice", func(s *story) {
			o := watchAt(s, 6)
			o.Events = append(o.Events[:1:1], o.Events...)
		}, "the first event for it from index"},
		{"a poll skips the first", func(s *story) { watchAt(s, 0).Events = watchAt(s, 2).Events }, "the first event for it"},
		{"an event is not the log's", func(s *story) { watchAt(s, 0).Events[0].Value = "other" }, "the log has"},
		{"a hidden event is shown", func(s *story) {
			o := watchAt(s, 3)
			eachEvent(s, func(e *Event) bool { return e.Key == "/d/_x" }, func(e *Event) { o.Events = []Event{*e} })
		}, "shows event"},
		{"an event is shown before it happened", func(s *story) { watchAt(s, 6).EventsAt = []int64{1} }, "when nobody had applied it"},
		{"the removal of a directory above is kept quiet", func(s *story) {
			s.chat("", 3*time.Second) // watch 6 had a lull
			o := watchAt(s, 5)
			o.Events, o.Return = nil, s.now
		}, "ended without event"},
		{"a member keeps quiet", func(s *story) { silence(s, Operation{Key: "/w"}) }, "ended without event"},
		{"a stream stops too soon", func(s *story) { silence(s, Operation{Op: Stream, Key: "/w", Recursive: true}) }, "ended without event"},
		{"a member keeps quiet for long after a cut", func(s *story) { afterCut(s, 2500*time.Millisecond) }, "ended without event"},
		{"401 for what the ring holds", func(s *story) { watchAt(s, 7).WaitIndex++ }, "refused with code 401: true"},
		{"401 by a member that was not so far", func(s *story) {
			o := watchAt(s, 7)
			o.WaitIndex, o.EtcdIndex = o.WaitIndex+1, 0
		}, "was never beyond index"},
		{"no 401 for what the ring lost", func(s *story) {
			o := watchAt(s, 7)
			o.Outcome, o.ErrorCode = OK, 0
		}, "refused with code 401: false"},
		{"401 for who asked for nothing old", func(s *story) { watchAt(s, 7).WaitIndex = 0 }, "asked for nothing old"},
	})
	for name, tell := range map[string]func(s *story){
		"on another member that lags": func(s *story) { silence(s, Operation{Key: "/w", Member: at2}).Member = "elsewhere" },
		"a connection that broke":     func(s *story) { silence(s, Operation{Key: "/w"}).Outcome = Fail },
		"a member that was started anew": func(s *story) {
			silence(s, Operation{Key: "/w", Member: at2})
			s.now -= 300 * ms
			s.restart("n2")
			s.now += 300 * ms
		},
		"a link that was cut, and sends again late": func(s *story) { afterCut(s, 1500*time.Millisecond) },
		"a link that is cut in its turn": func(s *story) {
			s.chat("", 50*time.Millisecond)
			s.poll(Operation{Key: "/w"}, func() {
				s.do(Operation{Op: Write, Key: "/w", Arg: "silent"})
				s.chat("", 200*time.Millisecond)
				s.pass(2 * time.Second)
				s.chat("", time.Second)
			})
		},
	} {
		t.Run("may be silent: "+name, func(t *testing.T) {
			s := newStory(t)
			tell(s)
			require.Empty(t, findings(t, s.end(), "watch"))
		})
	}
}

func lives(s *story) {
	s.do(Operation{Op: Write, Key: "/t/a", Arg: "x", TTL: 2})
	s.do(Operation{Op: Read, Key: "/t/a"})
	s.pass(time.Second)
	s.do(Operation{Op: Refresh, Key: "/t/a", TTL: 3})
	s.pass(4 * time.Second)
	s.do(Operation{Op: MakeDir, Key: "/t/d", TTL: 4})
	s.do(Operation{Op: Write, Key: "/t/d/x", Arg: "y", TTL: 9})
	s.pass(5 * time.Second)
	s.do(Operation{Op: Write, Key: "/t/b", Arg: "z", TTL: 2})
	s.now += 7000 * ms // the leader is gone, and with it its clock
	s.elect("n2", 3)
	s.pass(3 * time.Second)
	s.do(Operation{Op: Write, Key: "/t/last", Arg: "w", TTL: 100})
}

func TestTTLTellsApart(t *testing.T) {
	tellsApart(t, "ttl", lives, []bend{
		{"a key expires early", func(s *story) {
			o := find(s, MakeDir, OK)
			o.Call, o.Return = o.Call+2000*ms, o.Return+2000*ms
		}, "expired early"},
		{"a clock jumps and takes all keys along", func(s *story) {
			for i := range s.r.Commits {
				if k := &s.r.Commits[i]; k.At > 1000*ms {
					k.Now += int64(time.Hour)
				}
			}
		}, "cluster time was"},
		{"a key never expires", func(s *story) {
			s.do(Operation{Op: Write, Key: "/t/c", Arg: "v", TTL: 1})
			for range 12 {
				s.now += 500 * ms
				s.entry()
			}
		}, "was still there when the run ended"},
		{"a key expires late", func(s *story) {
			s.do(Operation{Op: Write, Key: "/t/c", Arg: "v", TTL: 1})
			for range 12 {
				s.now += 500 * ms
				s.entry()
			}
			s.pass(time.Second)
		}, "was expired"},
		{"a key is refreshed long after its time", func(s *story) {
			s.do(Operation{Op: Write, Key: "/t/c", Arg: "v", TTL: 1})
			for range 12 {
				s.now += 500 * ms
				s.entry()
			}
			s.do(Operation{Op: Refresh, Key: "/t/c", TTL: 1})
		}, "lived on until event"},
		{"a deadline is not what was asked for", func(s *story) { find(s, Refresh, OK).TTL = 7 }, "asked for a ttl of 7 s"},
		{"a ttl is shown longer than asked for", func(s *story) { find(s, Read, OK).TTLLeft = 3 }, "shows a ttl of 3 s"},
	})
}

// Ten thousand operations and thirty thousand commits take a moment only.
func BenchmarkCheckers(b *testing.B) {
	s := newStory(b)
	for i := range 10_000 {
		o := Operation{Op: Write, Key: fmt.Sprintf("/d%d/k%d", i%5, i%50), Arg: fmt.Sprint("v", i), Process: i % 8}
		switch i % 5 {
		case 1:
			o.Op, o.Arg = Read, ""
		case 2:
			o.Op, o.Arg, o.Key = List, "", fmt.Sprintf("/d%d", i%3)
		case 3:
			o.Op, o.Key = InOrder, "/q"
		case 4:
			o.Op, o.Arg = LocalRead, ""
		}
		s.do(o)
		s.entry()
	}
	r := s.end()
	r.Commits = r.Commits[:min(len(r.Commits), 60_000)]
	for _, c := range Checkers() {
		b.Run(c.Name, func(b *testing.B) {
			for b.Loop() {
				c.Check(r, Limits{})
			}
		})
	}
}
