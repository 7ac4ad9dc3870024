package sim

import (
	"testing"

	"holdfast/sim/disk"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// testNemesis is the nemesis of three members that nothing runs on.
func testNemesis() *nemesis {
	w := &world{timeline: &timeline{}, plan: Plan{Nodes: 3, CalmAtNanos: 1e10}, trace: plain()}
	s := &scenario{w: w}
	for i := range 3 {
		m := w.add(&machine{name: memberName(i), disk: disk.New()})
		m.proc = &process{m: m}
		s.members = append(s.members, m)
	}
	s.client = w.add(&machine{name: "c1", disk: disk.New(), endsItself: true})
	w.net = newNetwork(w, len(w.machines))
	return newNemesis(s, nil)
}

// Of two faults that set the same thing the later one holds until its own end.
func TestLaterFaultHolds(t *testing.T) {
	n := testNemesis()
	m := n.s.members[0]
	n.strike(Fault{ID: 1, Kind: "slow-disk", Member: "m1", N: 10, For: 100})
	n.strike(Fault{ID: 2, Kind: "slow-disk", Member: "m1", N: 20, For: 200})
	n.strike(Fault{ID: 3, Kind: "slow-disk", Member: "m2", N: 30, For: 300})
	n.undo[1]()
	assert.EqualValues(t, 20, m.cond.syncFactor)
	assert.EqualValues(t, 30, n.s.members[1].cond.syncFactor)
	n.undo[2]()
	assert.Zero(t, m.cond.syncFactor)
	assert.EqualValues(t, 30, n.s.members[1].cond.syncFactor)

	n.strike(Fault{ID: 4, Kind: "flaky", Member: "m1", Other: "m2", N: 10, For: 100})
	n.strike(Fault{ID: 5, Kind: "flaky", Member: "m1", Other: "m3", N: 20, For: 200})
	n.undo[4]()
	assert.Zero(t, n.s.w.net.condition(0, 1).BreakPerMillion, "another link's fault holds nothing here")
	assert.Equal(t, 20_000, n.s.w.net.condition(0, 2).BreakPerMillion)
}

// A link is clogged for as long as any fault wants it so.
func TestClogsAreCounted(t *testing.T) {
	n := testNemesis()
	n.strike(Fault{ID: 1, Kind: "clog", Member: "m1", Other: "m2", For: 100})
	n.strike(Fault{ID: 2, Kind: "clog", Member: "m1", Other: "m2", For: 200})
	n.undo[2]()
	assert.True(t, n.s.w.net.condition(0, 1).Clogged)
	n.undo[1]()
	assert.False(t, n.s.w.net.condition(0, 1).Clogged)
}

// A member is destroyed only while nothing else is wrong with the others, and what was armed before does not go off
// afterwards.
func TestDestructionNeedsAWholeCluster(t *testing.T) {
	n := testNemesis()
	assert.True(t, n.mayDestroy())
	n.s.members[1].stallClock(1e9)
	assert.False(t, n.mayDestroy(), "a clock stands still")
	n.s.w.now = 2e9
	assert.True(t, n.mayDestroy())
	n.s.members[2].cond.aim = &aim{}
	n.strike(Fault{ID: 1, Kind: "wipe", Member: "m1", For: 100})
	assert.Nil(t, n.s.members[2].cond.aim)
	assert.Equal(t, 1, n.lost)
	assert.False(t, n.mayDestroy(), "one of three is all that a quorum can mend")
}

// Rot that finds nothing to flip has destroyed nobody, and does not count.
func TestRotOfNothing(t *testing.T) {
	n := testNemesis()
	m := n.s.members[0]
	n.strike(Fault{ID: 1, Kind: "rot", Member: "m1", For: 100})
	m.proc.die()
	assert.Empty(t, m.cond.lost)
	assert.Zero(t, n.lost)
	assert.Empty(t, n.s.w.counts.Faults)
}

// pass lets virtual time go by.
func (n *nemesis) pass(until int64) {
	for {
		e, more := n.s.w.queue.pop(until)
		if !more {
			n.s.w.now = until
			return
		}
		n.s.w.now = e.at
		e.do()
	}
}

// Rot of the last entries strikes a follower that a majority needs, when the third has been away for a while; then the leader
// is away. Whoever ends it before has destroyed nobody.
func TestRotOfLast(t *testing.T) {
	strike := func() *nemesis {
		n := testNemesis()
		n.s.w.leader = n.s.members[0]
		n.strike(Fault{ID: 1, Kind: "rot", Member: "m1", Other: "m2", N: 1, For: 100})
		return n
	}
	cut := func(n *nemesis, a, b int) bool { return n.cuts[[2]int{a, b}] > 0 && n.cuts[[2]int{b, a}] > 0 }
	n := strike()
	assert.True(t, cut(n, 2, 0) && cut(n, 2, 1) && !cut(n, 0, 1), "m3 is behind")
	assert.False(t, n.s.members[1].proc.doomed)
	n.pass(lastGathers)
	assert.True(t, n.s.members[1].proc.doomed)
	assert.True(t, cut(n, 0, 1) && cut(n, 0, 2) && !cut(n, 1, 2), "the leader is away")
	assert.Equal(t, 1, n.lost)
	n.healAll()
	assert.False(t, cut(n, 0, 1) || cut(n, 0, 2) || cut(n, 1, 2))

	n = strike()
	n.healAll()
	n.pass(lastGathers)
	assert.False(t, n.s.members[1].proc.doomed)
	assert.Zero(t, n.lost)
	assert.False(t, cut(n, 0, 1) || cut(n, 0, 2) || cut(n, 1, 2))
}

// Each new leader is cut off within its time, or when it first applies something, and the one before it comes back then.
func TestShortReigns(t *testing.T) {
	atCommit := map[bool]int{}
	for id := range 20 {
		n := testNemesis()
		alone := func(m int) bool { return n.cuts[[2]int{m, (m + 1) % 3}] > 0 && n.cuts[[2]int{(m + 2) % 3, m}] > 0 }
		w := n.s.w
		falls := func(m int) {
			w.leader = n.s.members[m]
			n.pass(w.now + 4e6)
			atCommit[!alone(m)]++
			if !alone(m) {
				require.Len(t, w.applying, 1)
				w.applying[0].tell()
			}
			assert.True(t, alone(m))
		}
		w.leader = n.s.members[0]
		n.strike(Fault{ID: id, Kind: "short-reigns", Member: "m1", Other: "m2", N: 2000 + int64(id), For: 1e9})
		falls(0)
		falls(2)
		assert.False(t, alone(0))
		w.leader = nil
		n.pass(w.now + 4e6)
		assert.True(t, alone(2), "nobody has taken its place")
		falls(1)
		assert.False(t, alone(2))
		n.healAll()
		w.leader = n.s.members[0]
		n.pass(w.now + 2e9)
		assert.False(t, alone(0) || alone(1) || alone(2))
		assert.Empty(t, w.queue.events, "it looks no further")
		assert.Empty(t, w.applying)
	}
	assert.Equal(t, map[bool]int{false: 40, true: 20}, atCommit, "the third reign in a row is the one that ends at a commit")
}

// The process dies, is away for less than an election takes, and then has each turn late until the fault ends.
func TestSlowStart(t *testing.T) {
	n := testNemesis()
	m := n.s.members[1]
	n.strike(Fault{ID: 1, Kind: "slow-start", Member: "m2", N: 2000, For: 1e9})
	assert.True(t, m.proc.doomed)
	assert.Equal(t, int64(50e6), m.cond.downUntil)
	assert.Equal(t, int64(2e6), m.cond.lagNanos)
	n.undo[1]()
	assert.Zero(t, m.cond.lagNanos)
}

// A fault that waits for its moment counts when that has come.
func TestArmedFaultsCountWhenTheyGoOff(t *testing.T) {
	n := testNemesis()
	n.strike(Fault{ID: 1, Kind: "aimed-kill", Member: "m1", N: 0, For: 100}) // any work on a vote
	n.strike(Fault{ID: 2, Kind: "disk-error", Member: "m2", N: 0, For: 100})
	assert.Empty(t, n.s.w.counts.Faults)
	n.s.members[0].takeAim(disk.OpSync, "/m1.data/raft/stable/x")
	assert.NotZero(t, n.s.members[1].diskFault(disk.OpWrite, "/m.data/f").Errno)
	assert.Equal(t, map[string]int{"aimed-kill": 1, "disk-error": 1}, n.s.w.counts.Faults)
	assert.True(t, n.s.members[1].cond.excuses(end{exited: true, code: 1}, 1))
}

// One that is to tear a write lets pass what cannot be torn.
func TestAimTears(t *testing.T) {
	n := testNemesis()
	m := n.s.members[0]
	m.disk = disk.New()
	n.s.w.leader = m
	n.strike(Fault{ID: 1, Kind: "aimed-cut", Member: "m2", Other: "m1", N: 0, For: 100})
	n.s.members[1].disk = m.disk
	n.s.members[1].takeAim(disk.OpWrite, "/m2.data/raft/log/00000000000000000001")
	assert.False(t, n.s.members[1].proc.doomed, "no write goes over the end of a sector")
}

// What wazero opens for itself does not fail: a process would end by a panic that is no fault of its own. The error waits for
// the first operation of the process.
func TestDiskErrorIsForTheProcess(t *testing.T) {
	n := testNemesis()
	m := n.s.members[0]
	n.strike(Fault{ID: 1, Kind: "disk-error", Member: m.name, N: 0, For: 100})
	assert.Zero(t, m.diskFault(disk.OpOpen, rootPath).Errno)
	assert.NotZero(t, m.diskFault(disk.OpOpen, "m1.data/raft/log/header").Errno)
}

// An aim may let some of what it waits for pass.
func TestAimSkips(t *testing.T) {
	n := testNemesis()
	m := n.s.members[0]
	n.strike(Fault{ID: 1, Kind: "aimed-kill", Member: "m1", N: 12<<8 | 1, For: 100}) // the second record of a vote
	m.takeAim(disk.OpWrite, "/m1.data/raft/stable/stable.tmp")
	m.takeAim(disk.OpRename, "/m1.data/raft/stable/stable.tmp\x00/m1.data/raft/stable/stable")
	assert.False(t, m.proc.doomed)
	m.takeAim(disk.OpRename, "/m1.data/raft/snapshots/x.tmp\x00/m1.data/raft/snapshots/x")
	assert.False(t, m.proc.doomed)
	m.takeAim(disk.OpRename, "/m1.data/raft/stable/stable.tmp\x00/m1.data/raft/stable/stable")
	assert.True(t, m.proc.doomed)
	assert.EqualValues(t, 0, m.proc.killAfter)
}
