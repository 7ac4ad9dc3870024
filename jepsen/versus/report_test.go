package versus

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A line holds if its ratio is known and at most what it may be; whatever is
// missing does not hold.
func TestJudgement(t *testing.T) {
	for _, c := range []struct {
		name string
		line Line
		want string // of the error; empty: it holds
	}{
		{"below", Line{AtMost: 0.8, Ours: []float64{1, 9, 2}, Theirs: []float64{4}}, ""},
		{"equal", Line{AtMost: 0.5, Ours: []float64{2}, Theirs: []float64{4}}, ""},
		{"above", Line{AtMost: 0.5, Ours: []float64{2.01}, Theirs: []float64{4}}, "×0.502, at most ×0.50"},
		{"the median counts, not the least", Line{AtMost: 0.5, Ours: []float64{0.1, 3, 3}, Theirs: []float64{4}}, "×0.750"},
		{"of an even number", Line{AtMost: 0.5, Ours: []float64{1, 4}, Theirs: []float64{4}}, "×0.625"},
		{"nothing", Line{AtMost: 1}, "not measured: no figures"},
		{"ours missing", Line{AtMost: 1, Theirs: []float64{4}, Missing: "status 404"}, "not measured: status 404"},
		{"theirs missing", Line{AtMost: 1, Ours: []float64{4}}, "not measured: no figures"},
		{"some missing", Line{AtMost: 1, Ours: []float64{1}, Theirs: []float64{4}, Missing: "ended early"}, "not measured: ended early"},
		{"theirs took no time", Line{AtMost: 1, Ours: []float64{0}, Theirs: []float64{0}}, "not measured"},
		{"only tells", Line{Ours: []float64{9}, Theirs: []float64{1}}, ""},
		{"only tells, missing", Line{Missing: "status 404"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			report := Report{Lines: []*Line{{AtMost: 1, Ours: []float64{1}, Theirs: []float64{1}}, &c.line}}
			err := report.Err()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrNotHeld)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// The table has medians, least, most and number, the ratio, and the verdict.
func TestTable(t *testing.T) {
	report := Report{Ours: "holdfast", Theirs: "etcd 3.6", Lines: []*Line{
		{Name: "restart", Unit: "s", AtMost: 0.8, Ours: []float64{0.5, 0.25, 4}, Theirs: []float64{1, 3}},
		{Name: "memory", Unit: "MB", AtMost: 0.75, Ours: []float64{800.4}, Theirs: []float64{400}},
		{Name: "snapshot", Unit: "s", AtMost: 1, Theirs: []float64{1}, Missing: "status 404"},
		{Name: "size", Unit: "MB", Ours: []float64{1}, Theirs: []float64{2}},
	}}
	var out strings.Builder
	require.NoError(t, report.Write(&out))
	var lines []string
	for l := range strings.Lines(out.String()) {
		lines = append(lines, strings.TrimRight(l, " \n"))
	}
	assert.Equal(t, []string{
		"          holdfast                     etcd 3.6                     ratio  at most",
		"restart   0.500 s (0.250 to 4.000, 3)  2.000 s (1.000 to 3.000, 2)  ×0.25  ×0.80    holds",
		"memory    800 MB (800 to 800, 1)       400 MB (400 to 400, 1)       ×2.00  ×0.75    DOES NOT HOLD",
		"snapshot  not measured                 1.000 s (1.000 to 1.000, 1)  —      ×1.00    DOES NOT HOLD",
		"size      1 MB (1 to 1, 1)             2 MB (2 to 2, 1)             ×0.50  —",
	}, lines)
}
