package jepsen

import (
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

// story tells good runs: the kernel itself answers, and three members apply
// its entries one after another. Tests then bend what it tells.
type story struct {
	t       testing.TB
	k       *kernel.State
	r       *Run
	now     int64
	log     kernel.LogIndex
	session kernel.Session
	opened  int64
	life    map[string]int
	last    []Event // of the last entry
}

const (
	ms      = int64(time.Millisecond)
	ringFor = 8 // the events that a story's ring holds
)

var memberNames = []string{"n1", "n2", "n3"}

func newStory(t testing.TB) *story {
	s := &story{t: t, k: kernel.New(), now: 100 * ms, life: map[string]int{"n1": 1, "n2": 1, "n3": 1}, r: &Run{
		Ring: ringFor, Rho: 0.01, Tick: 500 * time.Millisecond, Whole: true, Addrs: map[string]string{},
	}}
	for i, m := range memberNames {
		ip := "10.0.0." + string(rune('1'+i))
		s.r.Addrs[ip+":2380"], s.r.Addrs["http://"+ip+":2379"] = m, m
		s.role(m, "follower", 1)
	}
	s.elect("n1", 2)
	s.entry(kernel.Command{Op: kernel.OpSetting, Path: kernel.SettingHistoryEvents, Value: "8"})
	s.entry(kernel.Command{Op: kernel.OpMemberAdd, Member: kernel.Member{ID: 7, Name: "n1"}})
	s.entry(kernel.Command{Op: kernel.OpClusterVersion, Value: "3.4.0"})
	return s
}

func (s *story) role(member, state string, term uint64) {
	s.r.Roles = append(s.r.Roles, Role{member, s.life[member], s.now, state, term})
	s.now += ms
}

func (s *story) vote(member, candidate string, term uint64, readBack bool) {
	addr := "10.0.0." + strings.TrimPrefix(candidate, "n") + ":2380"
	s.r.Votes = append(s.r.Votes, Vote{member, s.life[member], s.now, term, addr, readBack})
	s.now += ms
}

// elect makes a member lead from a term on, and opens a clock session.
func (s *story) elect(leader string, term uint64) {
	s.role(leader, "candidate", term-1)
	for _, m := range memberNames {
		s.vote(m, leader, term, false)
	}
	s.role(leader, "leader", term)
	s.session, s.opened = kernel.Session{Term: term}, s.now
	s.commit(kernel.AppendOpening(nil, s.session, 1e18))
	s.now += 10 * ms
}

// commit applies an entry: the leader at once, the others a little later.
func (s *story) commit(entry []byte) kernel.Applied {
	s.log++
	done, err := s.k.Apply(s.log, entry)
	require.NoError(s.t, err)
	s.last = nil
	for _, e := range done.Events {
		s.last = append(s.last, eventOf(e))
	}
	for i, m := range memberNames {
		s.r.Commits = append(s.r.Commits, Commit{
			Member: m, Life: s.life[m], At: s.now + int64(i)*2*ms, LogIndex: uint64(s.log), Term: s.session.Term, Hash: s.k.HistoryHash(),
			StoreIndex: uint64(s.k.Index()), Now: int64(s.k.Now()), Session: s.k.Session().Term, Events: append([]Event(nil), s.last...),
		})
	}
	return done
}

func eventOf(e *kernel.Event) Event {
	to := Event{Index: uint64(e.Index), Action: e.Action.String(), Refresh: e.Refresh}
	if e.Node != nil {
		to.Key, to.Dir, to.Value = e.Node.Path, e.Node.Dir, e.Node.Value
		to.CreatedIndex, to.Deadline = uint64(e.Node.Created), int64(e.Node.Deadline)
	}
	if e.Prev != nil {
		to.PrevIndex, to.PrevValue = uint64(e.Prev.Modified), e.Prev.Value
	}
	return to
}

func (s *story) entry(commands ...kernel.Command) []kernel.Result {
	var wires [][]byte
	for i := range commands {
		wire, err := kernel.AppendCommand(nil, &commands[i])
		require.NoError(s.t, err)
		wires = append(wires, wire)
	}
	return s.commit(kernel.AppendBatch(nil, s.session, kernel.Time(s.now-s.opened), wires)).Results
}

// pass lets time go by, with a tick of expiry in each half second of it.
func (s *story) pass(d time.Duration) {
	for end := s.now + int64(d); s.now < end; {
		s.now += min(500*ms, end-s.now)
		s.entry(kernel.Command{Op: kernel.OpExpire})
		s.now += 5 * ms
	}
}

// command is what the front end makes of an operation.
func command(o *Operation) kernel.Command {
	c := kernel.Command{Path: o.Key, Value: o.Arg, PrevValue: o.Prev, PrevIndex: kernel.StoreIndex(o.PrevIndex)}
	c.TTLSeconds, c.HasTTL = uint64(o.TTL), o.TTL != 0
	switch o.Op {
	case Write:
		c.Op = kernel.OpSet
	case Create:
		c.Op = kernel.OpCreate
	case MakeDir:
		c.Op, c.Dir = kernel.OpCreate, true
	case Update:
		c.Op = kernel.OpUpdate
	case Refresh:
		c.Op, c.Refresh = kernel.OpUpdate, true
	case CAS:
		c.Op = kernel.OpCompareAndSwap
	case InOrder:
		c.Op = kernel.OpCreateInOrder
	case CAD:
		c.Op = kernel.OpCompareAndDelete
	default:
		c.Op, c.Dir, c.Recursive = kernel.OpDelete, o.Op == RemoveDir, o.Op == RemoveAll
	}
	return c
}

// effect applies a change and fills in its answer.
func (s *story) effect(o *Operation) {
	res := s.entry(command(o))[0]
	o.Outcome = OK
	if res.Err != nil {
		o.Outcome, o.ErrorCode, o.EtcdIndex = Fail, int(res.Err.Code), uint64(res.Err.Index)
		o.Missing = o.ErrorCode == codeKeyNotFound
		if o.ErrorCode == codeTestFailed {
			o.met(res.Err.Cause)
		}
		return
	}
	e := s.last[0]
	o.Action, o.ModifiedIndex, o.EtcdIndex, o.CreatedIndex, o.PrevModified = e.Action, e.Index, e.Index, e.CreatedIndex, e.PrevIndex
	o.RaftIndex, o.RaftTerm = uint64(s.log), s.session.Term
	o.Dir, o.TTLLeft, o.Result = e.Dir, o.TTL, e.PrevValue
	if o.Op == InOrder {
		o.Node = e.Key
	}
	if removes(e.Action) {
		o.TTLLeft = 0
	}
}

// look answers a read.
func (s *story) look(o *Operation) {
	v := s.k.View()
	o.Outcome, o.EtcdIndex, o.RaftIndex, o.RaftTerm = OK, uint64(v.Index), uint64(v.Applied), s.session.Term
	n, refused := v.Get(o.Key)
	if refused != nil {
		o.ErrorCode, o.Missing = int(refused.Code), refused.Code == kernel.CodeKeyNotFound
		if !o.Missing {
			o.Outcome = Fail
		}
		return
	}
	o.Result, o.Dir, o.ModifiedIndex, o.CreatedIndex = n.Value, n.Dir, uint64(n.Modified), uint64(n.Created)
	left := func(n *kernel.Node) int64 {
		if n.Deadline == 0 {
			return 0
		}
		return v.Clock.TTLSeconds(n.Deadline)
	}
	if o.TTLLeft = left(n); !n.Dir || o.Op == Read || o.Op == LocalRead {
		return
	}
	var gather func(dir string)
	gather = func(dir string) {
		v.Children(dir, func(n *kernel.Node) bool {
			if !n.Hidden() {
				o.Nodes = append(o.Nodes, Node{n.Path, n.Value, n.Dir, uint64(n.Modified), uint64(n.Created), left(n)})
				gather(n.Path)
			}
			return true
		})
	}
	gather(o.Key)
	sort.Slice(o.Nodes, func(a, b int) bool { return o.Nodes[a].Key < o.Nodes[b].Key })
}

// do performs one operation of process 1, nothing else under way, and gives
// its place in the history. It takes effect 10 ms after its call.
func (s *story) do(o Operation) int {
	if o.Process == 0 {
		o.Process = 1
	}
	if o.Member == "" {
		o.Member = "http://10.0.0.1:2379"
	}
	o.Call = s.now
	s.now += 10 * ms
	if o.Op.Reads() {
		s.look(&o)
	} else {
		s.effect(&o)
	}
	s.now += 10 * ms
	o.Return = s.now
	s.now += 10 * ms
	s.r.History = append(s.r.History, o)
	return len(s.r.History) - 1
}

// lose makes the answer to an operation of the history unknown.
func (s *story) lose(i int) *Operation { return forget(&s.r.History[i]) }

func forget(o *Operation) *Operation {
	*o = Operation{
		Process: o.Process, Call: o.Call, Return: o.Return, Op: o.Op, Key: o.Key, Arg: o.Arg, Prev: o.Prev, PrevIndex: o.PrevIndex,
		TTL: o.TTL, Outcome: Unknown, Member: o.Member,
	}
	return o
}

// end gives the run.
func (s *story) end() *Run {
	s.now += 100 * ms
	s.r.End = s.now
	sort.SliceStable(s.r.Commits, func(a, b int) bool { return s.r.Commits[a].At < s.r.Commits[b].At })
	return s.r
}

// restart gives a member a new life, which begins with a snapshot of now.
func (s *story) restart(member string) {
	s.now += 20 * ms
	s.life[member]++
	s.vote(member, s.leaderOf(), s.session.Term, true)
	s.r.Commits = append(s.r.Commits, Commit{
		Member: member, Life: s.life[member], At: s.now, LogIndex: uint64(s.log), Term: s.k.Session().Term, Hash: s.k.HistoryHash(),
		StoreIndex: uint64(s.k.Index()), Now: int64(s.k.Now()), Session: s.k.Session().Term, Restored: true,
	})
	s.role(member, "follower", s.session.Term)
	s.now += 20 * ms
}

func (s *story) leaderOf() string {
	leader := ""
	for i := range s.r.Roles {
		if s.r.Roles[i].State == "leader" {
			leader = s.r.Roles[i].Member
		}
	}
	return leader
}

// poll adds a watch from now until the story has gone on with while.
func (s *story) poll(o Operation, while func()) int {
	if o.Op == "" {
		o.Op = Watch
	}
	if o.Process == 0 {
		o.Process = 50 + len(s.r.History)
	}
	if o.Member == "" {
		o.Member = "http://10.0.0.1:2379"
	}
	o.Outcome, o.Call, o.EtcdIndex = OK, s.now, uint64(s.k.Index())
	s.now += 10 * ms
	while()
	o.Return = s.now
	s.now += 10 * ms
	s.r.History = append(s.r.History, o)
	return len(s.r.History) - 1
}

// chat has a member answer reads, one after the other, for a while.
func (s *story) chat(member string, lasts time.Duration) {
	for end := s.now + int64(lasts); s.now < end; s.now += 50 * ms {
		s.do(Operation{Op: Read, Key: "/w", Member: member})
	}
}

// findings asks one checker about a run.
func findings(t testing.TB, r *Run, name string) []Finding {
	for _, c := range Checkers() {
		if c.Name == name {
			return c.Check(r, Limits{}).Findings
		}
	}
	t.Fatalf("no checker %q", name)
	return nil
}

func requireGood(t require.TestingT, r *Run) {
	require.NoError(t, r.History.Validate())
	for _, c := range Checkers() {
		res := c.Check(r, Limits{PerKey: time.Minute, Total: time.Minute})
		require.Equal(t, Legal, res.Verdict, "%s: %v", c.Name, res.Findings)
		require.Empty(t, res.Findings, c.Name)
	}
}

// bend is one way in which a good run goes bad.
type bend struct {
	name string
	tell func(s *story)
	want string // a part of the finding
}

// tellsApart holds a checker against a good story and ways to bend it.
func tellsApart(t *testing.T, checker string, good func(s *story), bends []bend) {
	t.Run("good", func(t *testing.T) {
		s := newStory(t)
		good(s)
		requireGood(t, s.end())
	})
	for _, b := range bends {
		t.Run(b.name, func(t *testing.T) {
			s := newStory(t)
			good(s)
			b.tell(s)
			found := findings(t, s.end(), checker)
			require.NotEmpty(t, found)
			all := ""
			for _, f := range found {
				require.Equal(t, checker, f.Checker)
				all += f.Detail + "\n"
			}
			require.Contains(t, all, b.want)
			t.Log(all)
		})
	}
}
