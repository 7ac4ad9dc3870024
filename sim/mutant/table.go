package mutant

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Row is a mutant with its score.
type Row struct {
	Mutant
	Score
}

// Report is what docs/mutants.md tells.
type Report struct {
	// Rows are in the order in which they are to appear.
	Rows []Row
	// Clean is the score of the build without a fault, played with the same campaign for longer.
	Clean Score
	// Budget is the CPU time that each mutant was given at most.
	Budget time.Duration
	// Command regenerates the page.
	Command string
}

// Caught counts the mutants of which some run was red.
func (r *Report) Caught() int {
	n := 0
	for i := range r.Rows {
		if r.Rows[i].Caught {
			n++
		}
	}
	return n
}

// WriteTable writes the page, in Markdown. The same report gives the same bytes.
func WriteTable(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Planted faults\n\n")
	fmt.Fprintf(&b, "Each row is a build of a member with one fault that a store like this one is known to have had. For each, fresh\n")
	fmt.Fprintf(&b, "seeds were played until the first red run, for at most %s of CPU time. Written by `%s`.\n\n", seconds(r.Budget), r.Command)
	fmt.Fprintf(&b, "Caught: %d of %d.", r.Caught(), len(r.Rows))
	if n := len(r.Rows) - r.Caught(); n > 0 {
		fmt.Fprintf(&b, " Survived: %d; a survivor says that the simulator does not yet show what it should.", n)
	}
	fmt.Fprintf(&b, "\n\n| mutant | fault | known from | result | checker | seeds | CPU | seed |\n")
	fmt.Fprintf(&b, "| --- | --- | --- | --- | --- | ---: | ---: | --- |\n")
	for i := range r.Rows {
		row := &r.Rows[i]
		result, checker, seed := "survived", "", ""
		if row.Caught {
			result, checker, seed = string(row.Outcome.Verdict), row.Outcome.Checker, fmt.Sprintf("`0x%x`", row.Seed)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %s | %s |\n", row.ID, cell(row.Fault), cell(row.Known), result, cell(checker),
			row.Seeds, seconds(row.CPU), seed)
	}
	fmt.Fprintf(&b, "\nSeeds counts the runs up to and with the red one, CPU what all of them took. The last column plays the red run again.\n")
	r.writeSurvivors(&b)
	fmt.Fprintf(&b, "\n## The clean build\n\n")
	if r.Clean.Caught {
		fmt.Fprintf(&b, "Red with seed `0x%x`: %s, %s: %s\n", r.Clean.Seed, r.Clean.Outcome.Verdict, r.Clean.Outcome.Checker, r.Clean.Outcome.Detail)
	} else {
		fmt.Fprintf(&b, "%d seeds, none red, in %s of CPU time.\n", r.Clean.Seeds, seconds(r.Clean.CPU))
	}
	if undecided := r.undecided(); undecided > 0 {
		fmt.Fprintf(&b, "\nRuns without a conclusion, mutants' included: %d.\n", undecided)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table of mutants: %w", err)
	}
	return nil
}

// writeSurvivors says of each survivor why, as far as that is known.
func (r *Report) writeSurvivors(b *strings.Builder) {
	if r.Caught() == len(r.Rows) {
		return
	}
	fmt.Fprintf(b, "\n## Survivors\n\n")
	for i := range r.Rows {
		if row := &r.Rows[i]; !row.Caught {
			why := row.Hard
			if why == "" {
				why = "Not known why; with more seeds it may be caught."
			}
			fmt.Fprintf(b, "- **%s**: %s\n", row.ID, why)
		}
	}
}

func (r *Report) undecided() int {
	n := r.Clean.Undecided
	for i := range r.Rows {
		n += r.Rows[i].Undecided
	}
	return n
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// cell makes text fit a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
