package curves

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// A small walk along every axis of the real daemon: every curve has every place,
// each with a cost, and no client met an error. Nothing is said about growth: the
// places are too near each other, and the tests' machine too busy.
func TestWalk(t *testing.T) {
	cfg := Config{
		Program: process.TestProgram(t), Progress: io.Discard,
		Plan: Plan{
			Keys: []int{100, 300}, Connections: []int{1, 64, 65}, Parked: []int{1, 40}, Spread: []int{4, 50},
			Watchers: []int{1, 3}, ValueBytes: []int{16, 128 << 10}, Slices: 2, Slice: 200 * time.Millisecond,
		},
	}
	for _, name := range Names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.Dir = t.TempDir()
			axis, err := Walk(t.Context(), cfg, name)
			require.NoError(t, err)
			assert.Equal(t, name, axis.Name)
			assert.NotEmpty(t, axis.Curves)
			for _, c := range axis.Curves {
				assert.GreaterOrEqual(t, len(c.Points), 2, c.Name)
				assert.NotEmpty(t, axis.X[c.Chart])
				c.Rule.From, c.Rule.Most = 0, 1e6
				assert.Empty(t, c.Judge(name).Wrong, c.Name)
			}
			left, err := filepath.Glob(cfg.Dir + "/*")
			require.NoError(t, err)
			assert.Empty(t, left, "data of a walk that went well is removed")
		})
	}
	_, err := Walk(t.Context(), cfg, "time")
	assert.EqualError(t, err, `curves: "time" is no axis: keys, connections, watches, values`)
}

// A parker says when its watches are parked, holds them, and lets go when its
// input ends; a store that refuses one is named with its answer.
func TestPark(t *testing.T) {
	c := process.TestCluster(t, process.TestProgram(t), 1)
	m := c.Members[0]
	watchers := func() float64 {
		n, err := metric(t.Context(), m, parkedMetric)
		require.NoError(t, err)
		return n
	}
	in, end := io.Pipe()
	out, say := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- Park(t.Context(), m.ClientURL, 0, 70, in, say) }()
	line := make([]byte, 100)
	n, err := out.Read(line)
	require.NoError(t, err)
	assert.Equal(t, parkingLine+"\n", string(line[:n]))
	assert.EqualValues(t, 70, watchers())
	require.NoError(t, end.Close())
	require.NoError(t, <-ended)
	assert.Eventually(t, func() bool { return watchers() == 0 }, 10*time.Second, 10*time.Millisecond)

	err = Park(t.Context(), m.OpsURL, 0, 1, strings.NewReader(""), io.Discard)
	assert.ErrorContains(t, err, "refused: \"HTTP/1.1 404")
}

// Parkers of their own are told their share, and one that fails is heard.
func TestParkers(t *testing.T) {
	dir := t.TempDir()
	c := &process.Cluster{Members: []*process.Member{{ClientURL: "http://a"}, {ClientURL: "http://b"}}}
	l := &lot{walk: &walk{Config: Config{Parker: []string{"sh", "-c", `echo "$@" >>` + dir + `/told; echo parked; cat`, "park"}}}}
	require.NoError(t, l.grow(t.Context(), c, 3))
	require.NoError(t, l.grow(t.Context(), c, 3))
	require.NoError(t, l.grow(t.Context(), c, 2*parkerWatches+5))
	require.NoError(t, l.leave())
	told, err := os.ReadFile(filepath.Join(dir, "told"))
	require.NoError(t, err)
	assert.Equal(t, []string{
		"http://a 0 1", "http://b 1 2", // endpoint, first key, watches
		"http://a 3 12500", "http://a 12503 1", "http://b 12504 12500", "http://b 25004 1",
	}, strings.Split(strings.TrimSpace(string(told)), "\n"))

	l.walk.Parker = []string{"sh", "-c", "echo out of descriptors >&2; exit 3", "park"}
	err = l.grow(t.Context(), c, 3*parkerWatches)
	assert.ErrorContains(t, err, `a parker said "" where "parked" was expected`)
	assert.ErrorContains(t, err, "exit status 3: out of descriptors")
}
