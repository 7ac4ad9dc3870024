package curves

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// Places in a chart, in its own units.
const (
	chartWidth  = 800
	chartHeight = 340
	chartLeft   = 64
	chartRight  = 600 // names of the curves stand right of it
	chartTop    = 40
	chartBottom = 286
	labelGap    = 16 // between two names
)

// chartHead sets colours for light and dark pages.
const chartHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">
<style>
svg { --page: #fcfcfb; --ink: #16181d; --soft: #5b616b; --grid: #e4e5e8; --s1: #2a78d6; --s2: #c8501e; --s3: #12805a; --s4: #4a3aa7; }
@media (prefers-color-scheme: dark) {
  svg { --page: #17181b; --ink: #eceef1; --soft: #a2a8b2; --grid: #2d3036; --s1: #5b9fef; --s2: #ee8050; --s3: #3cbd8c; --s4: #a79df0; }
}
text { font: 13px system-ui, sans-serif; fill: var(--soft); }
.title, .name { fill: var(--ink); }
.page { fill: var(--page); }
.grid { stroke: var(--grid); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.leader { fill: none; stroke-width: 1; }
.c1 { stroke: var(--s1); } .c2 { stroke: var(--s2); } .c3 { stroke: var(--s3); } .c4 { stroke: var(--s4); }
.spot { fill: var(--page); stroke-width: 2; }
</style>
<rect class="page" width="100%%" height="100%%"/>
`

// scale is a logarithmic axis of a chart.
type scale struct {
	low, high float64 // values at its ends
	at, to    float64 // their places
	ticks     []float64
}

// newScale widens the values to steps of 1, 2, 5, or to powers of ten if there
// are many.
func newScale(values []float64, at, to float64) scale {
	s := scale{low: slices.Min(values), high: slices.Max(values), at: at, to: to}
	digits := []float64{1, 2, 5}
	if s.high/s.low > 1000 {
		digits = digits[:1]
	}
	var steps []float64
	for power := math.Floor(math.Log10(s.low)); power <= math.Floor(math.Log10(s.high))+1; power++ {
		for _, d := range digits {
			steps = append(steps, d*math.Pow(10, power))
		}
	}
	first, last := 0, len(steps)-1
	for first+1 < last && steps[first+1] <= s.low*(1+1e-9) {
		first++
	}
	for last-1 > first && steps[last-1] >= s.high*(1-1e-9) {
		last--
	}
	s.ticks = steps[first : last+1]
	s.low, s.high = steps[first], steps[last]
	return s
}

func (s scale) place(v float64) float64 {
	return s.at + (s.to-s.at)*math.Log(v/s.low)/math.Log(s.high/s.low)
}

// WriteCharts draws an axis: a file for each chart, opened by its name.
func WriteCharts(a Axis, open func(name string) (io.WriteCloser, error)) error {
	for _, chart := range a.charts() {
		name := "curves-" + a.Name
		if chart != "" {
			name += "-" + chart
		}
		text, err := a.draw(chart)
		if err != nil {
			return err
		}
		f, err := open(name + ".svg")
		if err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
		_, err = io.WriteString(f, text)
		if err := cmp.Or(err, f.Close()); err != nil {
			return fmt.Errorf("draw %s: %w", name, err)
		}
	}
	return nil
}

// draw gives one chart as SVG. What is not positive has no place on it.
func (a Axis) draw(chart string) (string, error) {
	var xs, ys []float64
	var curves []Curve
	for _, c := range a.Curves {
		if c.Chart != chart {
			continue
		}
		c.Points = slices.DeleteFunc(slices.Clone(c.Points), func(p Point) bool { return !(p.X > 0 && p.Cost > 0) })
		if len(c.Points) == 0 {
			continue
		}
		curves = append(curves, c)
		for _, p := range c.Points {
			xs, ys = append(xs, p.X), append(ys, p.Cost)
		}
	}
	if len(curves) == 0 {
		return "", fmt.Errorf("draw %s %s: nothing was measured", a.Name, chart)
	}
	x, y := newScale(xs, chartLeft, chartRight), newScale(ys, chartBottom, chartTop)
	var b strings.Builder
	fmt.Fprintf(&b, chartHead, chartWidth, chartHeight, curves[0].Unit+" by "+a.X[chart])
	fmt.Fprintf(&b, `<text class="title" x="%d" y="22">%s</text>`+"\n", chartLeft, curves[0].Unit)
	for _, v := range y.ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%d,%.1f H%d"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			chartLeft, y.place(v), chartRight, chartLeft-8, y.place(v)+4, short(v))
	}
	for _, v := range x.ticks {
		fmt.Fprintf(&b, `<path class="grid" d="M%.1f,%d V%d"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x.place(v), chartTop, chartBottom, x.place(v), chartBottom+18, short(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", chartRight, chartBottom+40, a.X[chart])
	labels := placeLabels(curves, y)
	for i, c := range curves {
		c.draw(&b, i%4+1, x, y, labels[i])
	}
	b.WriteString("</svg>\n")
	return b.String(), nil
}

func (c Curve) draw(b *strings.Builder, colour int, x, y scale, label float64) {
	var points []string
	for _, p := range c.Points {
		points = append(points, fmt.Sprintf("%.1f,%.1f", x.place(p.X), y.place(p.Cost)))
	}
	fmt.Fprintf(b, `<polyline class="line c%d" points="%s"/>`+"\n", colour, strings.Join(points, " "))
	for i, p := range c.Points {
		cx, cy, _ := strings.Cut(points[i], ",")
		fmt.Fprintf(b, `<circle class="spot c%d" cx="%s" cy="%s" r="3.5"><title>%s: %s at %s</title></circle>`+"\n",
			colour, cx, cy, c.Name, digits(p.Cost), count(p.X))
	}
	fmt.Fprintf(b, `<path class="leader c%d" d="M%s L%d,%.1f"/><text class="name" x="%d" y="%.1f">%s</text>`+"\n",
		colour, points[len(points)-1], chartRight+14, label, chartRight+20, label+4, c.Name)
}

// placeLabels puts each name beside the end of its curve, and the names apart.
func placeLabels(curves []Curve, y scale) []float64 {
	order := make([]int, len(curves))
	places := make([]float64, len(curves))
	for i, c := range curves {
		order[i], places[i] = i, y.place(c.Points[len(c.Points)-1].Cost)
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(places[i], places[j]) })
	least := 0.0
	for _, i := range order {
		places[i] = max(places[i], least)
		least = places[i] + labelGap
	}
	return places
}

// short writes a tick.
func short(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= unit.size*(1-1e-9) {
			return fmt.Sprintf("%.4g", v/unit.size) + " " + unit.name
		}
	}
	return fmt.Sprintf("%.4g", v)
}
