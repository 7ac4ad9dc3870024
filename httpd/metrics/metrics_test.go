package metrics

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/httpd"
	"holdfast/kernel/replica"
)

// The page is in the text format, of that type; each metric says what it means,
// by names that Prometheus' own linter has nothing against.
func TestPage(t *testing.T) {
	f := newFixture(t, httpd.Limits{})
	answer, body := f.ask(opsAddr, "GET", "/metrics", "")
	require.Equal(t, 200, answer.StatusCode)
	require.Equal(t, "text/plain; version=0.0.4; charset=utf-8", answer.Header.Get("Content-Type"))

	parsed := parse(t, []byte(body))
	for _, own := range families() {
		require.Contains(t, parsed, own.name)
		require.NotEmpty(t, parsed[own.name].GetMetric(), own.name)
	}
	for name, one := range parsed {
		assert.NotEmpty(t, one.GetHelp(), name)
		assert.Contains(t, body, "\n# TYPE "+name+" "+strings.ToLower(one.GetType().String())+"\n")
		assert.NotEqual(t, dto.MetricType_UNTYPED, one.GetType(), name)
		assert.Equal(t, strings.HasSuffix(name, "_total"), one.GetType() == dto.MetricType_COUNTER, "%s: counters end so, and nothing else", name)
	}
	problems, err := promlint.New(strings.NewReader(body)).Lint()
	require.NoError(t, err)
	for _, p := range problems {
		assert.True(t, strings.HasPrefix(p.Metric, "go_"), "%s: %s", p.Metric, p.Text)
	}
	found, err := promlint.New(strings.NewReader("# HELP bad_total Planted.\n# TYPE bad_total gauge\nbad_total 1\n")).Lint()
	require.NoError(t, err)
	require.NotEmpty(t, found)
}

// Each limit stands beside what it bounds, and is not exceeded.
func TestLimitsAreShown(t *testing.T) {
	f := newFixture(t, httpd.Limits{})
	shown := f.figures()
	limits := 0
	for name, limit := range shown {
		base, labels, _ := strings.Cut(name, "{")
		if !strings.Contains(base, "_limit") {
			continue
		}
		limits++
		assert.Positive(t, limit, name)
		bounded := strings.Replace(base, "_limit", "", 1)
		if labels != "" {
			bounded += "{" + labels
		}
		switch base {
		case "holdfast_watch_backlog_limit_events", "holdfast_peer_accept_queue_limit":
			continue // of each watcher, of each protocol: there is no one figure
		}
		now, ok := shown[bounded]
		assert.True(t, ok, "%s: nothing of that name is bounded", bounded)
		assert.LessOrEqual(t, now, limit, bounded)
	}
	require.Greater(t, limits, 15)
}

// counted are the figures that move by what clients do and by nothing else.
var counted = []string{
	"holdfast_http_requests_total", "holdfast_http_reads_total", "holdfast_http_watches", "holdfast_watchers",
	"holdfast_proposals_total", "holdfast_replica_batch_commands", "holdfast_read_rounds_total", "holdfast_read_waiters",
	"holdfast_kernel", "holdfast_wal_written_entries_total", "holdfast_forward", "holdfast_raft_term", "holdfast_raft_commit_index",
	"holdfast_raft_applied_index", "holdfast_raft_last_log_index", "holdfast_raft_leader_changes_total", "holdfast_raft_state",
}

// Counters and gauges move by exactly what was done.
func TestCounts(t *testing.T) {
	f := newFixture(t, httpd.Limits{})
	before := f.figures()
	require.EqualValues(t, 1, before["holdfast_raft_leader_changes_total"])
	require.EqualValues(t, 1, before[`holdfast_raft_state{state="leader"}`])

	for _, key := range []string{"a", "b", "c"} {
		answer, _ := f.ask(clientAddr, "PUT", "/v2/keys/"+key, "value=1")
		require.Equal(t, 201, answer.StatusCode)
	}
	answer, _ := f.ask(clientAddr, "PUT", "/v2/keys/a", "value=2&prevValue=wrong")
	require.Equal(t, 412, answer.StatusCode)
	f.ask(clientAddr, "GET", "/v2/keys/a?quorum=true", "")
	f.ask(clientAddr, "HEAD", "/v2/keys/a", "")
	answer, _ = f.ask(clientAddr, "GET", "/v2/keys/none", "")
	require.Equal(t, 404, answer.StatusCode)
	f.ask(clientAddr, "BREW", "/v2/keys/a", "")
	f.ask(clientAddr, "GET", "//", "")
	broken := f.connect(clientAddr)
	_, err := io.WriteString(broken, "no request\r\n\r\n")
	require.NoError(t, err)
	_, err = io.ReadAll(broken)
	require.NoError(t, err)
	poll := f.watch("/v2/keys/a?wait=true")
	stream := f.watch("/v2/keys/a?wait=true&stream=true")

	after := f.figures()
	want := map[string]float64{
		request("client", "PUT", "2xx"): 3, request("client", "PUT", "4xx"): 1, request("client", "GET", "2xx"): 3,
		request("client", "GET", "3xx"): 1, request("client", "GET", "4xx"): 1, request("client", "HEAD", "2xx"): 1,
		request("client", "other", "4xx"): 2, request("ops", "GET", "2xx"): 1,
		`holdfast_http_reads_total{result="success"}`: 2, `holdfast_http_reads_total{result="fail"}`: 1,
		`holdfast_http_watches{kind="long_poll"}`: 1, `holdfast_http_watches{kind="stream"}`: 1, "holdfast_watchers": 2,
		`holdfast_proposals_total{outcome="answered"}`: 4,
		"holdfast_replica_batch_commands_count":        3, "holdfast_replica_batch_commands_sum": 3,
		`holdfast_read_rounds_total{result="confirmed"}`: 2, "holdfast_replica_refused_unlogged_total": 1,
		"holdfast_kernel_keys": 3, "holdfast_kernel_store_index": 3, "holdfast_kernel_ring_events": 3,
		"holdfast_wal_written_entries_total": 3, "holdfast_raft_commit_index": 3, "holdfast_raft_applied_index": 3,
		"holdfast_raft_last_log_index": 3, "holdfast_replica_commit_seconds_count": 3, "holdfast_replica_apply_seconds_count": 3,
		"holdfast_wal_fsync_seconds_count": 3, "holdfast_replica_batch_bytes_count": 3,
	}
	require.Empty(t, moved(before, after, want, counted...))
	require.Greater(t, after["holdfast_wal_fsync_seconds_sum"], before["holdfast_wal_fsync_seconds_sum"])

	// A count too many, one too few and one that nobody expected are found.
	for name, by := range map[string]float64{`holdfast_proposals_total{outcome="answered"}`: 1, "holdfast_watchers": -1, "holdfast_kernel_keys_with_ttl": 1} {
		after[name] += by
		require.Len(t, moved(before, after, want, counted...), 1, name)
		after[name] -= by
	}

	require.NoError(t, poll.Close())
	require.NoError(t, stream.Close())
	f.eventually("watches gone", func() bool {
		now := f.server.Stats()
		return f.member.Watchers() == 0 && now.LongPolls == 0 && now.Streams == 0
	})
	gone := f.figures()
	require.Zero(t, gone[`holdfast_http_watches{kind="long_poll"}`]+gone[`holdfast_http_watches{kind="stream"}`])
	f.ask(clientAddr, "PUT", "/v2/keys/t", "value=1&ttl=1000")
	require.EqualValues(t, 1, f.figures()["holdfast_kernel_keys_with_ttl"])
}

func request(port, method, class string) string {
	return fmt.Sprintf("holdfast_http_requests_total{class=%q,method=%q,port=%q}", class, method, port)
}

// Connections over the limit are counted as refused, and the limit is what was
// set.
func TestConnectionsRefused(t *testing.T) {
	f := newFixture(t, httpd.Limits{MaxConns: 2})
	f.watch("/v2/keys/a?wait=true")
	f.watch("/v2/keys/b?wait=true")
	answer, err := io.ReadAll(f.connect(clientAddr))
	require.NoError(t, err)
	require.Contains(t, string(answer), "too many connections")
	shown := f.figures()
	require.EqualValues(t, 2, shown[`holdfast_http_connections{port="client"}`])
	require.EqualValues(t, 2, shown[`holdfast_http_connections_limit{port="client"}`])
	require.EqualValues(t, 1, shown[`holdfast_http_connections_refused_total{port="client"}`])
	require.Zero(t, shown[`holdfast_http_connections_refused_total{port="ops"}`])
	require.EqualValues(t, 1, shown[`holdfast_http_connections{port="ops"}`], "this very scrape")
}

// HEAD and wrong methods are answered as on the other paths of the ops port.
func TestMethods(t *testing.T) {
	f := newFixture(t, httpd.Limits{})
	for _, path := range []string{"/healthz", "/metrics"} {
		answer, body := f.ask(opsAddr, "HEAD", path, "")
		require.Equal(t, 200, answer.StatusCode)
		require.Empty(t, body)
		require.Positive(t, answer.ContentLength)
		answer, body = f.ask(opsAddr, "POST", path, "x=y")
		require.Equal(t, 405, answer.StatusCode)
		require.Equal(t, "GET,HEAD", answer.Header.Get("Allow"))
		require.Equal(t, "Method Not Allowed\n", body)
	}
	answer, _ := f.ask(clientAddr, "GET", "/metrics", "")
	require.Equal(t, 404, answer.StatusCode, "not on the client port")
}

// What a name or version may hold comes through the format unharmed.
func TestLabelsAreEscaped(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"plain", "plain"}, {"", ""}, {`quo"te`, `quo"te`}, {`back\slash`, `back\slash`}, {"line\nend", "line\nend"},
		{`\n`, `\n`}, {`"} 1` + "\n" + `injected{a="`, `"} 1` + "\n" + `injected{a="`}, {"München 北", "München 北"},
		{"\xff\xfe", "\uFFFD"}, {"nul\x00", "nul\x00"}, {"tab\tand\rreturn", "tab\tand\rreturn"},
	} {
		shown := pageOf(t, scrape{member: replica.Metrics{Status: replica.Status{Name: c.name}}, build: Build{Version: c.name}})
		parsed := parse(t, shown)
		require.NotContains(t, parsed, "injected")
		assert.Equal(t, c.want, labelOf(parsed["holdfast_member_info"], "name"), "%q", c.name)
		assert.Equal(t, c.want, labelOf(parsed["holdfast_build_info"], "version"), "%q", c.name)
	}
}

func FuzzLabels(f *testing.F) {
	for _, seed := range []string{"", "a", "\"\\\n", "\xff", "a\x00b", "\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		parsed := parse(t, pageOf(t, scrape{member: replica.Metrics{Status: replica.Status{Name: name}}}))
		require.Equal(t, strings.ToValidUTF8(name, "\uFFFD"), labelOf(parsed["holdfast_member_info"], "name"))
		require.Len(t, parsed, len(families()))
	})
}

func pageOf(t *testing.T, s scrape) []byte {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(newCollector(func() scrape { return s })))
	page, err := write(registry, expfmt.NewFormat(expfmt.TypeTextPlain))
	require.NoError(t, err)
	return page
}

func labelOf(one *dto.MetricFamily, name string) string {
	for _, l := range one.GetMetric()[0].GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return "missing"
}

// A histogram's buckets add up, in its unit.
func TestHistogram(t *testing.T) {
	h := replica.Histogram{Bounds: []uint64{1e6, 2e9}, Counts: []uint64{3, 0, 2}, Sum: 10e9}
	page := string(pageOf(t, scrape{member: replica.Metrics{SyncTime: h}}))
	for _, line := range []string{
		`holdfast_wal_fsync_seconds_bucket{le="0.001"} 3`, `holdfast_wal_fsync_seconds_bucket{le="2"} 3`,
		`holdfast_wal_fsync_seconds_bucket{le="+Inf"} 5`, `holdfast_wal_fsync_seconds_sum 10`, `holdfast_wal_fsync_seconds_count 5`,
	} {
		assert.Contains(t, page, "\n"+line+"\n")
	}
}

// A metric that cannot be made is an error, not a page without it.
func TestFailureIsTold(t *testing.T) {
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("planted") })
	_, err := write(broken, expfmt.NewFormat(expfmt.TypeTextPlain))
	require.ErrorContains(t, err, "gather: planted")
	c := newCollector(func() scrape { return scrape{} })
	c.families[0].collect = func(_ *scrape, emit emit) { emit(1, "too few labels") }
	registry := prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(c))
	_, err = write(registry, expfmt.NewFormat(expfmt.TypeTextPlain))
	require.ErrorContains(t, err, "inconsistent label cardinality")
}
