package sim

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// draws is where all chance in a run comes from. Each draw is a function of the seed, what it is for, whom it concerns
// and a counter of its own, never of how many draws others have made: so that taking one fault out of a run leaves every
// other decision where it was.
type draws uint64

// purpose names what a draw decides.
type purpose string

const (
	forRandom    purpose = "random"     // bytes for a process; entity: machine and incarnation
	forWallClock purpose = "wall-clock" // a machine's wall clock offset
	forBootTime  purpose = "boot-time"  // what a machine's monotonic clock shows at the start
	forLatency   purpose = "latency"    // one segment's way; entity: link
	forTail      purpose = "tail"       // whether that segment is one of the slow ones
	forResend    purpose = "resend"     // wait of a segment that a cut held up; entity: link
	forKeepAlive purpose = "keep-alive" // when a half-open connection is found out; entity: link
	forSync      purpose = "sync"       // duration of an fsync; entity: machine
	forOptions   purpose = "options"    // derived options of the run; entity: which
	forFaults    purpose = "faults"     // the schedule; entity: which fault
	forFault     purpose = "fault"      // what a fault does; entity: its number
	forClockRate purpose = "clock-rate" // a machine's rate error; entity: machine
	forWorkload  purpose = "workload"   // seed of a client process; entity: machine
	forLink      purpose = "link"       // how slow a pair of machines is apart; entity: link from the lower to the higher
	forHeavyTail purpose = "heavy-tail" // what a slow link adds to a segment; entity: link
	forLoss      purpose = "loss"       // whether a lossy link loses a segment; entity: link
	forFlaky     purpose = "flaky"      // whether a flaky link breaks a connection; entity: link
	forSchedule  purpose = "schedule"   // whose turn it is among a member's goroutines; entity: which option of that
	forLate      purpose = "late"       // how often a member's goroutines are late; entity: machine and incarnation
	forGiveUp    purpose = "give-up"    // how long a kernel sends again to a machine that is off; entity: link
	forUpgrades  purpose = "upgrades"   // when a member is upgraded; entity: machine
)

// at returns 64 evenly distributed bits.
func (d draws) at(p purpose, entity, n uint64) uint64 {
	var b [64]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(d))
	binary.LittleEndian.PutUint64(b[8:], entity)
	binary.LittleEndian.PutUint64(b[16:], n)
	k := 24 + copy(b[24:], p)
	return xxhash.Sum64(b[:k])
}

// between returns a number in [lo, hi); lo if that is empty.
func (d draws) between(p purpose, entity, n uint64, lo, hi int64) int64 {
	if hi <= lo {
		return lo
	}
	return lo + int64(d.at(p, entity, n)%uint64(hi-lo))
}

// link is the entity of one direction between two machines.
func link(from, to int) uint64 { return uint64(from)<<32 | uint64(uint32(to)) }

// life is the entity of one incarnation of a machine's process.
func life(machine, incarnation int) uint64 { return link(machine, incarnation) }

// randomSource serves a process's random bytes.
type randomSource struct {
	p *process
	n uint64
}

// Read implements io.Reader; it always fills b.
func (r *randomSource) Read(b []byte) (int, error) {
	r.p.enter()
	var word [8]byte
	for at := 0; at < len(b); at += len(word) {
		binary.LittleEndian.PutUint64(word[:], r.p.m.w.draws.at(forRandom, life(r.p.m.index, r.p.m.incarnation), r.n))
		r.n++
		copy(b[at:], word[:])
	}
	r.p.step(opRandom, uint64(len(b)), 0, 0, b)
	return len(b), nil
}
