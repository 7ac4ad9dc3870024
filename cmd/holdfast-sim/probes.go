package main

import (
	"fmt"
	"io"
)

// probes adds up which rare states the seeds of a sweep reached.
type probes map[string]*visits

// visits are those of one probe.
type visits struct {
	seeds, times int
	first        uint64 // the lowest seed that reached it
}

// add counts what one seed reached.
func (p probes) add(seed uint64, reached map[string]int) {
	for name, times := range reached { // added up: no order matters
		v := p[name]
		if v == nil {
			v = &visits{first: seed}
			p[name] = v
		}
		v.seeds, v.times, v.first = v.seeds+1, v.times+times, min(v.first, seed)
	}
}

// missing names those of some probes that no seed reached.
func (p probes) missing(names []string) []string {
	var out []string
	for _, name := range names {
		if p[name] == nil {
			out = append(out, fmt.Sprintf("probe %q: never reached; more seeds, or options that lean towards it", name))
		}
	}
	return out
}

// write writes the table: probe, seeds, times.
func (p probes) write(w io.Writer, names []string) {
	fmt.Fprintf(w, "%-48s %8s %8s  %s\n", "probe", "seeds", "times", "first seed")
	for _, name := range names {
		v := p[name]
		if v == nil {
			fmt.Fprintf(w, "  %-46s %8d %8d  never reached\n", name, 0, 0)
			continue
		}
		fmt.Fprintf(w, "  %-46s %8d %8d  0x%x\n", name, v.seeds, v.times, v.first)
	}
}
