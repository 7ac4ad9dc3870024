package curves

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// WriteTable writes an axis down in Markdown: its places, and the verdicts.
func WriteTable(w io.Writer, a Axis) error {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n\n", strings.ToUpper(a.Name[:1])+a.Name[1:])
	for _, chart := range a.charts() {
		a.table(&b, chart)
	}
	fmt.Fprintf(&b, "%s.\n\n", a.Machine)
	for _, c := range a.Curves {
		fmt.Fprintf(&b, "- %s\n", c.Judge(a.Name))
	}
	b.WriteByte('\n')
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// table writes the curves of one chart. Columns that none of them has are left
// out.
func (a Axis) table(b *strings.Builder, chart string) {
	var perX, timed, loaded bool
	unit := ""
	for _, c := range a.Curves {
		if c.Chart == chart {
			unit, perX = c.Unit, perX || c.Rule.PerX
			timed = timed || slices.ContainsFunc(c.Points, func(p Point) bool { return p.Seconds > 0 })
			loaded = loaded || slices.ContainsFunc(c.Points, func(p Point) bool { return p.Load != nil })
		}
	}
	heads := []string{"", a.X[chart], unit}
	if perX {
		heads = append(heads, "divided by "+a.X[chart])
	}
	if timed {
		heads = append(heads, "seconds")
	}
	if loaded {
		heads = append(heads, "per second", "p50 ms", "p99 ms", "RSS MB")
	}
	fmt.Fprintf(b, "| %s |\n| --- |%s\n", strings.Join(heads, " | "), strings.Repeat(" ---: |", len(heads)-1))
	for _, c := range a.Curves {
		if c.Chart != chart {
			continue
		}
		for _, p := range c.Points {
			cells := []string{c.Name, count(p.X), digits(p.Cost)}
			if perX {
				cells = append(cells, digits(p.Cost/p.X))
			}
			if timed {
				cells = append(cells, blankZero(p.Seconds))
			}
			if loaded {
				cells = append(cells, p.Load.cells()...)
			}
			fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
		}
	}
	b.WriteByte('\n')
}

// charts lists the charts of an axis in the order of its curves.
func (a Axis) charts() (names []string) {
	seen := map[string]bool{}
	for _, c := range a.Curves {
		if !seen[c.Chart] {
			seen[c.Chart] = true
			names = append(names, c.Chart)
		}
	}
	return names
}

func (l *Load) cells() []string {
	if l == nil {
		return []string{"", "", "", ""}
	}
	return []string{count(l.PerSecond), digits(l.P50Millis), digits(l.P99Millis), count(float64(l.RSSBytes) / 1e6)}
}

func blankZero(v float64) string {
	if v == 0 {
		return ""
	}
	return digits(v)
}

// digits writes a number with three digits that count.
func digits(v float64) string {
	if v >= 100 || v <= 0 {
		return count(v)
	}
	decimals := max(0, 2-int(math.Floor(math.Log10(v)+1e-9)))
	return strconv.FormatFloat(v, 'f', decimals, 64)
}
