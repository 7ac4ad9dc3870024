package sim

import (
	"fmt"
	"math"
	"slices"
	"time"

	"holdfast/kernel"
	"holdfast/sim/disk"
)

// Limits of a plan: wider than what is drawn, and narrower than what makes a guest stop on its arguments, take its own
// default instead, or keep the host busy for no purpose.
const (
	maxPlanNanos       = int64(10 * time.Second) // of a latency, an fsync, a client's time-out
	minPlanNanos       = int64(time.Microsecond) // of a latency and an fsync: nothing is done in no time
	maxWallOffset      = int64(time.Hour)
	minElectionTimeout = int64(50 * time.Millisecond)
	maxElectionTimeout = int64(5 * time.Second)
	minPlanTick        = int64(10 * time.Millisecond) // of what a member does again and again, and of a client's time-out
	maxPlanTick        = int64(time.Minute)
	maxSnapshotEntries = 1 << 20
	maxBulkBytes       = 64 << 10
	maxWorkloads       = 16
	maxClients         = 64 // of one workload
	maxSkips           = 10_000
	maxOperations      = 1 << 20 // of one client, as far as skips count them
)

// shortestEnd is when clients stop at the earliest: they may fall silent together with the faults.
const shortestEnd = int64(MinDuration) * 7 / 10

// bound is a number of the plan, by its name in a decision log, and where it has to lie.
type bound struct {
	name       string
	is, lo, hi int64
}

// check refuses a plan that Derive would not make in its wildest draw, and names the field. Errors wrap ErrDecisions: only a
// log can hold such a plan.
func (p *Plan) check() error {
	for _, b := range p.bounds() {
		if b.is < b.lo || b.is > b.hi {
			return fmt.Errorf("%w: plan: %s: %d; expect %d to %d", ErrDecisions, b.name, b.is, b.lo, b.hi)
		}
	}
	if len(p.Workloads) > maxWorkloads {
		return fmt.Errorf("%w: plan: workloads: %d of them; expect %d at most", ErrDecisions, len(p.Workloads), maxWorkloads)
	}
	for _, w := range p.Workloads {
		if !slices.Contains(workloadNames(), w.Name) || w.Clients < 1 || w.Clients > maxClients {
			return fmt.Errorf("%w: plan: workload %q with %d clients; expect a known one with 1 to %d", ErrDecisions, w.Name, w.Clients, maxClients)
		}
	}
	if err := p.checkUpgrades(); err != nil {
		return err
	}
	if len(p.Skips) > maxSkips {
		return fmt.Errorf("%w: plan: skips: %d of them; expect %d at most", ErrDecisions, len(p.Skips), maxSkips)
	}
	for _, s := range p.Skips {
		if s.Client < 0 || s.Client >= maxWorkloads*maxClients || s.From < 0 || s.To <= s.From || s.To > maxOperations {
			return fmt.Errorf("%w: plan: skip of client %d from %d to %d; expect a client of the plan and operations in order, up to %d",
				ErrDecisions, s.Client, s.From, s.To, maxOperations)
		}
	}
	return nil
}

// bounds lists every number of the plan, those first that others are held against.
func (p *Plan) bounds() []bound {
	k := &p.Knobs
	mostPoints := min(p.Priorities.Steps, maxPoints) // none where there are no priorities
	return []bound{
		{"nodes", int64(p.Nodes), MinNodes, MaxNodes},
		{"end_at", p.EndNanos, shortestEnd, int64(MaxDuration)},
		{"calm_at", p.CalmAtNanos, 0, p.EndNanos},
		{"latency_min", p.LatencyMinNanos, minPlanNanos, maxPlanNanos},
		{"latency_max", p.LatencyMaxNanos, p.LatencyMinNanos, maxPlanNanos},
		{"tail_per_mille", p.TailPerMille, 0, 1000},
		{"tail_max", p.TailMaxNanos, 0, maxPlanNanos},
		{"sync_min", p.SyncMinNanos, minPlanNanos, maxPlanNanos},
		{"sync_max", p.SyncMaxNanos, p.SyncMinNanos, maxPlanNanos},
		{"wall_offset", p.WallOffsetNanos, 0, maxWallOffset},
		{"rate_ppm", p.RatePPM, 0, rhoPPM},
		{"ops_per_second", p.OpsPerSecond, 1, maxOpsPerSecond},
		{"timeout", p.TimeoutNanos, minPlanTick, maxPlanNanos},
		{"bulk", p.BulkBytes, 0, maxBulkBytes},
		{"knobs.history_events", int64(k.HistoryEvents), kernel.MinHistoryEvents, kernel.MaxHistoryEvents},
		{"knobs.election_timeout", int64(k.ElectionTimeout), minElectionTimeout, maxElectionTimeout},
		{"knobs.tick", int64(k.Tick), minPlanTick, maxPlanTick},
		{"knobs.snapshot_entries", signed(k.SnapshotEntries), 1, maxSnapshotEntries},
		{"knobs.snapshot_bytes", signed(k.SnapshotBytes), 1, disk.MaxBytes},
		{"knobs.trailing_bytes", signed(k.TrailingBytes), 1, disk.MaxBytes},
		{"knobs.snapshot_check", int64(k.SnapshotCheck), minPlanTick, maxPlanTick},
		{"knobs.segment_bytes", int64(k.SegmentBytes), 1, disk.MaxBytes},
		{"priorities.steps", p.Priorities.Steps, 0, maxSteps},
		{"priorities.points", p.Priorities.Points, 0, mostPoints},
	}
}

func signed(n uint64) int64 { return int64(min(n, math.MaxInt64)) }
