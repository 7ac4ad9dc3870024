package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// playFaults is a run of real processes under every fault of networks and clocks.
func playFaults(t *testing.T, against *Trace) *trace {
	tr := newTrace(nil, &Trace{}, against)
	p := newPlay(t, 11, tr, []string{"echo", ":7"}, []string{"ping", "10.0.0.1:7", "20s"}, []string{"sleepers"}, []string{"ping", "10.0.0.1:7", "20s"})
	p.start(0, 1, 2, 3)
	p.until(500 * time.Millisecond)
	p.machines[2].setRate(-rhoPPM)
	p.machines[2].stepWall(-3600 * second)
	p.until(700 * time.Millisecond)
	p.machines[2].stallClock(second / 5)
	p.net.set(0, 1, condition{Times: 4, TailNanos: 2e9})
	p.until(2 * time.Second)
	p.machines[2].setRate(rhoPPM)
	p.net.set(0, 1, condition{LossPerMille: 100})
	p.net.set(3, 0, condition{BreakPerMillion: 20_000})
	p.until(4 * time.Second)
	assert.Positive(t, p.net.resetConns(0, 1, false)+p.net.resetConns(1, 0, true)+p.net.resetConns(0, 3, true))
	p.net.set(1, 0, condition{Clogged: true})
	p.until(6 * time.Second)
	p.net.set(1, 0, condition{})
	p.net.holdConns(0, 1, 1e9)
	p.until(8 * time.Second)
	p.net.powerOff(0)
	p.machines[0].doom(0, nil)
	p.until(10 * time.Second)
	assert.Nil(t, p.machines[0].proc)
	p.net.powerOn(0)
	p.start(0)
	p.until(30 * time.Second)
	for _, m := range p.machines[1:] {
		assert.Nil(t, m.proc, "%s has not ended", m.name)
	}
	assert.Empty(t, p.crashes)
	assert.NotContains(t, p.output.String(), "FAILED")
	assert.Contains(t, p.output.String(), "pinged rounds=true breaks=true")
	assert.Positive(t, p.net.counts.Lost)
	assert.Positive(t, p.net.counts.Broken)
	p.end()
	return tr
}

// Processes come through every fault of networks and clocks, timers hold by their machine's own clock, and a run with
// faults is as repeatable as one without.
func TestFaultsAreDeterministic(t *testing.T) {
	first := playFaults(t, nil)
	second := playFaults(t, first.record)
	assert.Nil(t, second.diverged)
	assert.Equal(t, first.hash, second.hash)
}
