package load

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Places in a chart, in its own units.
const (
	chartWidth  = 800
	chartHeight = 320
	chartLeft   = 52
	chartRight  = 660 // names of the lines stand right of it
	chartTop    = 26
	chartBottom = 290
	labelGap    = 15 // between two names
	maxLabel    = 18 // characters
)

// chart is the latency curves of a run, laid out. Both axes are logarithmic:
// each nine of the percentile is as wide, so that the tail shows.
type chart struct {
	Run            Run
	XTicks, YTicks []tick
	Lines          []chartLine

	nines        float64 // at the right end
	lowest, high float64 // ms at the bottom and the top
}

type tick struct {
	At   string
	Text string
}

type chartLine struct {
	Name           string
	Series         int // from 1
	Points, Leader string
	LabelX, LabelY string
	Spots          []spot

	endX, endY, labelY float64
}

// spot tells its figures when pointed at.
type spot struct{ X, Y, Text string }

func newChart(run Run) chart {
	c := chart{Run: run, nines: 1, lowest: math.Inf(1)}
	for _, r := range run.Targets {
		for _, p := range r.Latency.Curve {
			c.nines = max(c.nines, nines(p.Percentile))
			c.lowest = min(c.lowest, drawn(p.Millis))
			c.high = max(c.high, drawn(p.Millis))
		}
	}
	if math.IsInf(c.lowest, 1) {
		return c // nothing was answered
	}
	c.scaleY()
	c.scaleX()
	for i, r := range run.Targets {
		if len(r.Latency.Curve) > 0 {
			c.Lines = append(c.Lines, c.line(i+1, r))
		}
	}
	c.placeLabels()
	return c
}

// nines is how far right a percentile lies: 0 at 0, 1 at 90, 2 at 99.
func nines(percentile float64) float64 {
	return -math.Log10(1 - percentile/100)
}

// drawn keeps what is faster than a microsecond on the paper.
func drawn(millis float64) float64 { return max(millis, 0.001) }

func (c *chart) x(percentile float64) float64 {
	return chartLeft + (chartRight-chartLeft)*nines(percentile)/c.nines
}

func (c *chart) y(millis float64) float64 {
	share := math.Log(drawn(millis)/c.lowest) / math.Log(c.high/c.lowest)
	return chartBottom - (chartBottom-chartTop)*share
}

// scaleY widens the range to steps of 1, 2, 5 and puts a tick at each, or only
// at the tens if there are many.
func (c *chart) scaleY() {
	var steps []float64
	for power := math.Floor(math.Log10(c.lowest)); power <= math.Ceil(math.Log10(c.high)); power++ {
		for _, digit := range []float64{1, 2, 5} {
			steps = append(steps, digit*math.Pow(10, power))
		}
	}
	first, last := 0, len(steps)-1
	for first+1 < len(steps) && steps[first+1] <= c.lowest {
		first++
	}
	for last-1 > first && steps[last-1] >= c.high {
		last--
	}
	steps = steps[first : last+1]
	c.lowest, c.high = steps[0], steps[len(steps)-1]
	for _, step := range steps {
		tens := math.Abs(math.Log10(step)-math.Round(math.Log10(step))) < 1e-9
		digits := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
		if len(steps) <= 10 || tens {
			c.YTicks = append(c.YTicks, tick{place(c.y(step)), strconv.FormatFloat(step, 'f', digits, 64)})
		}
	}
}

func (c *chart) scaleX() {
	for _, p := range []float64{0, 50, 90, 99, 99.9, 99.99, 99.999, 99.9999} {
		if nines(p) <= c.nines+1e-9 {
			c.XTicks = append(c.XTicks, tick{place(c.x(p)), strconv.FormatFloat(p, 'f', -1, 64) + " %"})
		}
	}
}

func (c *chart) line(series int, r Result) chartLine {
	line := chartLine{Name: shorten(r.Target), Series: series}
	var points []string
	for _, p := range r.Latency.Curve {
		line.endX, line.endY = c.x(p.Percentile), c.y(p.Millis)
		x, y := place(line.endX), place(line.endY)
		points = append(points, x+","+y)
		line.Spots = append(line.Spots, spot{x, y, fmt.Sprintf("%.6g %% within %.4g ms", p.Percentile, p.Millis)})
	}
	line.Points = strings.Join(points, " ")
	return line
}

// placeLabels puts each name beside the end of its line, and the names apart.
func (c *chart) placeLabels() {
	order := make([]*chartLine, len(c.Lines))
	for i := range c.Lines {
		order[i] = &c.Lines[i]
	}
	slices.SortStableFunc(order, func(a, b *chartLine) int { return cmp.Compare(a.endY, b.endY) })
	least := float64(chartTop)
	for _, line := range order {
		line.labelY = max(line.endY, least)
		least = line.labelY + labelGap
	}
	const elbow, text = chartRight + 14, chartRight + 20
	for _, line := range order {
		line.LabelX, line.LabelY = place(text), place(line.labelY)
		line.Leader = fmt.Sprintf("M%s,%s L%s,%s", place(line.endX), place(line.endY), place(elbow), place(line.labelY))
	}
}

func shorten(name string) string {
	if len(name) <= maxLabel {
		return name
	}
	return name[:maxLabel-1] + "…"
}

func place(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// The template asks for the frame.

func (chart) Width() int  { return chartWidth }
func (chart) Height() int { return chartHeight }
func (chart) Left() int   { return chartLeft }
func (chart) Right() int  { return chartRight }
func (chart) Top() int    { return chartTop }
func (chart) Bottom() int { return chartBottom }
func (chart) TickX() int  { return chartLeft - 8 }
func (chart) TickY() int  { return chartBottom + 18 }
