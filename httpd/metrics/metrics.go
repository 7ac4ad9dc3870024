package metrics

import (
	"bytes"
	"fmt"
	"regexp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
	"github.com/valyala/fasthttp"

	"holdfast/httpd"
	"holdfast/kernel/replica"
)

// Build says what program runs.
type Build struct {
	// Version is the release, Revision the commit it was built from.
	Version, Revision string
}

// Handler serves /metrics for a server and the member behind it; it goes to
// the server's HandleMetrics. A failure to gather is answered with 500 and its
// cause.
func Handler(server *httpd.Server, member *replica.Replica, build Build) (fasthttp.RequestHandler, error) {
	registry, err := register(func() scrape { return scrape{server.Stats(), member.Metrics(), build} })
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	format := expfmt.NewFormat(expfmt.TypeTextPlain)
	return func(ctx *fasthttp.RequestCtx) {
		body, err := write(registry, format)
		if err != nil {
			ctx.Error(fmt.Sprintf("metrics: %v\n", err), fasthttp.StatusInternalServerError)
			return
		}
		ctx.Response.Header.SetContentType(string(format))
		ctx.Response.SetBodyRaw(body)
	}, nil
}

// scrape is what one answer is made of.
type scrape struct {
	http   httpd.Stats
	member replica.Metrics
	build  Build
}

// runtimeMetrics are those of Go's own that are shown beside the library's
// standard ones: how much memory is in use, and for what.
var runtimeMetrics = regexp.MustCompile(`^/(gc/heap/(live|goal)|memory/classes/(heap/objects|total)):bytes$`)

// register makes the registry. The process is shown as far as the system tells.
func register(read func() scrape) (*prometheus.Registry, error) {
	registry := prometheus.NewPedanticRegistry()
	for _, c := range []prometheus.Collector{
		newCollector(read),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewGoCollector(collectors.WithGoCollectorMemStatsMetricsDisabled(),
			collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: runtimeMetrics})),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("register: %w", err)
		}
	}
	return registry, nil
}

func write(gatherer prometheus.Gatherer, format expfmt.Format) ([]byte, error) {
	gathered, err := gatherer.Gather()
	if err != nil {
		return nil, fmt.Errorf("gather: %w", err)
	}
	var body bytes.Buffer
	encoder := expfmt.NewEncoder(&body, format)
	for _, one := range gathered {
		if err := encoder.Encode(one); err != nil {
			return nil, fmt.Errorf("encode %s: %w", one.GetName(), err)
		}
	}
	return body.Bytes(), nil
}
