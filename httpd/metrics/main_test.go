package metrics

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/httpd"
	"holdfast/kernel/cluster"
	"holdfast/kernel/replica"
	"holdfast/transport"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for the Date header runs for ever, once started, and
		// its worker pool sleeps up to ten seconds before it sees its end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const (
	clientAddr = "n1:2379"
	opsAddr    = "n1:4200"
)

// fixture is a member alone, with its two ports, on a network in memory.
type fixture struct {
	t       *testing.T
	network *transport.Memory
	server  *httpd.Server
	member  *replica.Replica
}

func newFixture(t *testing.T, limits httpd.Limits) *fixture {
	f := &fixture{t: t, network: transport.NewMemory()}
	host := f.network.Host("n1")
	m, err := cluster.Start(context.Background(), cluster.Config{
		Name: "one", DataDir: filepath.Join(t.TempDir(), "data"), Network: host, Token: "test",
		ListenPeer: "n1:2380", PeerURL: "http://n1:2380", ClientURLs: []string{"http://" + clientAddr},
		Replica: replica.Config{ElectionTimeout: 50 * time.Millisecond}, Log: io.Discard,
		Fatal: func(err error) { panic(err) },
	})
	require.NoError(t, err)
	f.member = m.Replica()
	f.server = httpd.New(httpd.Config{Replica: f.member, Limits: limits})
	shown, err := Handler(f.server, f.member, Build{Version: "0.0.0-test", Revision: "abc"})
	require.NoError(t, err)
	f.server.HandleMetrics(shown)
	served := make(chan error, 2)
	for addr, serve := range map[string]func(net.Listener) error{clientAddr: f.server.Serve, opsAddr: f.server.ServeOps} {
		ln, err := host.Listen(addr)
		require.NoError(t, err)
		go func() { served <- serve(ln) }()
	}
	t.Cleanup(func() {
		require.NoError(t, f.server.Shutdown(context.Background()))
		require.NoError(t, <-served)
		require.NoError(t, <-served)
		require.NoError(t, m.Close())
	})
	f.eventually("set up", func() bool {
		members, _, _ := f.member.Cluster()
		m := f.member.Metrics() // what an entry does is seen before it is counted
		return f.member.Status().Ready && len(members) == 1 && members[0].Name == "one" && observed(m.CommitTime) == observed(m.BatchCommands)
	})
	return f
}

func observed(h replica.Histogram) (n uint64) {
	for _, count := range h.Counts {
		n += count
	}
	return n
}

func (f *fixture) eventually(what string, holds func() bool) {
	f.t.Helper()
	require.Eventually(f.t, holds, 10*time.Second, time.Millisecond, what)
}

// connect opens a connection, and closes it at the end of the test.
func (f *fixture) connect(addr string) net.Conn {
	f.t.Helper()
	c, err := f.network.Host("client").Dial(context.Background(), addr)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = c.Close() })
	require.NoError(f.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return c
}

// ask sends one request on a connection of its own and reads the answer.
func (f *fixture) ask(addr, method, target, form string) (*http.Response, string) {
	f.t.Helper()
	c := f.connect(addr)
	defer c.Close()
	head := ""
	if form != "" {
		head = fmt.Sprintf("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n", len(form))
	}
	_, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n%s", method, target, head, form)
	require.NoError(f.t, err)
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	require.NoError(f.t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(f.t, err)
	return answer, string(body)
}

// watch begins a watch and returns when it is parked.
func (f *fixture) watch(target string) net.Conn {
	f.t.Helper()
	c := f.connect(clientAddr)
	before := f.server.Stats()
	_, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: h\r\n\r\n", target)
	require.NoError(f.t, err)
	f.eventually("parked", func() bool {
		now := f.server.Stats()
		return now.LongPolls+now.Streams > before.LongPolls+before.Streams
	})
	return c
}

// families scrapes, and parses what comes with Prometheus' own parser.
func (f *fixture) families() map[string]*dto.MetricFamily {
	f.t.Helper()
	answer, body := f.ask(opsAddr, "GET", "/metrics", "")
	require.Equal(f.t, 200, answer.StatusCode, body)
	return parse(f.t, []byte(body))
}

func parse(t *testing.T, page []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	parsed, err := parser.TextToMetricFamilies(bytes.NewReader(page))
	require.NoError(t, err)
	return parsed
}

// figures are the values of a page by name and labels, as "name{a="b"}"; a
// histogram gives its count and its sum.
type figures map[string]float64

func (f *fixture) figures() figures {
	f.t.Helper()
	out := figures{}
	for name, one := range f.families() {
		for _, m := range one.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += fmt.Sprintf(",%s=%q", l.GetName(), l.GetValue())
			}
			if labels != "" {
				labels = "{" + labels[1:] + "}"
			}
			switch {
			case m.GetHistogram() != nil:
				out[name+"_count"+labels] = float64(m.GetHistogram().GetSampleCount())
				out[name+"_sum"+labels] = m.GetHistogram().GetSampleSum()
			default:
				out[name+labels] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
			}
		}
	}
	return out
}

// moved compares what changed between two scrapes, of the figures that begin with
// one of the prefixes, with what should have: one line for each difference.
func moved(before, after figures, want map[string]float64, prefixes ...string) (faults []string) {
	all := map[string]bool{}
	for _, side := range []figures{before, after, want} {
		for name := range side {
			all[name] = true
		}
	}
	for name := range all {
		by := after[name] - before[name]
		counted := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) })
		if by != want[name] && (counted || want[name] != 0) {
			faults = append(faults, fmt.Sprintf("%s: moved by %v, want %v", name, by, want[name]))
		}
	}
	slices.Sort(faults)
	return faults
}
