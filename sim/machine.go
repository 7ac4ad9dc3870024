package sim

import (
	"bytes"
	"context"
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
	disk  *disk.Disk
	clock clock
	// incarnation counts the processes that were started here, from 1.
	incarnation int
	proc        *process // nil: nothing runs
	syncs       uint64   // fsyncs so far, the counter of their durations
	// endsItself allows the process to exit with status 0.
	endsItself bool
	output     lines
}

// clock turns virtual time into what a machine's clocks show. Reading a clock costs readingNanos of virtual time, so that
// a loop that waits for time to pass ends; since virtual time never goes back, neither does the monotonic clock.
type clock struct {
	bootNanos int64 // what the monotonic clock shows at virtual time 0
	wallNanos int64 // what the wall clock is ahead of the truth; may be negative
}

// readingNanos is the price of a host call that asks for the time.
const readingNanos = 40

func (c *clock) monotonic(virtual int64) int64 { return c.bootNanos + virtual }
func (c *clock) wall(virtual int64) int64      { return epochNanos + c.wallNanos + virtual }

// errKilled unwinds a process that has to die where it stands.
var errKilled = errors.New("killed")

// process is one life of a machine: one wasm instance on a host goroutine of its own, which runs only while it holds the
// baton. All fields belong to whoever holds it.
type process struct {
	m             *machine
	resume, yield chan struct{}
	local         int64 // its virtual time: the world's, plus what it has used up in this turn
	wakeAt        int64 // when its next turn is planned; meaningful if planned
	planned       bool
	plan          uint64 // tells an event that its turn was planned anew
	killed        bool
	killAfter     int64 // host calls left to live once doomed
	doomed        bool
	done          bool
	err           error // how it ended, if done
	door          doorbell
	sockets       sockets
	subs          []byte // poll's copy of its subscriptions
	readings      uint64 // clock readings so far
}

type processKey struct{}

// start boots a new process on the machine.
func (m *machine) start() {
	m.incarnation++
	p := &process{m: m, resume: make(chan struct{}), yield: make(chan struct{}), local: m.w.now}
	p.sockets.init()
	p.door.fd = -1
	m.proc = p
	p.step(opStart, uint64(m.incarnation), 0, 0, nil)
	m.w.running.Add(1)
	go p.run()
	p.wake(m.w.now)
}

func (p *process) run() {
	defer p.m.w.running.Done()
	<-p.resume
	if !p.killed {
		ctx := context.WithValue(p.m.w.ctx, processKey{}, p)
		mod, err := p.m.w.runtime.InstantiateModule(ctx, p.m.w.module, p.config())
		if mod != nil {
			err = errors.Join(err, mod.Close(ctx))
		}
		p.err = err
	}
	p.done = true
	p.yield <- struct{}{}
}

func (p *process) config() wazero.ModuleConfig {
	files := wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(&rootFS{FS: p.m.disk.Mount(diskHooks{p}), p: p}, "/")
	return wazero.NewModuleConfig().WithName("").
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
		panic(errKilled)
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
	p.yield <- struct{}{}
	<-p.resume
	if p.killed {
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
	at = max(at, p.local)
	if p.done || p.planned && p.wakeAt <= at {
		return
	}
	p.planned, p.wakeAt = true, at
	p.plan++
	plan := p.plan
	p.m.w.queue.push(at, func() {
		if p.plan == plan && !p.done {
			p.m.w.turn(p)
		}
	})
}

// doom kills the process at one of its next host calls; if it makes too few, at the latest killGraceNanos from now.
func (m *machine) doom(calls int64) {
	p := m.proc
	p.doomed, p.killAfter = true, calls
	m.w.queue.push(m.w.now+killGraceNanos, func() {
		if !p.done {
			p.killed = true
			m.w.turn(p)
		}
	})
}

const killGraceNanos = 100_000_000

// ended takes note of how a process ended.
func (m *machine) ended(p *process) {
	m.proc = nil
	p.sockets.abortAll()
	m.w.observe(m, "")
	if p.killed {
		m.w.counts.Kills++
		p.step(opKill, uint64(m.incarnation), 0, 0, nil)
		m.w.tell(m.name, "killed", fmt.Sprintf("incarnation %d", m.incarnation))
		return
	}
	var exit *wsys.ExitError
	code, text := uint32(0), "exit status 0"
	switch {
	case errors.As(p.err, &exit):
		code = exit.ExitCode()
		text = fmt.Sprintf("exit status %d", code)
	case p.err != nil:
		code = 1
		text, _, _ = strings.Cut(p.err.Error(), "\n")
	}
	p.step(opExit, uint64(code), 0, 0, nil)
	m.w.tell(m.name, "exit", text)
	if !m.endsItself || code != 0 {
		m.w.crash(m, text)
	}
}

// diskHooks ties a disk to the process that uses it.
type diskHooks struct{ p *process }

func (h diskHooks) Before(op disk.Op) {
	h.p.enter()
	if op != disk.OpSync {
		return
	}
	m := h.p.m
	m.syncs++
	h.p.sleep(m.w.draws.between(forSync, uint64(m.index), m.syncs, m.w.plan.SyncMinNanos, m.w.plan.SyncMaxNanos))
}

func (h diskHooks) Now() int64 { return h.p.m.clock.wall(h.p.local) }

func (h diskHooks) After(op disk.Op, path string, a, b int64, data []byte, errno sys.Errno) {
	if data == nil {
		data = []byte(path)
	}
	h.p.step(opDisk+opcode(op), uint64(a), uint64(b), uint64(errno), data)
}
