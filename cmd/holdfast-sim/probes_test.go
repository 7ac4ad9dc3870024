package main

import (
	"bytes"
	"testing"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
)

// The table has every probe, reached or not; one that nobody reached fails a sweep that asks for each.
func TestProbesOfASweep(t *testing.T) {
	names := sim.Probes()
	p := probes{}
	for seed := range uint64(3) {
		reached := map[string]int{}
		for i, name := range names[1:] {
			if uint64(i)%3 >= seed {
				reached[name] = 2
			}
		}
		p.add(0x10+2-seed, reached)
	}
	assert.Equal(t, &visits{seeds: 1, times: 2, first: 0x12}, p[names[1]])
	assert.Equal(t, &visits{seeds: 3, times: 6, first: 0x10}, p[names[3]])
	var out bytes.Buffer
	p.write(&out, names)
	assert.Equal(t, 1+len(names), bytes.Count(out.Bytes(), []byte("\n")))
	assert.Contains(t, out.String(), names[0])
	assert.Contains(t, out.String(), "never reached\n")

	all := totals{}
	for i := range uint64(requiredFrom) {
		o := green(i)
		o.report.Probes = map[string]int{names[1]: 1}
		all.add(&o)
	}
	sw := &sweep{totals: all, everyProbe: true, stdout: &out}
	lacking := sw.lacking()
	assert.Len(t, lacking, len(names)-1)
	assert.Contains(t, lacking[0], names[0])
	sw.everyProbe = false
	assert.Empty(t, sw.lacking())
	sw.scenario.before = "before.wasm"
	assert.Len(t, sw.lacking(), len(sim.MixedProbes()), "versions that have nothing to do with each other show nothing")
}
