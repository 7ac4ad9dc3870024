package soak

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// series makes an hour of samples.
func series(value func(second float64) float64) (points []Point) {
	for s := 0.0; s < 3600; s += 6 {
		points = append(points, Point{time.Duration(s) * time.Second, value(s)})
	}
	return points
}

// What is flat is found flat, whatever noise, spikes and cycles are in it; what
// grows is found to.
func TestJudge(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	q := Quantity{Name: "heap in use", Unit: "MiB", Share: 0.15, More: 8}
	noise := func() float64 { return 3 * rng.NormFloat64() }
	restarts := func(s, peak float64) float64 { // each starts low and is full soon
		if age := math.Mod(s, 180); age < 20 {
			return peak * age / 20
		}
		return peak
	}
	for _, c := range []struct {
		name  string
		value func(s float64) float64
		flat  bool
	}{
		{"constant", func(float64) float64 { return 100 }, true},
		{"zero", func(float64) float64 { return 0 }, true},
		{"noise", func(float64) float64 { return 100 + noise() }, true},
		{"noise and restarts", func(s float64) float64 { return restarts(s, 100) + noise() }, true},
		{"spikes, more of them late", func(s float64) float64 {
			if math.Mod(s, 60) < s/200 {
				return 400
			}
			return 100 + noise()
		}, true},
		{"sawtooth of snapshots", func(s float64) float64 { return 40 + math.Mod(s, 90)/3 }, true},
		{"sawtooth of long teeth", func(s float64) float64 { return 40 + math.Mod(s, 700)/40 }, true},
		{"falls", func(s float64) float64 { return 200 - s/50 }, true},
		{"growth within the tolerance", func(s float64) float64 { return 100 + 10*s/3600 + noise() }, true},

		{"slow leak", func(s float64) float64 { return 100 + 40*s/3600 }, false},
		{"slow leak in noise", func(s float64) float64 { return 100 + 45*s/3600 + 3*noise() }, false},
		{"leak under restarts that does not end with them", func(s float64) float64 { return restarts(s, 100) + 45*s/3600 + noise() }, false},
		{"leak under a sawtooth", func(s float64) float64 { return 40 + math.Mod(s, 90)/3 + 30*s/3600 }, false},
		{"leak that begins late", func(s float64) float64 { return 100 + max(0, s-1800)/15 }, false},
		{"step", func(s float64) float64 {
			if s > 2000 {
				return 130
			}
			return 100 + noise()
		}, false},
		{"doubling", func(s float64) float64 { return 10 * math.Pow(2, s/600) }, false},
		{"from nothing", func(s float64) float64 { return s / 200 }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := Judge("n1", q, series(c.value))
			assert.Equal(t, c.flat, v.Wrong == "", "%+v", v)
		})
	}
}

// What was hardly sampled is not called flat.
func TestJudgeNeedsSamples(t *testing.T) {
	flat := series(func(float64) float64 { return 1 })
	assert.NotEmpty(t, Judge("n1", Quantities()[0], nil).Wrong)
	assert.NotEmpty(t, Judge("n1", Quantities()[0], flat[:3*minPoints-1]).Wrong)
	assert.NotEmpty(t, Judge("n1", Quantities()[0], append(flat[:200:200], flat[598:]...)).Wrong)
	assert.Empty(t, Judge("n1", Quantities()[0], flat).Wrong)
}

func TestSlopeOfManyPoints(t *testing.T) {
	var points []Point
	for i := range 5000 {
		points = append(points, Point{time.Duration(i) * time.Second, float64(3 * i)})
	}
	assert.InDelta(t, 3, slope(points), 1e-9)
	assert.Zero(t, slope(points[:1]))
}
