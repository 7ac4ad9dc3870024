package mutant

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// leftOut says which faults of the design's table are no mutants yet, and why.
const leftOut = `M34 (two changes of the members under way at once) and M35 (a change that is not taken back when its entry is cut off)
need changes of the members of a running cluster, which Holdfast does not have yet.
`

// WriteTable writes the page, in Markdown. The same report gives the same bytes.
func WriteTable(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# Planted faults\n\n")
	fmt.Fprintf(&b, "Each row is a build of a member with one fault: one that a store like this one is known to have had, or, from M50 on,\n")
	fmt.Fprintf(&b, "one that was thought out against a promise that few checkers look at. %s\n", campaigns(r.Campaigns))
	fmt.Fprintf(&b, "played against each until the first red run, for at most %s of CPU time.\n", seconds(r.Budget))
	fmt.Fprintf(&b, "Written by `%s`.\n\n", r.Command)
	fmt.Fprintf(&b, "Caught: %d of %d.", r.Caught(), len(r.Rows))
	if n := r.Missed(); n > 0 {
		fmt.Fprintf(&b, " Survived: %d; a survivor says that the simulator does not yet show what it should.", n)
	}
	fmt.Fprintf(&b, " The median mutant takes %s of CPU time.", r.cpu().text("%.1f s"))
	fmt.Fprintf(&b, "\n\n| mutant | fault | known from | caught | checkers | seeds | CPU | seed |\n")
	fmt.Fprintf(&b, "| --- | --- | --- | --- | --- | ---: | ---: | --- |\n")
	for i := range r.Rows {
		row := &r.Rows[i]
		seed := ""
		if s := row.first(); s != nil {
			seed = fmt.Sprintf("`0x%x`", s.Seed)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %d of %d | %s | %s | %s | %s |\n", row.ID, cell(row.Fault), cell(row.Known), row.Caught(), len(row.Scores),
			cell(row.fired()), row.seeds().text("%g"), row.cpu().text("%.1f s"), seed)
	}
	fmt.Fprintf(&b, "\nSeeds counts the runs up to and with the red one, CPU what all of them took, both the median of the campaigns; after `>`\n")
	fmt.Fprintf(&b, "most of them spent as much and caught nothing. The last column plays a red run again.\n")
	r.writeSurvivors(&b)
	fmt.Fprintf(&b, "\n## Left out\n\n%s", leftOut)
	fmt.Fprintf(&b, "\n## The clean build\n\n")
	if r.Clean.Caught {
		fmt.Fprintf(&b, "Red with seed `0x%x`: %s, %s: %s\n", r.Clean.Seed, r.Clean.Outcome.Verdict, r.Clean.Outcome.Checker, r.Clean.Outcome.Detail)
	} else {
		fmt.Fprintf(&b, "%d seeds, all that were spent above, none red, in %s of CPU time.\n", r.Clean.Seeds, seconds(r.Clean.CPU))
	}
	if undecided := r.undecided(); undecided > 0 {
		fmt.Fprintf(&b, "\nRuns without a conclusion, mutants' included: %d.\n", undecided)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table of mutants: %w", err)
	}
	return nil
}

func campaigns(n int) string {
	if n == 1 {
		return "Fresh seeds were"
	}
	return fmt.Sprintf("In each of %d campaigns fresh seeds of its own were", n)
}

// writeSurvivors says of each mutant that was missed why, as far as that is known.
func (r *Report) writeSurvivors(b *strings.Builder) {
	list := r.missedSomewhere()
	if len(list) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## Missed\n\n")
	for _, row := range list {
		why := row.Hard
		if why == "" {
			why = "Not known why; with more seeds it may be caught."
		}
		fmt.Fprintf(b, "- **%s**, in %d of %d campaigns: %s\n", row.ID, len(row.Scores)-row.Caught(), len(row.Scores), why)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// cell makes text fit a cell of a table.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", `\|`)
}
