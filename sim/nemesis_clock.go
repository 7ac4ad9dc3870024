package sim

import (
	"fmt"
	"time"
)

func (n *nemesis) clockRate(f *Fault) (string, func()) {
	m := n.machine(f.Member)
	m.setRate(f.N)
	return fmt.Sprintf("%+d ppm", f.N), func() { m.setRate(m.basePPM) }
}

// clockStall lets a monotonic clock stand still, and then catch up.
func (n *nemesis) clockStall(f *Fault) (string, func()) {
	n.machine(f.Member).stallClock(f.For)
	n.s.w.stalled += time.Duration(f.For)
	return "its monotonic clock stands still", nil
}

func (n *nemesis) clockStep(f *Fault) (string, func()) {
	n.machine(f.Member).stepWall(f.N)
	return fmt.Sprintf("the wall clock jumps by %v", time.Duration(f.N).Round(time.Millisecond)), nil
}
