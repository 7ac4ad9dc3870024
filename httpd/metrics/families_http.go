package metrics

import (
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/httpd"
	"holdfast/kernel/replica"
)

// infoFamilies say who tells this: their labels count, their value is 1.
var infoFamilies = []family{
	{
		name: "holdfast_build_info", help: "The program that runs.",
		kind: prometheus.GaugeValue, labels: []string{"version", "revision"},
		collect: func(s *scrape, emit emit) { emit(1, s.build.Version, s.build.Revision) },
	},
	{
		name: "holdfast_member_info", help: "The member that runs, and its cluster.",
		kind: prometheus.GaugeValue, labels: []string{"cluster_id", "member_id", "name"},
		collect: func(s *scrape, emit emit) {
			emit(1, strconv.FormatUint(s.member.ClusterID, 16), strconv.FormatUint(s.member.ID, 16), s.member.Name)
		},
	},
}

// byPort makes a family with a value for either port.
func byPort(name, help string, kind prometheus.ValueType, read func(p *httpd.PortStats) uint64) family {
	return family{
		name: name, help: help, kind: kind, labels: []string{"port"},
		collect: func(s *scrape, emit emit) {
			emit(float64(read(&s.http.Client)), "client")
			emit(float64(read(&s.http.Ops)), "ops")
		},
	}
}

var httpFamilies = slices.Concat([]family{
	{
		name: "holdfast_http_requests_total", help: "Answers to requests, by method and class of status.",
		kind: prometheus.CounterValue, labels: []string{"port", "method", "class"},
		collect: func(s *scrape, emit emit) {
			emitRequests(emit, "client", &s.http.Client.Requests)
			emitRequests(emit, "ops", &s.http.Ops.Requests)
		},
	},
	byPort("holdfast_http_connections", "Open connections, watches included.", prometheus.GaugeValue,
		func(p *httpd.PortStats) uint64 { return uint64(p.Conns) }),
	byPort("holdfast_http_connections_limit", "The limit of holdfast_http_connections.", prometheus.GaugeValue,
		func(p *httpd.PortStats) uint64 { return uint64(p.ConnsLimit) }),
	byPort("holdfast_http_connections_refused_total", "Connections refused because there were too many.", prometheus.CounterValue,
		func(p *httpd.PortStats) uint64 { return p.ConnsRefused }),
	{
		name: "holdfast_http_reads_total", help: "Reads of keys, by result; watches apart.",
		kind: prometheus.CounterValue, labels: []string{"result"},
		collect: func(s *scrape, emit emit) {
			emit(float64(s.http.ReadsSuccess), "success")
			emit(float64(s.http.ReadsFail), "fail")
		},
	},
	{
		name: "holdfast_http_watches", help: "Watches of clients that wait for an event, by kind.",
		kind: prometheus.GaugeValue, labels: []string{"kind"},
		collect: func(s *scrape, emit emit) {
			emit(float64(s.http.LongPolls), "long_poll")
			emit(float64(s.http.Streams), "stream")
		},
	},
},
	refusing("holdfast_http_snapshots", "", "Snapshots that are being sent to clients.", func(s *scrape) replica.Gauge { return s.http.Snapshots }),
	refusing("holdfast_watchers", "", "Watchers parked on this member.", func(s *scrape) replica.Gauge { return s.member.Watchers }),
	[]family{
		counter("holdfast_watchers_lagged_total", "Watchers ended because their client did not keep up.",
			func(s *scrape) uint64 { return s.member.WatchersLagged }),
		gauge("holdfast_watch_backlog_limit_events", "How many events may wait for one watcher.",
			func(s *scrape) uint64 { return s.member.WatchBacklogLimit }),
	},
	bounded("holdfast_watch_queue", "events", "Events that wait to be handed to watchers; applying waits at the limit.",
		func(s *scrape) replica.Gauge { return s.member.EventQueue }),
)

func emitRequests(emit emit, port string, counts *httpd.RequestCounts) {
	for m, method := range httpd.Methods {
		for c, class := range httpd.Classes {
			emit(float64(counts[m][c]), port, method, class)
		}
	}
}
