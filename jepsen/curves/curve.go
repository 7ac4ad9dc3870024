package curves

import "fmt"

// Point is what was measured at one place of an axis.
type Point struct {
	// X is the place: keys, connections, watches or bytes.
	X float64 `json:"x"`
	// Cost is in the curve's unit, of one operation, event, start or snapshot.
	Cost float64 `json:"cost"`
	// Seconds is how long it took, where that was measured by itself.
	Seconds float64 `json:"seconds,omitempty"`
	// Load is what the clients saw; nil where there were none.
	Load *Load `json:"load,omitempty"`
}

// Load is what the load generator reported for a point.
type Load struct {
	PerSecond float64 `json:"per_second"` // operations or events, the median slice
	P50Millis float64 `json:"p50_ms"`
	P99Millis float64 `json:"p99_ms"`
	RSSBytes  int64   `json:"server_rss_bytes"` // all members together
	Errors    int64   `json:"errors"`
}

// Curve is a cost along an axis, in the order of its points.
type Curve struct {
	// Name says what is done, as "put".
	Name string `json:"name"`
	// Unit is that of the costs, as "CPU µs per operation".
	Unit string `json:"unit"`
	// Chart names the drawing that the curve is in; all its curves have one unit.
	Chart  string  `json:"chart"`
	Rule   Rule    `json:"rule"`
	Points []Point `json:"points"`
}

// Axis is all that was measured along one axis.
type Axis struct {
	Name string `json:"name"` // one of Names
	// Machine tells what the machine was and how busy.
	Machine string `json:"machine"`
	// X labels the axis, by chart.
	X      map[string]string `json:"x"`
	Curves []Curve           `json:"curves"`
}

// Rule says how much a cost may grow. The costs at all places beyond From are
// held against the cost at the first place that is at least From.
type Rule struct {
	From float64 `json:"from"`
	// Most is the greatest allowed ratio.
	Most float64 `json:"most"`
	// PerX divides each cost by its place before: cost per key, byte, watch.
	PerX bool `json:"per_x"`
}

// Verdict is a curve held against its rule.
type Verdict struct {
	Axis, Curve string
	Rule        Rule
	// From and Worst are the places whose costs make Ratio, the greatest there is.
	From, Worst float64
	Ratio       float64
	// Wrong says why the rule does not hold; empty: it does.
	Wrong string
}

// Judge holds a curve against its rule. Errors of clients, a cost that is not
// positive, and too few places to see growth are wrong too: what was not
// measured does not hold.
func (c Curve) Judge(axis string) Verdict {
	v := Verdict{Axis: axis, Curve: c.Name, Rule: c.Rule}
	base, places := 0.0, 0
	for _, p := range c.Points {
		if p.Load != nil && p.Load.Errors > 0 {
			v.Wrong = fmt.Sprintf("%d errors of clients at %s", p.Load.Errors, count(p.X))
			return v
		}
		if !(p.Cost > 0) || !(p.X > 0) {
			v.Wrong = "nothing measured at " + count(p.X)
			return v
		}
		if p.X < c.Rule.From {
			continue
		}
		cost := p.Cost
		if c.Rule.PerX {
			cost /= p.X
		}
		places++
		if places == 1 {
			base, v.From = cost, p.X
		} else if ratio := cost / base; ratio > v.Ratio {
			v.Ratio, v.Worst = ratio, p.X
		}
	}
	switch {
	case places < 2:
		v.Wrong = fmt.Sprintf("%d places from %s on: too few to see growth", places, count(c.Rule.From))
	case v.Ratio > c.Rule.Most:
		v.Wrong = "grows too much"
	}
	return v
}

// String is the verdict in one line.
func (v Verdict) String() string {
	what := "cost"
	if v.Rule.PerX {
		what = "cost divided by place"
	}
	if v.Ratio == 0 {
		return fmt.Sprintf("%s, %s: RED: %s", v.Axis, v.Curve, v.Wrong)
	}
	held := "holds"
	if v.Wrong != "" {
		held = "RED: " + v.Wrong
	}
	return fmt.Sprintf("%s, %s: %s at %s is ×%.2f of that at %s, at most ×%.2f: %s",
		v.Axis, v.Curve, what, count(v.Worst), v.Ratio, count(v.From), v.Rule.Most, held)
}

// count writes a whole number with separators.
func count(x float64) string {
	digits := fmt.Sprintf("%.0f", x)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
