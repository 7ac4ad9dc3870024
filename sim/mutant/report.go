package mutant

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Apart is how far the first seeds of two campaigns lie from each other: no campaign plays as many.
const Apart = 1 << 20

// Row is a mutant with what came of each campaign against it.
type Row struct {
	Mutant
	Scores []Score
}

// Report is what docs/mutants.md tells.
type Report struct {
	// Rows are in the order in which they are to appear.
	Rows []Row
	// Campaigns is how many there were against each mutant.
	Campaigns int
	// Clean adds up what came of the build without a fault, on the seeds of all campaigns.
	Clean Score
	// Budget is the CPU time that each campaign was given at most.
	Budget time.Duration
	// Command regenerates the page.
	Command string
}

// Caught counts the campaigns that caught the mutant.
func (r *Row) Caught() int {
	n := 0
	for i := range r.Scores {
		if r.Scores[i].Caught {
			n++
		}
	}
	return n
}

// first gives the first score of a campaign that caught the mutant, nil if none did.
func (r *Row) first() *Score {
	if i := slices.IndexFunc(r.Scores, func(s Score) bool { return s.Caught }); i >= 0 {
		return &r.Scores[i]
	}
	return nil
}

// fired names the checkers that caught the mutant, the most frequent first, with how often if there was more than one campaign.
func (r *Row) fired() string {
	times := map[string]int{} // read by key only
	var names []string
	for i := range r.Scores {
		if s := &r.Scores[i]; s.Caught {
			if times[s.Outcome.Checker]++; times[s.Outcome.Checker] == 1 {
				names = append(names, s.Outcome.Checker)
			}
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(times[b], times[a]) })
	for i, name := range names {
		if len(r.Scores) > 1 {
			names[i] = fmt.Sprintf("%s ×%d", name, times[name])
		}
	}
	return strings.Join(names, ", ")
}

// measured is a figure; open says that it is one that was passed without an end.
type measured struct {
	value float64
	open  bool
}

// text writes the figure in a format for its value.
func (m measured) text(format string) string {
	text := fmt.Sprintf(format, m.value)
	if m.open {
		return "> " + text
	}
	return text
}

// median is the middle figure. What is open is above all that is not.
func median(list []measured) measured {
	if len(list) == 0 {
		return measured{}
	}
	sorted := slices.Clone(list)
	slices.SortFunc(sorted, func(a, b measured) int {
		switch {
		case a.open == b.open:
			return cmp.Compare(a.value, b.value)
		case a.open:
			return 1
		}
		return -1
	})
	lo, hi := sorted[(len(sorted)-1)/2], sorted[len(sorted)/2]
	return measured{(lo.value + hi.value) / 2, hi.open}
}

// seeds and cpu are the medians over the campaigns of what it took until the first red run, in runs and in seconds.
func (r *Row) seeds() measured {
	return r.median(func(s *Score) float64 { return float64(s.Seeds) })
}

func (r *Row) cpu() measured {
	return r.median(func(s *Score) float64 { return s.CPU.Seconds() })
}

func (r *Row) median(of func(*Score) float64) measured {
	list := make([]measured, 0, len(r.Scores))
	for i := range r.Scores {
		list = append(list, measured{of(&r.Scores[i]), !r.Scores[i].Caught})
	}
	return median(list)
}

// cpu is the median over the mutants of what each took.
func (r *Report) cpu() measured {
	list := make([]measured, 0, len(r.Rows))
	for i := range r.Rows {
		list = append(list, r.Rows[i].cpu())
	}
	return median(list)
}

// Caught counts the mutants that some campaign caught.
func (r *Report) Caught() int {
	n := 0
	for i := range r.Rows {
		if r.Rows[i].Caught() > 0 {
			n++
		}
	}
	return n
}

// Missed counts the mutants that no campaign caught.
func (r *Report) Missed() int { return len(r.Rows) - r.Caught() }

// missedSomewhere lists the mutants that not every campaign caught.
func (r *Report) missedSomewhere() (list []*Row) {
	for i := range r.Rows {
		if row := &r.Rows[i]; row.Caught() < len(row.Scores) {
			list = append(list, row)
		}
	}
	return list
}

func (r *Report) undecided() int {
	n := r.Clean.Undecided
	for i := range r.Rows {
		for j := range r.Rows[i].Scores {
			n += r.Rows[i].Scores[j].Undecided
		}
	}
	return n
}
