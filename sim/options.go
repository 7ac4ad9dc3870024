package sim

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Limits of a run's options.
const (
	MinNodes        = 3
	MaxNodes        = 7
	MinDuration     = 8 * time.Second
	MaxDuration     = 24 * time.Hour
	MaxPace         = time.Hour // between two faults
	maxOpsPerSecond = 10_000
	// MaxModuleBytes bounds the guest module.
	MaxModuleBytes = 256 << 20
)

var (
	// ErrOptions is wrapped by errors about options that no run can have.
	ErrOptions = errors.New("bad option")
	// ErrModule is wrapped by errors about a guest module that cannot be run.
	ErrModule = errors.New("bad module")
)

// Options is what a run is asked for. Seed, Nodes, Duration, Workloads, Faults, Schedule, OpsPerSecond, Pace, Module and Before
// decide all that happens, or else Decisions and the two modules; the rest only says what is written where.
type Options struct {
	Seed     uint64
	Nodes    int           // members, MinNodes to MaxNodes
	Duration time.Duration // virtual time during which clients work
	Module   []byte        // the guest, as BuildGuest makes it
	// Before is the guest of an earlier version, for a run in which members are upgraded (see Plan.Upgrades); nil: none.
	Before []byte
	// Workloads and Faults are names of jepsen.Workloads and of FaultKinds; nil leaves the choice to the seed. No faults at
	// all is the empty list.
	Workloads []string
	Faults    []string
	// Schedule is ScheduleUniform or SchedulePriority; empty leaves it to the seed.
	Schedule string
	// OpsPerSecond is what all clients together aim at; 0 leaves it to the seed.
	OpsPerSecond int64
	// Pace is the mean time between two faults; 0 leaves it to the seed.
	Pace time.Duration
	// Decisions plays a decision log instead of drawing a plan; its seed, nodes and duration hold.
	Decisions *Decisions
	// UntilStep stops the run there, 0: never. The verdict and the hash then are of an unfinished run, of which no Log is
	// written: played again it would go on.
	UntilStep uint64

	Engine   *Engine   // of Module and Before; nil: the run makes one for itself alone
	CacheDir string    // of compiled modules; empty: none; not asked if there is an Engine
	Timeline io.Writer // nil: none
	HashLog  io.Writer // one line per step; nil: none
	Logs     io.Writer // what processes print; nil: dropped
	History  io.Writer // the clients' history, JSON lines; nil: none
	Log      io.Writer // the decision log; nil: none
	// Recording is filled with what happens; nil: nobody looks on.
	Recording *Recording
	// Commit is of the simulator's sources: a log tells it, and a replay holds it against the log's.
	Commit string

	// Record asks for Report.Trace; Against is another run's, to hold this one against. A run that differs stops at the
	// first turn that does.
	Record  bool
	Against *Trace

	memberArgs []string // further arguments of members, for the toy ones of the tests
}

func (o *Options) check() error {
	switch {
	case len(o.Module) == 0 || len(o.Module) > MaxModuleBytes:
		return fmt.Errorf("%w: %d bytes; expect 1 to %d", ErrModule, len(o.Module), MaxModuleBytes)
	case len(o.Before) > MaxModuleBytes:
		return fmt.Errorf("%w: of the earlier version: %d bytes; expect %d at most", ErrModule, len(o.Before), MaxModuleBytes)
	case o.Decisions != nil && o.Decisions.Mixed() && len(o.Before) == 0:
		return fmt.Errorf("%w: before: none, and the log has members of an earlier version; give its module, %s", ErrOptions, o.Decisions.Before)
	case o.UntilStep > 0 && o.Log != nil:
		return fmt.Errorf("%w: decision log: the run is to stop at step %d, and a log is of a whole one; leave out one of the two", ErrOptions, o.UntilStep)
	case o.Engine != nil && (o.Engine.lost || !o.Engine.Runs(o)):
		return fmt.Errorf("%w: engine: it is of the module %s, or lost; make one of the modules to be run", ErrOptions, o.Engine.module.hash)
	case o.Decisions != nil:
		return o.Decisions.check()
	case o.Nodes < MinNodes || o.Nodes > MaxNodes:
		return fmt.Errorf("%w: nodes: %d; choose %d to %d", ErrOptions, o.Nodes, MinNodes, MaxNodes)
	case o.Duration < MinDuration || o.Duration > MaxDuration:
		return fmt.Errorf("%w: duration: %v; choose %v to %v", ErrOptions, o.Duration, MinDuration, MaxDuration)
	}
	if o.Pace < 0 || o.Pace > MaxPace {
		return fmt.Errorf("%w: %v between faults; choose up to %v", ErrOptions, o.Pace, MaxPace)
	}
	if o.OpsPerSecond < 0 || o.OpsPerSecond > maxOpsPerSecond {
		return fmt.Errorf("%w: %d operations a second; choose up to %d", ErrOptions, o.OpsPerSecond, maxOpsPerSecond)
	}
	if len(o.Workloads) > maxWorkloads {
		return fmt.Errorf("%w: workloads: %d of them; choose up to %d", ErrOptions, len(o.Workloads), maxWorkloads)
	}
	for _, name := range o.Workloads {
		if !slices.Contains(workloadNames(), name) {
			return fmt.Errorf("%w: workload: %q; choose of %s", ErrOptions, name, strings.Join(workloadNames(), " "))
		}
	}
	if s := o.Schedule; s != "" && s != ScheduleUniform && s != SchedulePriority {
		return fmt.Errorf("%w: schedule: %q; choose of %s %s", ErrOptions, s, ScheduleUniform, SchedulePriority)
	}
	for _, name := range o.Faults {
		if faultKind(name) == nil {
			return fmt.Errorf("%w: fault: %q; choose of %s", ErrOptions, name, strings.Join(FaultKinds(), " "))
		}
	}
	return nil
}
