package sim

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Limits of a run's options.
const (
	MinNodes    = 3
	MaxNodes    = 7
	MinDuration = 8 * time.Second
	MaxDuration = time.Hour
	// MaxModuleBytes bounds the guest module.
	MaxModuleBytes = 256 << 20
)

var (
	// ErrOptions is wrapped by errors about options that no run can have.
	ErrOptions = errors.New("bad option")
	// ErrModule is wrapped by errors about a guest module that cannot be run.
	ErrModule = errors.New("bad module")
)

// Options is what a run is asked for. Seed, Nodes, Duration and Module decide all that happens; the rest only says what is
// written where.
type Options struct {
	Seed     uint64
	Nodes    int           // members, MinNodes to MaxNodes
	Duration time.Duration // virtual time during which clients work
	Module   []byte        // the guest, as BuildGuest makes it

	CacheDir string    // of compiled modules; empty: none
	Timeline io.Writer // nil: none
	HashLog  io.Writer // one line per step; nil: none
	Logs     io.Writer // what processes print; nil: dropped
	History  io.Writer // the clients' history, JSON lines; nil: none

	// Record asks for Report.Trace; Against is another run's, to hold this one against. A run that differs stops at the
	// first turn that does.
	Record  bool
	Against *Trace

	memberArgs []string // further arguments of members, for the toy ones of the tests
}

func (o *Options) check() error {
	switch {
	case o.Nodes < MinNodes || o.Nodes > MaxNodes:
		return fmt.Errorf("%w: nodes: %d; choose %d to %d", ErrOptions, o.Nodes, MinNodes, MaxNodes)
	case o.Duration < MinDuration || o.Duration > MaxDuration:
		return fmt.Errorf("%w: duration: %v; choose %v to %v", ErrOptions, o.Duration, MinDuration, MaxDuration)
	case len(o.Module) == 0 || len(o.Module) > MaxModuleBytes:
		return fmt.Errorf("%w: %d bytes; expect 1 to %d", ErrModule, len(o.Module), MaxModuleBytes)
	}
	return nil
}

// Plan is what follows from a run's options: every number that the seed decides before anything happens. All times are
// virtual.
type Plan struct {
	LatencyMinNanos, LatencyMaxNanos int64 // of a segment, evenly between
	TailPerMille                     int64 // of the segments take longer
	TailMaxNanos                     int64 // by up to this
	SyncMinNanos, SyncMaxNanos       int64 // of an fsync
	WallOffsetNanos                  int64 // wall clocks are up to this off the truth, either way
	Clients                          int   // that work at one time
	Keys                             int   // they share
	PauseNanos                       int64 // each client's, at most, before an operation
	PartitionLeader                  bool  // isolate who leads at that time; else PartitionMember
	PartitionMember                  int
	PartitionAtNanos, HealAtNanos    int64
	KillLeader                       bool
	KillMember                       int
	KillAtNanos, RestartAtNanos      int64
	KillCalls                        int64 // host calls between the kill's time and the kill
	CalmAtNanos                      int64 // phase two: no fault from here on
	EndNanos                         int64 // clients begin nothing new
}

// The order of the derived options, the counters of their draws. Append only, or old seeds change their meaning.
const (
	drawLatency = iota
	drawTail
	drawSync
	drawPause
	drawPartitionAt
	drawPartitionFor
	drawPartitionLeader
	drawPartitionMember
	drawKillAt
	drawKillLeader
	drawKillMember
	drawKillCalls
)

// Derive makes the plan of a run. It depends on Seed, Nodes and Duration only.
func Derive(o Options) Plan {
	d := draws(o.Seed)
	pick := func(which uint64, lo, hi int64) int64 { return d.between(forOptions, which, 0, lo, hi) }
	whole := int64(o.Duration)
	p := Plan{
		LatencyMinNanos: 80_000,
		LatencyMaxNanos: pick(drawLatency, 300_000, 3_000_000),
		TailPerMille:    pick(drawTail, 0, 20),
		TailMaxNanos:    40_000_000,
		SyncMinNanos:    50_000,
		SyncMaxNanos:    pick(drawSync, 200_000, 4_000_000),
		WallOffsetNanos: 500_000_000,
		Clients:         4,
		Keys:            6,
		PauseNanos:      pick(drawPause, 40_000_000, 160_000_000),
		PartitionLeader: pick(drawPartitionLeader, 0, 3) > 0,
		PartitionMember: int(pick(drawPartitionMember, 0, int64(o.Nodes))),
		KillLeader:      pick(drawKillLeader, 0, 3) > 0,
		KillMember:      int(pick(drawKillMember, 0, int64(o.Nodes))),
		KillCalls:       pick(drawKillCalls, 0, 60),
		CalmAtNanos:     whole * 7 / 10,
		EndNanos:        whole,
	}
	p.PartitionAtNanos = pick(drawPartitionAt, whole*20/100, whole*25/100)
	p.HealAtNanos = p.PartitionAtNanos + pick(drawPartitionFor, whole*12/100, whole*20/100)
	p.KillAtNanos = pick(drawKillAt, whole*48/100, whole*55/100)
	p.RestartAtNanos = p.KillAtNanos + int64(time.Second)
	return p
}

// Lines lists the plan for people, one option a line.
func (p Plan) Lines() []string {
	d := func(nanos int64) time.Duration { return time.Duration(nanos) }
	who := func(leader bool, member int) string {
		if leader {
			return "the leader"
		}
		return memberName(member)
	}
	return []string{
		fmt.Sprintf("latency=%v..%v tail=%d/1000 +%v", d(p.LatencyMinNanos), d(p.LatencyMaxNanos), p.TailPerMille, d(p.TailMaxNanos)),
		fmt.Sprintf("fsync=%v..%v wall-offset=±%v", d(p.SyncMinNanos), d(p.SyncMaxNanos), d(p.WallOffsetNanos)),
		fmt.Sprintf("clients=%d keys=%d pause<%v", p.Clients, p.Keys, d(p.PauseNanos)),
		fmt.Sprintf("partition=%v..%v of %s", d(p.PartitionAtNanos), d(p.HealAtNanos), who(p.PartitionLeader, p.PartitionMember)),
		fmt.Sprintf("kill=%v +%d calls restart=%v of %s", d(p.KillAtNanos), p.KillCalls, d(p.RestartAtNanos), who(p.KillLeader, p.KillMember)),
		fmt.Sprintf("calm=%v end=%v", d(p.CalmAtNanos), d(p.EndNanos)),
	}
}

func memberName(i int) string { return fmt.Sprintf("m%d", i+1) }
