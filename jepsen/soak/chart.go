package soak

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"
)

// Places in the picture, in its own units.
const (
	chartWidth  = 860
	chartLeft   = 62
	chartRight  = 834
	panelTop    = 82 // of the first
	panelHeight = 120
	panelStep   = 168
	xTicks      = 6
)

// chart is the picture of a run, laid out: a panel for each quantity, a line in it
// for each member.
type chart struct {
	Title  string
	Keys   []chartKey
	Panels []panel

	// Geometry, for the template.
	Width, Height, Left, Right int
	WarmUp                     string // where what is judged begins
}

type chartKey struct {
	Class, Name, X string
}

type panel struct {
	Name          string
	Top, Bottom   int
	TitleY, TickY int
	YTicks        []chartTick
	XTicks        []chartTick
	Lines         []chartLine
	Marks         []mark
}

type chartTick struct{ At, Text string }

type chartLine struct{ Class, Path string }

// mark is an upheaval.
type mark struct{ Class, X, Text string }

// WritePicture draws the series of a run as SVG, for light and dark pages.
func (r *Report) WritePicture(w io.Writer) error {
	c := chart{
		Width: chartWidth, Left: chartLeft, Right: chartRight,
		Height: panelTop + len(Quantities())*panelStep - (panelStep - panelHeight) + 28,
		Title: fmt.Sprintf("%v at %.0f operations a second; members stopped, killed or held up %d times",
			r.Took.Round(time.Second), r.Asked, len(r.Upheavals)),
		WarmUp: place(r.x(r.WarmUp)),
	}
	for i, s := range r.Series {
		name := s.Member
		if i == 0 {
			name += " (never restarted)"
		}
		c.Keys = append(c.Keys, chartKey{class(i), name, strconv.Itoa(chartLeft + i*170)})
	}
	for q, quantity := range Quantities() {
		c.Panels = append(c.Panels, r.panel(q, quantity))
	}
	if err := picture.Execute(w, c); err != nil {
		return fmt.Errorf("soak: draw: %w", err)
	}
	return nil
}

func class(member int) string { return "m" + strconv.Itoa(member+1) }

func place(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

// x is where a time lies.
func (r *Report) x(at time.Duration) float64 {
	share := at.Seconds() / max(r.Took.Seconds(), 1e-9)
	return chartLeft + (chartRight-chartLeft)*min(share, 1)
}

func (r *Report) panel(q int, quantity Quantity) panel {
	p := panel{Name: quantity.Name, Top: panelTop + q*panelStep}
	if quantity.Unit != "" {
		p.Name += ", " + quantity.Unit
	}
	p.Bottom, p.TitleY = p.Top+panelHeight, p.Top-9
	p.TickY = p.Bottom + 16
	highest := 1.0
	for _, s := range r.Series {
		for _, point := range s.Points[q] {
			highest = max(highest, point.Value)
		}
	}
	step := niceStep(highest / 3)
	top := step * math.Ceil(highest/step)
	y := func(v float64) string { return place(float64(p.Bottom) - panelHeight*v/top) }
	for v := 0.0; v <= top*1.001; v += step {
		p.YTicks = append(p.YTicks, chartTick{y(v), strconv.FormatFloat(v, 'f', -1, 64)})
	}
	for i := range xTicks + 1 {
		at := r.Took * time.Duration(i) / xTicks
		p.XTicks = append(p.XTicks, chartTick{place(r.x(at)), at.Round(time.Second).String()})
	}
	for i, s := range r.Series {
		p.Lines = append(p.Lines, chartLine{class(i), r.path(s.Points[q], y)})
	}
	for _, u := range r.Upheavals {
		i := slices.IndexFunc(r.Series, func(s Series) bool { return s.Member == u.Member })
		p.Marks = append(p.Marks, mark{class(i), place(r.x(u.At)), fmt.Sprintf("%s %s at %v", u.Member, u.How, u.At.Round(time.Second))})
	}
	return p
}

// path draws points as one line, with gaps where an upheaval of several samples'
// length left some out.
func (r *Report) path(points []Point, y func(float64) string) string {
	var gaps []float64
	for i := 1; i < len(points); i++ {
		gaps = append(gaps, (points[i].At - points[i-1].At).Seconds())
	}
	usual := math.Inf(1)
	if len(gaps) > 0 {
		usual = median(gaps)
	}
	var b strings.Builder
	for i, p := range points {
		verb := "L"
		if i == 0 || gaps[i-1] > 1.5*usual {
			verb = "M"
		}
		fmt.Fprintf(&b, "%s%s,%s", verb, place(r.x(p.At)), y(p.Value))
	}
	return b.String()
}

// niceStep is the next of 1, 2, 5 times a power of ten.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, digit := range []float64{1, 2, 5} {
		if digit*power >= v {
			return max(1, digit*power)
		}
	}
	return max(1, 10*power)
}

var picture = template.Must(template.New("picture").Parse(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-label="What three members held over time">
<style>
svg { color-scheme: light dark; --page: #fcfcfb; --ink: #16181d; --soft: #5b616b; --grid: #e4e5e8; --m1: #2a78d6; --m2: #eb6834; --m3: #1baf7a; }
@media (prefers-color-scheme: dark) { svg { --page: #17181b; --ink: #eceef1; --soft: #a2a8b2; --grid: #2d3036; --m1: #3987e5; --m2: #d95926; --m3: #199e70; } }
text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.name { fill: var(--ink); font-weight: 600; }
.page { fill: var(--page); }
.warm { fill: var(--grid); opacity: 0.45; }
.grid { stroke: var(--grid); }
.line { fill: none; stroke-width: 1.6; stroke-linejoin: round; }
.mark { stroke-width: 2.5; }
.m1 { stroke: var(--m1); } .m2 { stroke: var(--m2); } .m3 { stroke: var(--m3); }
</style>
<rect class="page" width="{{.Width}}" height="{{.Height}}"/>
{{range .Keys}}<g transform="translate({{.X}} 12)"><path class="line {{.Class}}" d="M0,0H18"/><text x="24" y="4">{{.Name}}</text></g>
{{end}}<text x="{{.Left}}" y="34">{{.Title}}, each at a tick on the time axis.</text>
<text x="{{.Left}}" y="51">Shaded: warming up, not judged.</text>
{{range .Panels}}{{$p := .}}<text class="name" x="{{$.Left}}" y="{{.TitleY}}">{{.Name}}</text>
<path class="warm" d="M{{$.Left}},{{.Top}}H{{$.WarmUp}}V{{.Bottom}}H{{$.Left}}z"/>
{{range .YTicks}}<path class="grid" d="M{{$.Left}},{{.At}}H{{$.Right}}"/><text x="54" y="{{.At}}" text-anchor="end" dominant-baseline="middle">{{.Text}}</text>
{{end}}{{range .XTicks}}<text x="{{.At}}" y="{{$p.TickY}}" text-anchor="middle">{{.Text}}</text>
{{end}}{{range .Lines}}<path class="line {{.Class}}" d="{{.Path}}"/>
{{end}}{{range .Marks}}<path class="mark {{.Class}}" d="M{{.X}},{{$p.Bottom}}v-8"><title>{{.Text}}</title></path>
{{end}}{{end}}</svg>
`))
