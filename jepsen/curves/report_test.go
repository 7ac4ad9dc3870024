package curves

import (
	"encoding/xml"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The table has every place with what the clients saw, the machine, and a
// verdict for each curve; a chart is for curves of one unit.
func TestTable(t *testing.T) {
	a := Axis{
		Name: "keys", Machine: "2 cores, load average 1.00 before and 2.00 after 3s", X: map[string]string{"": "keys", "start": "keys"},
		Curves: []Curve{
			{Name: "put", Unit: perOperation, Rule: Rule{Most: 2}, Points: []Point{
				{X: 100, Cost: 50, Load: &Load{PerSecond: 12_345, P50Millis: 1.234, P99Millis: 0.0123, RSSBytes: 34e6}},
				{X: 10_000, Cost: 123.4, Load: &Load{PerSecond: 1, P50Millis: 1, P99Millis: 1, RSSBytes: 1e6}},
			}},
			{Name: "start", Unit: "CPU µs", Chart: "start", Rule: Rule{Most: 2, PerX: true}, Points: []Point{{X: 100, Cost: 9.99, Seconds: 0.25}}},
		},
	}
	var b strings.Builder
	require.NoError(t, WriteTable(&b, a))
	assert.Equal(t, `### Keys

|  | keys | CPU µs per operation | per second | p50 ms | p99 ms | RSS MB |
| --- | ---: | ---: | ---: | ---: | ---: | ---: |
| put | 100 | 50.0 | 12,345 | 1.23 | 0.0123 | 34 |
| put | 10,000 | 123 | 1 | 1.00 | 1.00 | 1 |

|  | keys | CPU µs | divided by keys | seconds |
| --- | ---: | ---: | ---: | ---: |
| start | 100 | 9.99 | 0.0999 | 0.250 |

2 cores, load average 1.00 before and 2.00 after 3s.

- keys, put: cost at 10,000 is ×2.47 of that at 100, at most ×2.00: RED: grows too much
- keys, start: RED: 1 places from 0 on: too few to see growth

`, b.String())
}

type file struct {
	strings.Builder
	shut bool
}

func (f *file) Close() error { f.shut = true; return nil }

// A chart is well-formed SVG with every curve and place on it, in both colour
// schemes; a curve of nothing is an error.
func TestCharts(t *testing.T) {
	a := Axis{Name: "values", X: map[string]string{"": "bytes", "big": "bytes"}, Curves: []Curve{
		{Name: "put", Unit: perOperation, Points: []Point{{X: 16, Cost: 40}, {X: 256, Cost: 0}, {X: 1 << 20, Cost: 9000}}},
		{Name: "get", Unit: perOperation, Points: []Point{{X: 16, Cost: 20}}},
		{Name: "one", Unit: "MB", Chart: "big", Points: []Point{{X: 1, Cost: 1}}},
	}}
	files := map[string]*file{}
	open := func(name string) (io.WriteCloser, error) {
		files[name] = &file{}
		return files[name], nil
	}
	require.NoError(t, WriteCharts(a, open))
	require.Len(t, files, 2)
	f := files["curves-values.svg"]
	text := f.String()
	assert.True(t, f.shut)
	assert.Equal(t, 2, strings.Count(text, "<polyline"))
	assert.Equal(t, 3, strings.Count(text, "<circle"), "what is not positive has no place")
	assert.Contains(t, text, "prefers-color-scheme: dark")
	assert.Contains(t, text, "CPU µs per operation by bytes")
	assert.NotContains(t, text, "NaN")
	assert.NotContains(t, files["curves-values-big.svg"].String(), "NaN")
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := decoder.Token(); err != nil {
			require.ErrorIs(t, err, io.EOF)
			break
		}
	}
	a.Curves[2].Points = nil
	assert.ErrorContains(t, WriteCharts(a, open), "nothing was measured")
	assert.ErrorIs(t, WriteCharts(a, func(string) (io.WriteCloser, error) { return nil, os.ErrPermission }), os.ErrPermission)
}

// Names of curves that end near each other stand apart.
func TestLabels(t *testing.T) {
	var curves []Curve
	for range 3 {
		curves = append(curves, Curve{Points: []Point{{X: 1, Cost: 10}}})
	}
	places := placeLabels(curves, newScale([]float64{1, 100}, 100, 0))
	assert.Equal(t, []float64{50, 50 + labelGap, 50 + 2*labelGap}, places)
}

// What bench reports becomes points; what it could not measure is an error.
func TestReadBench(t *testing.T) {
	points, err := readBench([]byte(`{"runs": [{"workload": "put", "targets": [{"count": 1000, "errors": 2, "per_second": {"median": 500},
		"latency_ms": {"p50": 1.5, "p99": 3}, "server_cpu_seconds": 0.05, "server_rss_bytes": 7}]}]}`), 8)
	require.NoError(t, err)
	assert.Equal(t, []Point{{X: 8, Cost: 50, Load: &Load{PerSecond: 500, P50Millis: 1.5, P99Millis: 3, RSSBytes: 7, Errors: 2}}}, points)
	_, err = readBench([]byte(`{"runs": [{"workload": "put", "targets": [{"count": 0}]}]}`), 8)
	assert.EqualError(t, err, "put: nothing was measured")
	_, err = readBench([]byte(`no`), 8)
	assert.ErrorContains(t, err, "read its report")
}
