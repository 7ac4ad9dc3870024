package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/kernel/replica"
	"holdfast/transport"
	"holdfast/transport/raftrpc"
)

var peerFamilies = slices.Concat([]family{
	{
		name: "holdfast_peer_requests_total", help: "Raft's requests to and from other members.",
		kind: prometheus.CounterValue, labels: []string{"class", "direction"},
		collect: func(s *scrape, emit emit) {
			for c, t := range s.member.Transport.Traffic {
				emit(float64(t.SentRequests), raftrpc.Class(c).String(), "sent")
				emit(float64(t.ReceivedRequests), raftrpc.Class(c).String(), "received")
			}
		},
	},
	{
		name: "holdfast_peer_bytes_total", help: "Bytes of raft's requests to and from other members.",
		kind: prometheus.CounterValue, labels: []string{"class", "direction"},
		collect: func(s *scrape, emit emit) {
			for c, t := range s.member.Transport.Traffic {
				emit(float64(t.SentBytes), raftrpc.Class(c).String(), "sent")
				emit(float64(t.ReceivedBytes), raftrpc.Class(c).String(), "received")
			}
		},
	},
	{
		name: "holdfast_peer_faults_total", help: "What was refused of other members' connections for raft, by fault.",
		kind: prometheus.CounterValue, labels: []string{"fault"},
		collect: func(s *scrape, emit emit) {
			f := &s.member.Transport.Faults
			emit(float64(f.BadFrames), "bad_frame")
			emit(float64(f.Truncated), "truncated")
			emit(float64(f.TimedOut), "timed_out")
			emit(float64(f.Misdirected), "misdirected")
			emit(float64(f.StaleInstalls), "stale_install")
		},
	},
},
	refusing("holdfast_peer_connections", "", "Connections of other members for raft.", func(s *scrape) replica.Gauge {
		t := &s.member.Transport
		return replica.Gauge{Now: uint64(t.Connections), Limit: t.ConnectionsLimit, Refused: t.Refused}
	}),
	bounded("holdfast_peer_inbound", "bytes", "Bytes of requests held for all of them; beyond the limit a connection is closed.", func(s *scrape) replica.Gauge {
		return replica.Gauge{Now: s.member.Transport.InboundBytes, Limit: s.member.Transport.InboundBytesLimit}
	}),
	bounded("holdfast_peer_pending_connections", "", "Connections to the peer port that have not said what they are for; beyond the limit the oldest is closed.",
		func(s *scrape) replica.Gauge {
			return replica.Gauge{Now: uint64(s.member.Peers.Pending), Limit: transport.MaxPending}
		}),
	[]family{
		gauge("holdfast_peer_accept_queue_limit", "How many connections of one protocol may wait to be served.",
			func(*scrape) uint64 { return transport.AcceptQueue }),
		{
			name: "holdfast_peer_pending_closed_total", help: "Connections to the peer port that were closed before anybody served them, by reason.",
			kind: prometheus.CounterValue, labels: []string{"reason"},
			collect: func(s *scrape, emit emit) {
				p := &s.member.Peers
				emit(float64(p.BadPreamble), "bad_preamble")
				emit(float64(p.TimedOut), "timed_out")
				emit(float64(p.Evicted), "evicted")
				emit(float64(p.Unserved), "unserved")
				emit(float64(p.QueueFull), "queue_full")
			},
		},
	},
)
