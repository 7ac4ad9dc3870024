package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/jepsen"
	"holdfast/sim/client"
	"holdfast/sim/internal/note"
)

// Plan is every number that a run's options decide before anything happens, but for the faults (see Schedule). All times
// are virtual. A decision log holds it whole, and a replay goes by what stands there.
type Plan struct {
	Nodes int `json:"nodes"`
	// Latency of a segment: evenly between Min and Max, times what its link draws; TailPerMille of them take up to TailMax
	// longer.
	LatencyMinNanos int64 `json:"latency_min"`
	LatencyMaxNanos int64 `json:"latency_max"`
	TailPerMille    int64 `json:"tail_per_mille"`
	TailMaxNanos    int64 `json:"tail_max"`
	// An fsync takes evenly between these.
	SyncMinNanos int64 `json:"sync_min"`
	SyncMaxNanos int64 `json:"sync_max"`
	// Wall clocks are up to this off the truth, either way; monotonic clocks of members run off by up to RatePPM parts per
	// million from the start.
	WallOffsetNanos int64 `json:"wall_offset"`
	RatePPM         int64 `json:"rate_ppm"`

	Knobs     note.Knobs `json:"knobs"`
	Workloads []Work     `json:"workloads"`
	// OpsPerSecond is what all clients together aim at.
	OpsPerSecond int64 `json:"ops_per_second"`
	// TimeoutNanos is how long a client waits for an answer: often longer than a leader is away.
	TimeoutNanos int64 `json:"timeout"`
	// BulkBytes is how long some values are; 0: all are short.
	BulkBytes int64 `json:"bulk"`

	// Priorities rank the goroutines of each member; logs of the time before there were any have none.
	Priorities Priorities `json:"priorities,omitzero"`
	// Punctual says that no goroutine of a member is ever late; drawn plans never say so.
	Punctual bool `json:"punctual,omitempty"`

	// Skips are operations that clients leave out; drawn plans have none.
	Skips []Skip `json:"skips,omitempty"`

	// Upgrades has for each member the time from which on it is started from the guest, and before which from that of an earlier
	// version: 0 is from its first start on, -1 never. At that time it is killed, and started again with its disk. Empty: there
	// is no earlier version.
	Upgrades []int64 `json:"upgrades,omitempty"`

	CalmAtNanos int64 `json:"calm_at"` // phase two: no fault from here on
	EndNanos    int64 `json:"end_at"`  // clients begin nothing new
}

// Skip is operations of one client that it leaves out.
type Skip = client.Skip

// silent tells whether the clients fall silent with the last fault.
func (p *Plan) silent() bool { return p.EndNanos == p.CalmAtNanos }

// Work is one workload of a run and the clients that do it at one time.
type Work struct {
	Name    string `json:"name"`
	Clients int    `json:"clients"`
}

// The order of the derived options, the counters of their draws. Append only, or old seeds change their meaning.
const (
	drawLatency = iota
	drawTail
	drawSync
	drawRate
	drawOps
	drawRing
	drawElection
	drawTick
	drawSnapshotEntries
	drawTrailing
	drawSegment
	drawWorkloads
	drawTimeout
	drawBulk
	drawQuiet
	drawSnapshotBytes
	drawClients  = 100 // and above: one a workload
	drawFaultMix = 200 // and above: two a kind
)

// workloadNames lists what --workload takes.
func workloadNames() []string { return jepsen.Workloads() }

// quietLast is how long before a run's length the faults end of which the clients are silent afterwards.
const quietLast = 2_000_000_000

// longestCalm is how long before a run's length the faults of a long one end.
const longestCalm = 60_000_000_000

// Derive makes the plan of a run. It depends on Seed, Nodes, Duration, Workloads, OpsPerSecond and Schedule only, and on whether
// there is a guest Before.
func Derive(o Options) Plan {
	d := draws(o.Seed)
	pick := func(which uint64, lo, hi int64) int64 { return d.between(forOptions, which, 0, lo, hi) }
	whole := int64(o.Duration)
	p := Plan{
		Nodes:           o.Nodes,
		LatencyMinNanos: 80_000,
		LatencyMaxNanos: pick(drawLatency, 300_000, 3_000_000),
		TailPerMille:    pick(drawTail, 0, 20),
		TailMaxNanos:    40_000_000,
		SyncMinNanos:    50_000,
		SyncMaxNanos:    pick(drawSync, 200_000, 4_000_000),
		WallOffsetNanos: 500_000_000,
		RatePPM:         pick(drawRate, 0, rhoPPM),
		Knobs: note.Knobs{
			ElectionTimeout: time.Duration(pick(drawElection, 300, 601)) * time.Millisecond,
			Tick:            time.Duration(pick(drawTick, 100, 501)) * time.Millisecond,
			SnapshotEntries: uint64(pick(drawSnapshotEntries, 20, 200)),
			SnapshotBytes:   256 << 10,
			TrailingBytes:   uint64(pick(drawTrailing, 1, 17)) << 8,
			SnapshotCheck:   500 * time.Millisecond,
			SegmentBytes:    int(pick(drawSegment, 1, 17)) << 9,
		},
		OpsPerSecond: pick(drawOps, 40, 61),
		CalmAtNanos:  max(whole*7/10, whole-longestCalm),
		EndNanos:     whole,
	}
	// Half of the rings are shorter than what happens during one poll.
	if p.Knobs.HistoryEvents = int(pick(drawRing, 8, 64)); d.at(forOptions, drawRing, 1)%2 == 0 {
		p.Knobs.HistoryEvents = int(d.between(forOptions, drawRing, 2, 64, 1001))
	}
	// In two runs of five the clients fall silent with the last fault: whoever is behind then gets no further write, and no
	// snapshot of it, to help him on.
	quiet := d.at(forOptions, drawQuiet, 0)%5 < 2
	if quiet {
		p.CalmAtNanos = max(p.CalmAtNanos, whole-quietLast)
		p.EndNanos = p.CalmAtNanos
	}
	// Two in five logs, nine in ten of silent runs', are cut down at every opportunity, so that whoever was away for a moment
	// needs a snapshot; even if nothing happened meanwhile but an election.
	if one := d.at(forOptions, drawSnapshotEntries, 1) % 10; one < 4 || quiet && one < 9 {
		p.Knobs.SnapshotEntries = uint64(d.between(forOptions, drawSnapshotEntries, 2, 1, 20))
		switch {
		case quiet: // as many as an election makes; a snapshot of each single one would help whoever is behind on
			p.Knobs.SnapshotEntries = 2
		case d.at(forOptions, drawSnapshotEntries, 3)%2 == 0:
			p.Knobs.SnapshotEntries = 1
		}
		p.Knobs.SnapshotCheck, p.Knobs.TrailingBytes = 100*time.Millisecond, 1
		p.Knobs.SegmentBytes = int(d.between(forOptions, drawSegment, 1, 256, 1024))
	}
	// In every fourth run it is the log's bytes that make snapshots due, hence soon after a batch of long values: if the number
	// of entries does not do so earlier, and somebody looks often enough to come upon a batch that is under way.
	if d.at(forOptions, drawSnapshotBytes, 0)%4 == 0 {
		p.Knobs.SnapshotBytes = uint64(d.between(forOptions, drawSnapshotBytes, 1, 2<<10, 24<<10))
		if !quiet {
			p.Knobs.SnapshotEntries, p.Knobs.SnapshotCheck = 1000, 100*time.Millisecond
		}
	}
	if o.OpsPerSecond > 0 {
		p.OpsPerSecond = o.OpsPerSecond
	}
	// Patient clients are still there when a leader wakes up; impatient ones, a third, two of silent runs', fill its log with
	// what nobody waits for.
	p.TimeoutNanos = pick(drawTimeout, 800_000_000, 3_000_000_000)
	if one := d.at(forOptions, drawTimeout, 1) % 3; one == 0 || quiet && one == 1 {
		p.TimeoutNanos = d.between(forOptions, drawTimeout, 2, 100_000_000, 300_000_000)
	}
	if d.at(forOptions, drawBulk, 0)%4 != 0 {
		p.BulkBytes = d.between(forOptions, drawBulk, 1, 300, 3000)
	}
	p.Workloads = drawWork(d, o.Workloads)
	p.Priorities = drawPriorities(d, o.Schedule)
	if len(o.Before) > 0 {
		p.Upgrades = drawUpgrades(d, &p)
	}
	return p
}

// drawWork chooses the workloads, two to four of them unless they are given, and how many clients do each.
func drawWork(d draws, asked []string) []Work {
	names := slices.Clone(asked)
	if asked == nil {
		all := workloadNames()
		for n := d.between(forOptions, drawWorkloads, 0, 2, 5); n > 0; n-- {
			i := d.at(forOptions, drawWorkloads, uint64(n)) % uint64(len(all))
			names = append(names, all[i])
			all = slices.Delete(slices.Clone(all), int(i), int(i)+1)
		}
	}
	// Watches find more than anything else, and cost little.
	if asked == nil && d.at(forOptions, drawWorkloads, 99)%2 == 0 && !slices.Contains(names, "watch") {
		names = append(names, "watch")
	}
	out := make([]Work, 0, len(names))
	for i, name := range names {
		out = append(out, Work{Name: name, Clients: int(d.between(forOptions, drawClients+uint64(i), 0, 2, 5))})
	}
	return out
}

// pauseNanos is how long a client waits at most before an operation, so that all of them together do OpsPerSecond.
func (p *Plan) pauseNanos() int64 {
	clients := 0
	for _, w := range p.Workloads {
		clients += w.Clients
	}
	const answer = 8 * time.Millisecond // about
	return int64(max(2*(time.Duration(clients)*time.Second/time.Duration(max(p.OpsPerSecond, 1))-answer), time.Millisecond))
}

// Lines lists the plan for people, a group of options a line.
func (p *Plan) Lines() []string {
	d := func(nanos int64) time.Duration { return time.Duration(nanos) }
	work := make([]string, 0, len(p.Workloads))
	for _, w := range p.Workloads {
		work = append(work, fmt.Sprintf("%s×%d", w.Name, w.Clients))
	}
	k := p.Knobs
	lines := []string{
		fmt.Sprintf("latency=%v..%v tail=%d/1000 +%v", d(p.LatencyMinNanos), d(p.LatencyMaxNanos), p.TailPerMille, d(p.TailMaxNanos)),
		fmt.Sprintf("fsync=%v..%v wall-offset=±%v rate=±%dppm", d(p.SyncMinNanos), d(p.SyncMaxNanos), d(p.WallOffsetNanos), p.RatePPM),
		fmt.Sprintf("election=%v tick=%v ring=%d snapshot=%d entries trailing=%d bytes segment=%d bytes",
			k.ElectionTimeout, k.Tick, k.HistoryEvents, k.SnapshotEntries, k.TrailingBytes, k.SegmentBytes),
		fmt.Sprintf("workloads=%s at %d operations a second, timeout=%v bulk=%d bytes",
			strings.Join(work, ","), p.OpsPerSecond, d(p.TimeoutNanos), p.BulkBytes),
		fmt.Sprintf("calm=%v end=%v schedule=%v", d(p.CalmAtNanos), d(p.EndNanos), p.scheduled()),
	}
	if len(p.Upgrades) > 0 {
		lines = append(lines, "upgrades="+p.Upgraded())
	}
	return lines
}

// scheduled tells of the members' goroutines.
func (p *Plan) scheduled() string {
	if p.Punctual {
		return p.Priorities.String() + ", nobody late"
	}
	return p.Priorities.String()
}

func memberName(i int) string { return fmt.Sprintf("m%d", i+1) }
