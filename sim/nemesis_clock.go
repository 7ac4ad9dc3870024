package sim

import (
	"fmt"
	"time"

	"holdfast/jepsen"
)

func (n *nemesis) clockRate(f *Fault) (string, func()) {
	m := n.machine(f.Member)
	m.setRate(f.N)
	return fmt.Sprintf("%+d ppm", f.N), func() { m.setRate(m.basePPM) }
}

// clockStall lets a monotonic clock stand still, and then catch up.
func (n *nemesis) clockStall(f *Fault) (string, func()) {
	n.stall(n.machine(f.Member), f.For)
	return "its monotonic clock stands still", nil
}

// stall makes a member's clock stand still and takes note of it: what has a time to live may live so much longer.
func (n *nemesis) stall(m *machine, nanos int64) {
	m.stallClock(nanos)
	n.s.w.stalls = append(n.s.w.stalls, jepsen.Stall{From: n.s.w.now, To: n.s.w.now + nanos})
}

func (n *nemesis) clockStep(f *Fault) (string, func()) {
	n.machine(f.Member).stepWall(f.N)
	return fmt.Sprintf("the wall clock jumps by %v", time.Duration(f.N).Round(time.Millisecond)), nil
}
