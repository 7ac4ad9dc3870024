package sim

import (
	"context"
	"fmt"
	"io"
	"time"

	"holdfast/jepsen"
)

// applyWatch is told of each entry that nobody had applied before, while a fault lasts.
type applyWatch struct {
	fault int
	tell  func()
}

// world is everything in one run: machines, the network between them, virtual time and what is going to happen. Only one at
// a time does anything in it: the loop, or the process that it has lent the baton to.
type world struct {
	ctx       context.Context
	draws     draws
	plan      Plan
	now       int64 // nanoseconds since the run began
	queue     eventQueue
	machines  []*machine
	net       *network
	trace     *trace
	timeline  *timeline
	history   []byte       // JSON lines, as the clients noted them
	logs      io.Writer    // what processes print; nil: nowhere
	current   *process     // who holds the baton, or held it last: whose host calls are made
	recording *Recording   // nil: none
	leader    *machine     // who last noted that it leads, while it does and lives
	applied   uint64       // the highest log index that any member has applied
	applying  []applyWatch // in the order in which they came

	commits []jepsen.Commit // what the members noted, in the order of time but for what a turn runs ahead
	roles   []jepsen.Role
	votes   []jepsen.Vote

	engine *Engine
	owned  bool // the engine is of this run alone

	onEnd      func(*machine, end) // decides what becomes of a machine whose process ended; nil: see machine.ended
	crashes    []string            // processes that ended though they should not
	violations []string            // what must never be, as the host saw it
	stalls     []jepsen.Stall      // when clocks were made to stand still
	stopped    bool                // at the step that was asked for
	toys       bool                // the members are those of a test
	counts     Counts
	probes     map[string]int // rare states that were reached, how often

	// leak, if set, is added to what a machine's clocks show: the planted fault of the determinism test.
	leak func(machine int, reading uint64) int64
}

// Counts tells how much happened in a run.
type Counts struct {
	Turns, Steps   uint64
	Starts         int
	Kills          int
	PowerCuts      int
	LossyPowerCuts int // that took something unsynced away
	Partitions     int
	Leaders        int // notes of a member that it leads
	DiskErrors     int
	Refusals       int            // processes that ended by themselves for a reason that the nemesis gave them
	HeldUp         int            // streams that met a cut link
	Faults         map[string]int // that struck, by kind
}

func (c *Counts) fault(kind string) {
	if c.Faults == nil {
		c.Faults = map[string]int{}
	}
	c.Faults[kind]++
}

// newWorld makes a world without machines, in the engine of the options or in one of its own.
func newWorld(ctx context.Context, o *Options, plan Plan, t *trace) (*world, error) {
	w := &world{ctx: ctx, draws: draws(o.Seed), plan: plan, trace: t, logs: o.Logs, timeline: &timeline{w: o.Timeline, rec: o.Recording}, recording: o.Recording}
	w.engine, w.owned = o.Engine, o.Engine == nil
	if w.owned {
		var err error
		if w.engine, err = NewEngine(ctx, o); err != nil {
			return nil, err
		}
	}
	w.engine.world = w
	return w, nil
}

// close ends every process.
func (w *world) close() error {
	if w.engine.lost {
		return nil
	}
	for _, m := range w.machines {
		if p := m.proc; p != nil {
			p.killed = true
			p.baton.stop()
		}
	}
	w.engine.world = nil
	if !w.owned {
		return nil
	}
	return w.engine.Close(w.ctx)
}

// add makes a machine; all are added before the network.
func (w *world) add(m *machine) *machine {
	m.w, m.index = w, len(w.machines)
	who := uint64(m.index)
	m.clock.bootNanos = w.draws.between(forBootTime, who, 0, 1e9, 1e13)
	if m.clock.wallNanos != 0 {
		m.clock.wallNanos = w.draws.between(forWallClock, who, 0, -m.clock.wallNanos, m.clock.wallNanos)
	}
	w.machines = append(w.machines, m)
	return m
}

// at plans something for a moment.
func (w *world) at(nanos int64, do func()) { w.queue.push(nanos, do) }

// lostAfter is the real time that a process gets to end its turn when the run is given up.
const lostAfter = 2 * time.Second

// run lets events happen, in order, until there is no more before the limit, or stop says so. When the context ends, the turn
// of that moment has lostAfter to end; a wasm loop that makes no host call does not, and nothing can interrupt it: then its
// goroutine is lost, and the world with it.
func (w *world) run(limit int64, stop func() bool) error {
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		ended <- w.loop(limit, stop)
	}()
	select {
	case err := <-ended:
		return err
	case <-w.ctx.Done():
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(lostAfter):
		w.engine.lost = true
		return context.Cause(w.ctx)
	}
}

func (w *world) loop(limit int64, stop func() bool) error {
	for !stop() {
		e, ok := w.queue.pop(limit)
		if !ok {
			w.now = limit
			return nil
		}
		w.now = max(w.now, e.at)
		e.do()
		if err := context.Cause(w.ctx); err != nil {
			return err
		}
	}
	return nil
}

// turn lends the baton to a process and takes it back.
func (w *world) turn(p *process) {
	p.local = max(p.local, w.now)
	p.planned = false
	p.plan++
	w.counts.Turns++
	p.step(opTurn, uint64(w.now), 0, 0, nil)
	w.current = p
	p.baton.lend()
	if p.done {
		p.m.ended(p)
	}
}

// tell writes a line of the timeline.
func (w *world) tell(who, what, detail string) { w.timeline.line(w.now, who, what, detail) }

// crash notes that a process ended on its own.
func (w *world) crash(m *machine, text string) {
	w.crashes = append(w.crashes, m.name+": "+text)
	for _, line := range m.output.last {
		w.timeline.line(w.now, m.name, "last words", line)
	}
}

// print passes on a line that a process printed.
func (w *world) print(p *process, line []byte) {
	if w.logs != nil {
		fmt.Fprintf(w.logs, "%12.6f  %-4s %s\n", float64(p.local)/1e9, p.m.name, line)
	}
}
