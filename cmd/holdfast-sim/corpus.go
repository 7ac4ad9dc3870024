package main

import (
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"holdfast/sim"
)

// corpusText is the corpus: a line a seed (see kept.String), lines of # apart. What a seed does changes with the guest, with
// the plans that are drawn and with the kinds of faults; make corpus writes it anew.
//
//go:embed corpus.txt
var corpusText string

// renewCorpus is the command that does.
const renewCorpus = "make corpus"

// kept is a seed of the corpus: it is known to reach some rare states.
type kept struct {
	seed     uint64
	nodes    int
	duration time.Duration
	probes   []string // those that it is in the corpus for
}

// String is the seed's line in the corpus.
func (k kept) String() string {
	return fmt.Sprintf("seed=0x%x nodes=%d duration=%v: %s", k.seed, k.nodes, k.duration, strings.Join(k.probes, "; "))
}

// readCorpus reads the lines of a corpus. Probes that there are no more are left out: they are no reason to play nothing.
func readCorpus(text string) ([]kept, error) {
	var out []kept
	for i, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		k, duration := kept{}, ""
		head, probes, found := strings.Cut(line, ": ")
		_, err := fmt.Sscanf(head, "seed=%v nodes=%d duration=%s", &k.seed, &k.nodes, &duration)
		if err == nil {
			k.duration, err = time.ParseDuration(duration)
		}
		switch {
		case err != nil:
		case !found:
			err = errors.New("it names no probe")
		case k.nodes < sim.MinNodes || k.nodes > sim.MaxNodes || k.duration < sim.MinDuration || k.duration > sim.MaxDuration:
			err = errors.New("no run can have so many members, or be as long")
		}
		if err != nil {
			return nil, fmt.Errorf("corpus: line %d: %w; expect \"seed=0x1 nodes=3 duration=20s: PROBE; PROBE\", or write it anew with %s", i+1, err, renewCorpus)
		}
		known := sim.Probes()
		k.probes = slices.DeleteFunc(strings.Split(probes, "; "), func(p string) bool { return !slices.Contains(known, p) })
		out = append(out, k)
	}
	return out, nil
}

// scenario is the sweep's, but of a seed of the corpus.
func (k kept) scenario(of scenario) scenario {
	of.seed, of.nodes, of.duration, of.wants = k.seed, k.nodes, k.duration, k.probes
	return of
}

// lost names the probes that a seed of the corpus was to reach and did not.
func (o *outcome) lost() []string {
	if o.report == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(o.scenario.wants), func(p string) bool { return o.report.Probes[p] > 0 })
}

// tellLost tells what a seed of the corpus does not reach any more.
func (sw *sweep) tellLost(o *outcome) {
	if lost := o.lost(); len(lost) > 0 {
		sw.bar.clear()
		fmt.Fprintf(sw.stdout, "corpus: seed=0x%x nodes=%d duration=%v no longer reaches %q; renew with %s\n",
			o.scenario.seed, o.scenario.nodes, o.scenario.duration, lost, renewCorpus)
	}
}

// coverings is how many seeds of the corpus reach each probe, if there are so many.
const coverings = 2

// chooseCorpus chooses of green seeds few and short ones that together reach every probe as often as coverings says, and
// sorts them by what they cost. Probes that none reaches are told as missing.
func chooseCorpus(of []entry) (chosen []kept, missing []string) {
	need := map[string]int{} // read by key only
	for _, p := range sim.Probes() {
		if need[p] = min(countReaching(of, p), coverings); need[p] == 0 {
			missing = append(missing, p)
		}
	}
	taken := pick(of, need)
	taken = prune(taken)
	slices.SortStableFunc(taken, cheaper)
	given := map[string]int{} // read by key only
	for _, e := range taken {
		k := kept{seed: uint64(e.Report.Seed), nodes: e.Report.Nodes, duration: e.Duration}
		for _, p := range sim.Probes() {
			if e.Report.Probes[p] > 0 && given[p] < coverings {
				given[p]++
				k.probes = append(k.probes, p)
			}
		}
		chosen = append(chosen, k)
	}
	return chosen, missing
}

func countReaching(of []entry, probe string) int {
	n := 0
	for _, e := range of {
		if e.Report.Probes[probe] > 0 {
			n++
		}
	}
	return n
}

// cost is what a seed takes, whatever the machine was doing: virtual time, for each member.
func (e *entry) cost() float64 { return float64(e.Report.VirtualNanos) * float64(e.Report.Nodes) }

func cheaper(a, b entry) int {
	switch ca, cb := a.cost(), b.cost(); {
	case ca < cb || ca == cb && a.Report.Seed < b.Report.Seed:
		return -1
	case ca == cb && a.Report.Seed == b.Report.Seed:
		return 0
	}
	return 1
}

// pick takes, again and again, the seed that brings most of what is needed for what it costs.
func pick(of []entry, need map[string]int) []entry {
	left := slices.Clone(of)
	slices.SortStableFunc(left, cheaper)
	var taken []entry
	for {
		best, value := -1, 0.0
		for i := range left {
			gain := 0
			for p, n := range left[i].Report.Probes { // added up: no order matters
				if n > 0 && need[p] > 0 {
					gain++
				}
			}
			if v := float64(gain) / left[i].cost(); v > value {
				best, value = i, v
			}
		}
		if best < 0 {
			return taken
		}
		for p, n := range left[best].Report.Probes { // each on its own: no order matters
			if n > 0 {
				need[p]--
			}
		}
		taken = append(taken, left[best])
		left = slices.Delete(left, best, best+1)
	}
}

// prune drops the seeds, dearest first, without which the others still reach as much as is asked for.
func prune(taken []entry) []entry {
	slices.SortStableFunc(taken, func(a, b entry) int { return cheaper(b, a) })
	for i := 0; i < len(taken); {
		needed := false
		for p, n := range taken[i].Report.Probes { // any: no order matters
			needed = needed || n > 0 && countReaching(taken, p) <= coverings && slices.Contains(sim.Probes(), p)
		}
		if needed {
			i++
			continue
		}
		taken = slices.Delete(taken, i, i+1)
	}
	return taken
}
