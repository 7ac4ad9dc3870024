package sim

import (
	"strings"

	"holdfast/sim/disk"

	"github.com/tetratelabs/wazero/experimental/sys"
)

// health is what the nemesis has done to a machine beside its network and its clocks. The zero value is health.
type health struct {
	pausedUntil int64 // its process gets no turn before this
	lagNanos    int64 // each turn begins so much later
	syncFactor  int64 // an fsync takes so many times longer; 0: once
	hungUntil   int64 // an fsync that begins before this ends then
	failAfter   int64 // disk operations until one fails, once; meaningful if failing
	failing     bool
	chance      disk.Chance // what of the failing operation is done
	failure     *Fault      // that it is
	full        bool        // writes that make files longer fail
	// aim, if set, dooms the process once it works on such a file.
	aim *aim
	// excuse is why its process may end by itself until excuseUntil; empty: for no reason.
	excuse      string
	excuseUntil int64
	// lost says that it was destroyed: it may refuse to start, and need not be there in phase two.
	lost string
	// dark says that it has no power.
	dark bool
	// downUntil is when a killed process may be started again.
	downUntil int64
}

// heal takes back all but what cannot be undone.
func (c *health) heal() {
	*c = health{excuse: c.excuse, excuseUntil: c.excuseUntil, lost: c.lost, dark: c.dark, downUntil: c.downUntil}
}

// excuseNanos is how long after its disk has failed it a process may give up because of that: whoever goes on for longer
// has either coped, or not noticed.
const excuseNanos = 10_000_000_000

// excuseFor lets the process end by itself for a reason that it has met at a moment.
func (c *health) excuseFor(why string, at int64) {
	c.excuse, c.excuseUntil = why, max(at, c.pausedUntil)+excuseNanos
}

// excuses tells whether a process may have ended like that.
func (c *health) excuses(e end, at int64) bool {
	return e.exited && e.code == 1 && (c.lost != "" || c.excuse != "" && at <= c.excuseUntil)
}

// delayed is when a turn that is planned for a moment may really begin.
func (c *health) delayed(at int64) int64 { return max(at, c.pausedUntil) }

// syncNanos is how long an fsync takes that begins now.
func (m *machine) syncNanos(now int64) int64 {
	m.syncs++
	took := m.w.draws.between(forSync, uint64(m.index), m.syncs, m.w.plan.SyncMinNanos, m.w.plan.SyncMaxNanos)
	if m.cond.syncFactor > 0 {
		took *= m.cond.syncFactor
	}
	if hung := m.cond.hungUntil - now; hung > took {
		m.cond.excuseFor("a hung disk", m.cond.hungUntil)
		return hung
	}
	return took
}

// diskFault decides whether an operation of the disk fails.
func (m *machine) diskFault(op disk.Op, path string) disk.Fault {
	c := &m.cond
	if !c.failing || op == disk.OpStat || op == disk.OpSeek || op == disk.OpReadlink || op == disk.OpOpen && path == rootPath {
		return disk.Fault{}
	}
	if c.failAfter--; c.failAfter >= 0 {
		return disk.Fault{}
	}
	c.failing = false
	c.excuseFor("a disk error", m.w.now)
	m.w.counts.DiskErrors++
	m.w.hit(c.failure)
	m.w.tell(m.name, "EIO", (opDisk + opcode(op)).String())
	return disk.Fault{Errno: sys.EIO, Chance: c.chance}
}

// rootPath is what wazero opens for itself when a process first asks which directories it has. It takes an error there for its
// own, and panics; no process sees it.
const rootPath = "."

// aim is a kill that waits for its moment: an operation on a file of some kind, and so many host calls more.
type aim struct {
	path  string  // part of the file's path
	op    disk.Op // only such an operation counts; anyOp: each
	tears bool    // and only a write that can be torn
	skip  int64   // so many of them are let pass
	calls int64
	down  int64  // how long it stays down then
	die   func() // what else happens then; nil: nothing
	fault *Fault // that it is
}

const anyOp = disk.Op(0)

// target is what an aimed kill may wait for, how many of it it may let pass, and up to how many host calls more it then
// leaves: all that belongs to a vote, or what lies between two records of it; but of a log write hardly more than itself,
// which a power cut tears.
type target struct {
	path        string
	op          disk.Op
	skip, calls int64
	tears       bool // only a write that goes over the end of a sector counts
}

// A kill alone leaves what was written, so that it matters where two files are changed together, or a record of a vote is being
// written; a power cut tears.
var (
	killAims = []target{
		{stableFiles, anyOp, 0, 48, false}, {stableFiles, disk.OpRename, 1, 12, false}, {stableFiles, disk.OpRename, 1, 12, false},
		{logFiles, disk.OpWrite, 0, 6, false}, {snapshotFiles, anyOp, 0, 24, false},
		{stableFiles, disk.OpWrite, 0, 4, false}, {stableFiles, disk.OpWrite, 1, 4, false},
	}
	cutAims = []target{
		{logFiles, disk.OpWrite, 0, 2, true}, {logFiles, disk.OpWrite, 0, 2, true}, {logFiles, disk.OpWrite, 0, 2, true},
		{logFiles, disk.OpWrite, 0, 2, true}, {logFiles, disk.OpWrite, 0, 6, false},
		{stableFiles, anyOp, 0, 48, false}, {snapshotFiles, anyOp, 0, 24, false}, {hintFile, disk.OpWrite, 0, 3, false}, {hintFile, disk.OpWrite, 0, 3, false},
	}
)

// Where a member keeps its term and vote, its log, and its snapshots.
const (
	stableFiles   = "/stable/"
	logFiles      = "/log/"
	snapshotFiles = "/snapshots/"
	// hintFile tells how far the log is durable, and must not tell more.
	hintFile = logFiles + "hint"
)

// takeAim dooms the process if this is what the nemesis waits for.
func (m *machine) takeAim(op disk.Op, path string) {
	a := m.cond.aim
	if a == nil || !strings.Contains(path, a.path) || a.op != anyOp && op != a.op || a.tears && !m.disk.Tears() {
		return
	}
	if a.skip--; a.skip >= 0 {
		return
	}
	m.cond.aim = nil
	if !m.proc.doomed {
		m.w.hit(a.fault)
		m.cond.downUntil = m.w.now + a.down
		m.doom(a.calls, a.die)
	}
}
