package curves

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A rule passes curves that grow as they should, and refuses each of the ways in
// which one can be bad, a measurement that did not happen among them.
func TestJudge(t *testing.T) {
	line := func(costs ...float64) (points []Point) {
		for i, c := range costs {
			points = append(points, Point{X: math.Pow(10, float64(i)), Cost: c})
		}
		return points
	}
	failing := line(50, 50)
	failing[1].Load = &Load{Errors: 3}
	for _, c := range []struct {
		name   string
		rule   Rule
		points []Point
		wrong  string
		ratio  float64
	}{
		{"flat", Rule{Most: 1.3}, line(50, 50, 50), "", 1},
		{"falls", Rule{Most: 1}, line(50, 40, 10), "", 0.8},
		{"grows as allowed", Rule{Most: 2}, line(50, 70, 100), "", 2},
		{"logarithm", Rule{Most: 2}, line(50, 60, 70, 80), "", 1.6},
		{"linear", Rule{Most: 2}, line(50, 500, 5000), "grows too much", 100},
		{"a hump in the middle", Rule{Most: 2}, line(50, 200, 60), "grows too much", 4},
		{"before the start of the rule", Rule{From: 10, Most: 1.5}, line(10, 50, 60), "", 1.2},
		{"beyond it", Rule{From: 10, Most: 1.5}, line(100, 50, 80), "grows too much", 1.6},
		{"per byte, falls", Rule{Most: 1, PerX: true}, line(50, 60, 200), "", 0.12},
		{"per key, quadratic", Rule{Most: 1.5, PerX: true}, line(1, 100, 10_000), "grows too much", 100},
		{"errors", Rule{Most: 2}, failing, "3 errors of clients at 10", 0},
		{"nothing done", Rule{Most: 2}, line(50, 0), "nothing measured at 10", 0},
		{"no number", Rule{Most: 2}, line(50, math.NaN()), "nothing measured at 10", 0},
		{"one place", Rule{Most: 2}, line(50), "1 places from 0 on: too few to see growth", 0},
		{"none", Rule{Most: 2}, nil, "0 places from 0 on: too few to see growth", 0},
		{"none beyond the start", Rule{From: 64, Most: 2}, line(50, 50), "0 places from 64 on: too few to see growth", 0},
	} {
		v := Curve{Name: "put", Rule: c.rule, Points: c.points}.Judge("keys")
		assert.Equal(t, c.wrong, v.Wrong, c.name)
		assert.InDelta(t, c.ratio, v.Ratio, 1e-9, c.name)
	}
}

// The line names places, ratio, limit and verdict.
func TestVerdictInWords(t *testing.T) {
	c := Curve{Name: "put", Rule: Rule{From: 10_000, Most: 2}, Points: []Point{{X: 10_000, Cost: 50}, {X: 3_000_000, Cost: 75}}}
	assert.Equal(t, "keys, put: cost at 3,000,000 is ×1.50 of that at 10,000, at most ×2.00: holds", c.Judge("keys").String())
	c.Points[1].Cost, c.Rule.PerX = 1e6, true
	assert.Equal(t, "keys, put: cost divided by place at 3,000,000 is ×66.67 of that at 10,000, at most ×2.00: RED: grows too much", c.Judge("keys").String())
	assert.Equal(t, "keys, : RED: 0 places from 0 on: too few to see growth", Curve{}.Judge("keys").String())
}
