package sim

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"holdfast/sim/disk"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	wsys "github.com/tetratelabs/wazero/sys"
)

// epochNanos is the wall time at which every run begins: 2031-05-06T07:08:09Z.
const epochNanos = 1_935_817_689_000_000_000

// machine is a computer: an address, clocks, a disk, and at most one process. It outlives its processes.
type machine struct {
	w     *world
	index int
	name  string
	ip    string
	args  []string
	// priorities are those of its processes' goroutines.
	priorities Priorities
	// late: now and then one of those is late, as lateVariable tells it.
	late  bool
	disk  *disk.Disk
	clock clock
	// incarnation counts the processes that were started here, from 1.
	incarnation int
	proc        *process // nil: nothing runs
	// earlierLives is how many of the first of them were of the earlier version.
	earlierLives int
	syncs        uint64 // fsyncs so far, the counter of their durations
	basePPM      int64  // the rate error of its clock while no fault changes it
	cond         health
	// endsItself allows the process to exit with status 0.
	endsItself bool
	output     lines
}

// errKilled unwinds a process that has to die where it stands.
var errKilled = errors.New("killed")

// process is one life of a machine: one wasm instance in a coroutine of its own, which runs only while it holds the baton.
// All fields belong to whoever holds it.
type process struct {
	m         *machine
	baton     *baton
	earlier   bool  // its module is that of the earlier version
	tookRole  bool  // it has noted a role; meaningful in a run of mixed versions
	local     int64 // its virtual time: the world's, plus what it has used up in this turn
	wakeAt    int64 // when its next turn is planned; meaningful if planned
	planned   bool
	plan      uint64 // tells an event that its turn was planned anew
	killed    bool
	killAfter int64 // host calls left to live once doomed
	doomed    bool
	onDeath   func() // what else happens when it is killed; nil: nothing
	done      bool
	err       error // how it ended, if done
	door      doorbell
	sockets   sockets
	subs      []byte // poll's copy of its subscriptions
	readings  uint64 // clock readings so far
}

// start boots a new process on the machine.
func (m *machine) start() {
	m.incarnation++
	m.output = lines{}
	p := &process{m: m, local: m.w.now, earlier: m.earlier()}
	p.mixedStart()
	p.baton = newBaton(p.run)
	p.sockets.init()
	p.door.fd = -1
	m.proc = p
	p.step(opStart, uint64(m.incarnation), p.version(), 0, nil)
	p.wake(m.w.now)
}

func (p *process) run() {
	if !p.killed {
		e := p.m.w.engine
		module := e.of(p.earlier)
		ctx := module.memory.within(p.m.w.ctx)
		mod, err := e.runtime.InstantiateModule(ctx, module.compiled, p.config())
		if mod != nil {
			err = errors.Join(err, mod.Close(ctx))
		}
		p.err = err
	}
	p.done = true
}

func (p *process) config() wazero.ModuleConfig {
	files := wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(&rootFS{FS: p.m.disk.Mount(diskHooks{p}), p: p}, "/")
	c := wazero.NewModuleConfig()
	if p.m.priorities != (Priorities{}) {
		c = c.WithEnv(priorityVariable, p.m.priorities.variable())
	}
	if p.m.late {
		c = c.WithEnv(lateVariable, p.m.w.draws.lateness(life(p.m.index, p.m.incarnation)))
	}
	return c.WithName("").
		WithArgs(append([]string{p.m.name}, p.m.args...)...).
		WithStdin(bytes.NewReader(nil)).
		WithStdout(stdio{p}).WithStderr(stdio{p}).
		WithRandSource(&randomSource{p: p}).
		WithNanotime(p.monotonic, 1).
		WithWalltime(p.wall, 1).
		WithFSConfig(files)
}

// enter begins a host call: a doomed process may die here.
func (p *process) enter() {
	if p.doomed {
		if p.killAfter <= 0 {
			p.killed = true
		}
		p.killAfter--
	}
	if p.killed {
		p.die()
		panic(errKilled)
	}
}

// die does what comes with a kill, once: a power cut strikes in the middle of the write in progress.
func (p *process) die() {
	if f := p.onDeath; f != nil {
		p.onDeath = nil
		f()
	}
}

// step ends a host call: its arguments and results enter the run's hash.
func (p *process) step(op opcode, a, b, c uint64, data []byte) {
	p.m.w.trace.step(p.local, p.m, op, a, b, c, data)
}

func (p *process) read() int64 {
	p.enter()
	p.local += readingNanos
	p.readings++
	t := p.local
	if leak := p.m.w.leak; leak != nil {
		t += leak(p.m.index, p.readings)
	}
	return t
}

func (p *process) monotonic() int64 {
	t := p.m.clock.monotonic(p.read())
	p.step(opMonotonic, uint64(t), 0, 0, nil)
	return t
}

func (p *process) wall() (sec int64, nsec int32) {
	t := p.m.clock.wall(p.read())
	p.step(opWall, uint64(t), 0, 0, nil)
	return t / 1e9, int32(t % 1e9)
}

// park gives the baton back. The process's next turn is at until, or earlier if somebody wakes it; with until < 0, only
// then.
func (p *process) park(until int64) {
	if until >= 0 {
		p.wake(until)
	}
	if !p.baton.giveBack() || p.killed {
		panic(errKilled)
	}
}

// sleep stays away for d nanoseconds, whoever calls.
func (p *process) sleep(d int64) {
	for until := p.local + d; p.local < until; {
		p.park(until)
	}
}

// wake plans the process's next turn at a moment, unless one is planned before it.
func (p *process) wake(at int64) {
	at = p.m.cond.delayed(max(at, p.local))
	if p.done || p.planned && p.wakeAt <= at {
		return
	}
	p.planned, p.wakeAt = true, at
	p.plan++
	plan := p.plan
	p.m.w.queue.push(at+p.m.cond.lagNanos, func() {
		switch {
		case p.plan != plan || p.done:
		case p.m.cond.pausedUntil > p.m.w.now:
			p.planned = false
			p.wake(p.m.cond.pausedUntil)
		default:
			p.m.w.turn(p)
		}
	})
}

// doom kills the process at one of its next host calls; if it makes too few, at the latest killGraceNanos from now.
func (m *machine) doom(calls int64, onDeath func()) {
	p := m.proc
	p.doomed, p.killAfter, p.onDeath = true, calls, onDeath
	m.w.queue.push(m.w.now+killGraceNanos, func() {
		if !p.done {
			p.killed = true
			m.w.turn(p)
		}
	})
}

const killGraceNanos = 100_000_000

// end is how a process ended.
type end struct {
	killed bool
	exited bool   // by its own decision: it did not panic, and its code did not trap
	code   uint32 // its exit status, if it was not killed
	text   string
}

// ended takes note of how a process ended.
func (m *machine) ended(p *process) {
	m.proc = nil
	if m.w.leader == m {
		m.w.leader = nil
	}
	e := p.fate()
	if e.killed {
		m.w.counts.Kills++
		p.step(opKill, uint64(m.incarnation), 0, 0, nil)
	} else {
		p.step(opExit, uint64(e.code), 0, 0, nil)
	}
	what := "exit"
	if e.killed {
		what = "killed"
	}
	m.w.tell(m.name, what, e.text)
	if e.killed {
		p.die() // before its sockets are closed: in a power cut nobody closes them
	}
	p.sockets.abortAll()
	switch {
	case m.w.onEnd != nil:
		m.w.onEnd(m, e)
	case !e.killed && (!m.endsItself || e.code != 0):
		m.w.crash(m, e.text)
	}
}

// fate tells how a process ended.
func (p *process) fate() end {
	var exit *wsys.ExitError
	switch {
	case p.killed:
		return end{killed: true, text: fmt.Sprintf("incarnation %d", p.m.incarnation)}
	case errors.As(p.err, &exit):
		return end{exited: true, code: exit.ExitCode(), text: fmt.Sprintf("exit status %d", exit.ExitCode())}
	case p.err != nil:
		text, _, _ := strings.Cut(p.err.Error(), "\n")
		return end{code: 1, text: text}
	}
	return end{exited: true, text: "exit status 0"}
}

// powerCut is what a sudden darkness leaves of the machine: nobody closes its connections, and of what was not synced any
// part may be gone.
func (m *machine) powerCut(chance disk.Chance) {
	m.cond.dark = true
	m.w.counts.PowerCuts++
	m.w.net.powerOff(m.index)
	loss := m.disk.PowerCut(chance)
	if loss.Sectors+loss.Zeroed+loss.Names > 0 {
		m.w.counts.LossyPowerCuts++
	}
	text := fmt.Sprintf("%s: %d sectors lost, %d zeroed, %d names", loss.Mode, loss.Sectors, loss.Zeroed, loss.Names)
	if loss.Torn {
		text += ", a write torn"
		m.w.reached(probeTornWrite)
	}
	m.w.tell(m.name, "dark", text)
}

// rot flips bits at up to three places of what the member keeps, most likely of its log; it tells whether there were any.
func (m *machine) rot(chance disk.Chance) bool {
	flipped := false
	for i := range 1 + chance(0)%3 {
		first := (i + 1) << 16 // of the draws for this place
		under := []string{"log", "log", "log", "log", "snapshots", "stable"}[chance(first)%6]
		r, ok := m.disk.Rot(func(n uint64) uint64 { return chance(first + 1 + n) }, m.name+".data/raft/"+under)
		if ok {
			flipped = true
			m.w.tell(m.name, "rot", fmt.Sprintf("%+v", r))
		}
	}
	return flipped
}

// rotTail flips bits at one place of the newest file of the member's log; it tells whether there was any.
func (m *machine) rotTail(chance disk.Chance) bool {
	last := ""
	for _, path := range m.disk.Files(m.name + ".data/raft/log") { // sorted: a segment's name is its first index, in 20 digits
		if name := path[strings.LastIndexByte(path, '/')+1:]; strings.Trim(name, "0123456789") == "" {
			last = path
		}
	}
	r, ok := m.disk.Rot(chance, last)
	if ok {
		m.w.tell(m.name, "rot", fmt.Sprintf("%+v", r))
	}
	return ok
}

// diskHooks ties a disk to the process that uses it.
type diskHooks struct{ p *process }

func (h diskHooks) Before(op disk.Op, path string) disk.Fault {
	h.p.m.takeAim(op, path)
	h.p.enter()
	if op == disk.OpSync {
		h.p.sleep(h.p.m.syncNanos(h.p.local))
	}
	return h.p.m.diskFault(op, path)
}

func (h diskHooks) Now() int64 { return h.p.m.clock.wall(h.p.local) }

func (h diskHooks) After(op disk.Op, path string, a, b int64, data []byte, errno sys.Errno) {
	if data == nil {
		data = []byte(path)
	}
	if m := h.p.m; errno == sys.EIO && m.cond.full {
		m.cond.excuseFor("a full disk", h.p.local)
	}
	h.p.step(opDisk+opcode(op), uint64(a), uint64(b), uint64(errno), data)
}
