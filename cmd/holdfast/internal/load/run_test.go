package load

import (
	"context"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is counted is what the store did: its index counts changes.
func TestCountsAreTheStores(t *testing.T) {
	address, index := startMember(t)
	for _, w := range Workloads {
		t.Run(string(w), func(t *testing.T) {
			o := small(w, address)
			before := index()
			report, err := Measure(t.Context(), o, func(Run) {})
			require.NoError(t, err)
			require.Len(t, report.Runs, 1)
			run := report.Runs[0]
			r := run.Targets[0]
			assert.Zero(t, r.Errors, r.ErrorSample)
			assert.Positive(t, r.Count)
			assert.Len(t, r.Slices, o.Slices)
			assert.Positive(t, r.Latency.P50)
			assert.LessOrEqual(t, r.Latency.P999, r.Latency.Max)

			changes := int64(index()-before) - 1 // the removal of all
			if w.needsKeys() {
				changes -= int64(o.Keys)
			}
			switch w {
			case Put, TTL:
				assert.Equal(t, r.Operations, changes)
				assert.Equal(t, r.Operations, r.Count)
			case CAS:
				assert.Equal(t, r.Count, changes)
				assert.Less(t, r.Count, r.Operations, "four clients, two keys: some lose")
			case Watch:
				assert.Equal(t, r.Operations+1, changes, "the first makes the key")
				assert.Equal(t, r.Operations*int64(o.Watchers), r.Count)
			case Mixed:
				assert.Positive(t, changes)
				assert.Less(t, changes, r.Operations)
			default:
				assert.Zero(t, changes)
			}
		})
	}
	answer, err := http.Get("http://" + address + "/v2/keys/?quorum=true")
	require.NoError(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer answer.Body.Close()
	body := make([]byte, 1000)
	n, _ := answer.Body.Read(body)
	assert.NotContains(t, string(body[:n]), "holdfast-bench", "what was put is removed")
}

// Streams count as polls do.
func TestWatchByStream(t *testing.T) {
	address, _ := startMember(t)
	o := small(Watch, address)
	o.Stream = true
	report, err := Measure(t.Context(), o, func(Run) {})
	require.NoError(t, err)
	r := report.Runs[0].Targets[0]
	assert.Zero(t, r.Errors, r.ErrorSample)
	assert.Positive(t, r.Operations)
	assert.Equal(t, r.Operations*int64(o.Watchers), r.Count)
	assert.Equal(t, "stream", report.Settings.WatchMode)
}

// Stores take turns, the keyspace is loaded once, and each run compares.
func TestRunsAndRatios(t *testing.T) {
	first, index := startMember(t)
	second, _ := startMember(t)
	o := small(Get, first, second)
	o.Workloads, o.Connections = []Workload{Get, List, Watch}, []int{1, 3}
	o.Warmup = 10 * time.Millisecond
	o.Targets[0].PIDs = []int{os.Getpid()}
	before := index()
	var seen []string
	report, err := Measure(t.Context(), o, func(run Run) { seen = append(seen, run.Title()) })
	require.NoError(t, err)
	assert.Equal(t, []string{"get, 1 connection", "get, 3 connections", "list, 1 connection", "list, 3 connections", "watch"}, seen)
	assert.False(t, report.Interrupted)
	writes := uint64(report.Runs[4].Targets[0].Operations)
	assert.GreaterOrEqual(t, index()-before, uint64(o.Keys)+writes)
	for _, run := range report.Runs {
		require.Len(t, run.Ratios, 1)
		ratio := run.Ratios[0]
		assert.Equal(t, "a/b", ratio.Of+"/"+ratio.Over)
		assert.Len(t, ratio.Pairs, o.Slices)
		assert.Nil(t, ratio.PerCPU, "of the second store no process is known")
		assert.NotNil(t, run.Targets[0].CPUSeconds)
		assert.Positive(t, *run.Targets[0].RSSBytes)
		assert.Nil(t, run.Targets[1].CPUSeconds)
	}
}

// A kept keyspace stays, and the next call puts only what it lacks.
func TestKeep(t *testing.T) {
	address, index := startMember(t)
	o := small(Get, address)
	o.Keep = "kept"
	for _, call := range []struct{ keys, changes int }{
		{150, 150 + 1}, // and the number of keys
		{150, 0},
		{400, 250 + 1},
		{100, 0}, // it has more
		{400, 0},
	} {
		o.Keys = call.keys
		before := index()
		report, err := Measure(t.Context(), o, func(Run) {})
		require.NoError(t, err)
		r := report.Runs[0].Targets[0]
		assert.Zero(t, r.Errors, r.ErrorSample)
		assert.Equal(t, uint64(call.changes), index()-before, "%d keys", call.keys)
	}
}

// An interruption keeps what was measured and removes the keys all the same.
func TestInterrupted(t *testing.T) {
	address, _ := startMember(t)
	o := small(Get, address, address)
	o.Workloads = []Workload{Get, Put}
	o.Slices, o.Slice = MaxSlices, 50*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		time.Sleep(500 * time.Millisecond)
		cancel()
	}()
	report, err := Measure(ctx, o, func(Run) {})
	require.NoError(t, err)
	assert.True(t, report.Interrupted)
	assert.LessOrEqual(t, len(report.Runs), 1)
	assert.NotEmpty(t, Floor{PerSecond: 0.001}.Misses(report), "a floor that was not seen does not hold")

	report, err = Measure(ctx, o, func(Run) {})
	require.NoError(t, err)
	assert.Empty(t, report.Runs, "interrupted before it began")
}

// A store that is not there, refuses, or is none, is named at once.
func TestUnusable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := listener.Addr().String()
	require.NoError(t, listener.Close())
	refusing, _ := serveText(t, "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nno leader")
	foreign, _ := serveText(t, "SSH-2.0-OpenSSH_9\r\n\r\n")
	for address, cause := range map[string]string{
		nobody: "connect: connection refused", refusing: "status 503: no leader", foreign: "is no HTTP status line",
	} {
		for _, w := range []Workload{Get, Watch} {
			_, err := Measure(t.Context(), small(w, address), func(Run) {})
			var unusable *UnusableError
			require.ErrorAs(t, err, &unusable)
			assert.Equal(t, "a", unusable.Target)
			assert.ErrorContains(t, err, cause)
		}
	}
}

// A process that is gone ends the measurement: its figures would be wrong.
func TestProcessGone(t *testing.T) {
	address, _ := startMember(t)
	o := small(TTL, address)
	o.Targets[0].PIDs = []int{1 << 30}
	_, err := Measure(t.Context(), o, func(Run) {})
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "process 1073741824")
}

// Refusals in the midst of a run are counted, shown, and not asked for in a
// spin.
func TestErrorsAreCounted(t *testing.T) {
	refusing, _ := serveText(t, "HTTP/1.1 500 No\r\nContent-Length: 6\r\n\r\nbu\x1bsy\n")
	s := &store{Target: Target{Name: "a", Addresses: []string{refusing}}, options: &Options{Keys: 1, HotKeys: 1, Timeout: time.Second}}
	require.NoError(t, s.open(Get, 1))
	defer s.close()
	h := newHistogram()
	got, err := s.slice(t.Context(), Get, 50*time.Millisecond, []*hdrhistogram.Histogram{h})
	require.NoError(t, err)
	assert.Zero(t, got.Count)
	assert.Positive(t, got.Errors)
	assert.LessOrEqual(t, got.Errors, int64(got.Seconds/errorPause.Seconds())+1)
	assert.EqualError(t, got.failure, refusing+": status 500: bu sy")
	assert.Zero(t, h.TotalCount())
}

// Watchers that the store loses are counted, gathered again, and the rest of
// the slice is as good as ever.
func TestWatchersLost(t *testing.T) {
	f := newFlaky(t, 3) // 1 makes the key, 2 is the first round
	o := small(Watch, f.Listener.Addr().String())
	o.Slices = 1
	report, err := Measure(t.Context(), o, func(Run) {})
	require.NoError(t, err)
	r := report.Runs[0].Targets[0]
	assert.Equal(t, int64(1), r.Errors)
	assert.Contains(t, r.ErrorSample, "the server closed the connection")
	assert.Greater(t, r.Operations, int64(1))
	assert.GreaterOrEqual(t, r.Count, r.Operations*int64(o.Watchers))
}

// An event that never comes ends the round by the timeout.
func TestWatchTimeout(t *testing.T) {
	silent, _ := serveText(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	o := small(Watch, silent)
	o.Slices, o.Timeout = 1, 50*time.Millisecond
	report, err := Measure(t.Context(), o, func(Run) {})
	require.NoError(t, err)
	r := report.Runs[0].Targets[0]
	assert.Zero(t, r.Count)
	assert.Positive(t, r.Errors)
	assert.Contains(t, r.ErrorSample, "5 of 5 watchers did not get an event within 50ms")
}
