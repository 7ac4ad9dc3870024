package load

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSpread(t *testing.T) {
	assert.Nil(t, spreadOf(nil))
	for _, row := range []struct {
		values []float64
		want   Spread
	}{
		{[]float64{3}, Spread{3, 3, 3}},
		{[]float64{4, 1}, Spread{1, 2.5, 4}},
		{[]float64{9, 1, 2}, Spread{1, 2, 9}},
		{[]float64{9, 1, 2, 4}, Spread{1, 3, 9}},
	} {
		given := append([]float64{}, row.values...)
		assert.Equal(t, row.want, *spreadOf(given))
		assert.Equal(t, row.values, given, "the order of the slices stays")
	}
}

// turns are slices of so many seconds, counts and, unless negative, CPU seconds.
func turns(rows ...[3]float64) Result {
	r := Result{Target: "t"}
	for _, row := range rows {
		s := Slice{Seconds: row[0], Count: int64(row[1])}
		if row[2] >= 0 {
			s.CPUSeconds = &row[2]
		}
		r.Slices = append(r.Slices, s)
	}
	return r
}

func TestRatio(t *testing.T) {
	for name, row := range map[string]struct {
		first, other Result
		pairs        []float64
		second, cpu  *Spread
	}{
		"pair by pair": {
			turns([3]float64{1, 100, 0.5}, [3]float64{1, 300, 0.5}, [3]float64{1, 100, 1}),
			turns([3]float64{1, 100, 0.25}, [3]float64{1, 100, 0.5}, [3]float64{1, 50, 1}),
			[]float64{1, 3, 2}, &Spread{1, 2, 3}, &Spread{0.5, 2, 3},
		},
		"seconds count": {turns([3]float64{2, 100, -1}), turns([3]float64{1, 100, -1}), []float64{0.5}, &Spread{0.5, 0.5, 0.5}, nil},
		"no partner": {
			turns([3]float64{1, 100, 1}, [3]float64{1, 900, 1}), turns([3]float64{1, 50, 1}),
			[]float64{2}, &Spread{2, 2, 2}, &Spread{2, 2, 2},
		},
		"the other did nothing": {turns([3]float64{1, 100, 1}), turns([3]float64{1, 0, 1}), []float64{}, nil, nil},
		"the first did nothing": {turns([3]float64{1, 0, 1}), turns([3]float64{1, 100, 1}), []float64{0}, &Spread{}, &Spread{}},
		"too little CPU":        {turns([3]float64{1, 100, 0}), turns([3]float64{1, 100, 1}), []float64{1}, &Spread{1, 1, 1}, nil},
		"CPU of one only":       {turns([3]float64{1, 100, 1}), turns([3]float64{1, 100, -1}), []float64{1}, &Spread{1, 1, 1}, nil},
	} {
		got := ratioOf(row.first, row.other)
		assert.Equal(t, row.pairs, got.Pairs, name)
		assert.Equal(t, row.second, got.PerSecond, name)
		assert.Equal(t, row.cpu, got.PerCPU, name)
	}
}

// A floor fails by the median alone, and where nothing can be compared.
func TestFloor(t *testing.T) {
	ratio := Ratio{Of: "a", Over: "b", PerSecond: &Spread{0.5, 1.5, 9}, PerCPU: &Spread{2, 3, 4}}
	report := func(r Ratio) Report {
		return Report{Runs: []Run{{Workload: CAS, Connections: 8, Counts: "wins", Ratios: []Ratio{r}}}}
	}
	assert.Empty(t, Floor{}.Misses(report(ratio)))
	assert.Empty(t, Floor{1.5, 3}.Misses(report(ratio)))
	assert.Equal(t, []string{"cas, 8 connections: a/b, wins per second: the median ratio 1.500 is below 1.510"}, Floor{1.51, 3}.Misses(report(ratio)))
	assert.Equal(t, []string{"cas, 8 connections: a/b, wins per server CPU second: the median ratio 3.000 is below 3.010"}, Floor{1, 3.01}.Misses(report(ratio)))
	assert.Len(t, Floor{2, 4}.Misses(report(ratio)), 2)
	assert.Equal(t, []string{"cas, 8 connections: a/b, wins per second: nothing to compare"}, Floor{PerSecond: 1}.Misses(report(Ratio{Of: "a", Over: "b"})))
	assert.Empty(t, Floor{}.Misses(Report{Interrupted: true}))
	assert.Equal(t, []string{"interrupted before all was measured"}, Floor{PerSecond: 1}.Misses(Report{Interrupted: true}))
}

func TestLatency(t *testing.T) {
	h := newHistogram()
	for i := range 1000 {
		record(h, time.Duration(i+1)*time.Millisecond)
	}
	l := latencyOf(h)
	for _, row := range [][2]float64{{500, l.P50}, {900, l.P90}, {990, l.P99}, {999, l.P999}, {1000, l.Max}} {
		assert.InEpsilon(t, row[0], row[1], 0.001)
	}
	require.Len(t, l.Curve, 30, "three nines of ten points each")
	assert.InEpsilon(t, 90, l.Curve[9].Percentile, 1e-9)
	assert.InEpsilon(t, 99.9, l.Curve[29].Percentile, 1e-9)

	record(h, time.Hour)
	assert.InEpsilon(t, 100_000, latencyOf(h).Max, 0.001, "the longest that is told apart")
	record(h, -time.Second)
	assert.Equal(t, int64(1002), h.TotalCount(), "nothing is lost")
	assert.Equal(t, Latency{Curve: []Point{}}, latencyOf(newHistogram()))
}

func TestParseStat(t *testing.T) {
	rest := " S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 8 0 12345 99999 25 18446744073709551615 1"
	for _, name := range []string{"etcd", "a b", "x) (R 1 2 3", ")"} {
		u, err := parseStat(7, []byte("7 ("+name+")"+rest))
		require.NoError(t, err, name)
		assert.Equal(t, 2*time.Second, u.cpu, name)
		assert.Positive(t, u.residentBytes)
	}
	for _, stat := range []string{"", "7 (etcd)", "7 (etcd) S 1 2", "7 (etcd) S 1 2 3 4 5 6 7 8 9 10 x 50 0 0 20 0 8 0 12345 99999 25 1"} {
		_, err := parseStat(7, []byte(stat))
		assert.ErrorContains(t, err, "process 7: ", stat)
	}
	sum, err := readUsage(nil)
	require.NoError(t, err)
	assert.Zero(t, sum)
}
