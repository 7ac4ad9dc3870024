package metrics

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"holdfast/kernel/replica"
)

// perNanosecond turns nanoseconds into seconds.
const perNanosecond = 1 / float64(time.Second)

var replicaFamilies = slices.Concat([]family{
	{
		name: "holdfast_proposals_total", help: "Writes of this member's clients, by what became of them.",
		kind: prometheus.CounterValue, labels: []string{"outcome"},
		collect: func(s *scrape, emit emit) {
			for o, n := range s.member.Proposals {
				emit(float64(n), replica.Outcome(o).String())
			}
		},
	},
	counter("holdfast_replica_refused_unlogged_total", "Conditional writes that this leader refused without an entry of the log.",
		func(s *scrape) uint64 { return s.member.RefusedUnlogged }),
	histogram("holdfast_replica_batch_commands", "Commands folded into one raft entry.", 1,
		func(s *scrape) replica.Histogram { return s.member.BatchCommands }),
	histogram("holdfast_replica_batch_bytes", "Size of one raft entry.", 1,
		func(s *scrape) replica.Histogram { return s.member.BatchBytes }),
	histogram("holdfast_replica_commit_seconds", "Time from the seal of an entry until it was applied here, on a leader.", perNanosecond,
		func(s *scrape) replica.Histogram { return s.member.CommitTime }),
	histogram("holdfast_replica_apply_seconds", "Time the state machine took for the entries it got at once.", perNanosecond,
		func(s *scrape) replica.Histogram { return s.member.ApplyTime }),
},
	refusing("holdfast_replica_queue", "commands", "Commands that wait to become an entry, on a leader.",
		func(s *scrape) replica.Gauge { return s.member.QueuedCommands }),
	bounded("holdfast_replica_queue", "bytes", "Bytes of the commands that wait to become an entry.",
		func(s *scrape) replica.Gauge { return s.member.QueuedBytes }),
	bounded("holdfast_replica_entries_in_flight", "", "Entries given to raft and not yet applied.",
		func(s *scrape) replica.Gauge { return s.member.EntriesInFlight }),
	[]family{
		gauge("holdfast_replica_apply_waiters", "Requests that wait until this member has applied what they need.",
			func(s *scrape) uint64 { return s.member.ApplyWaiters }),
		{
			name: "holdfast_read_rounds_total", help: "Rounds that confirmed this leader for quorum reads, or failed to.",
			kind: prometheus.CounterValue, labels: []string{"result"},
			collect: func(s *scrape, emit emit) {
				emit(float64(s.member.ReadRounds), "confirmed")
				emit(float64(s.member.ReadRoundsFailed), "failed")
			},
		},
	},
	refusing("holdfast_read_waiters", "", "Quorum reads that wait for the next round.",
		func(s *scrape) replica.Gauge { return s.member.Readers }),
	[]family{
		counter("holdfast_forwards_sent_total", "Requests sent to the leader on behalf of this member's clients.",
			func(s *scrape) uint64 { return s.member.ForwardsSent }),
	},
	refusing("holdfast_forwards", "", "Requests sent to the leader and not yet answered.",
		func(s *scrape) replica.Gauge { return s.member.Forwards }),
	refusing("holdfast_forward_backlog", "bytes", "Bytes of requests that wait to be sent to the leader; beyond the limit the connection is broken.",
		func(s *scrape) replica.Gauge { return s.member.ForwardBacklog }),
	refusing("holdfast_forward_server_connections", "", "Connections on which other members forward requests.",
		func(s *scrape) replica.Gauge { return s.member.ForwardConns }),
	refusing("holdfast_forward_server_backlog", "bytes", "Bytes of answers that wait on the fullest of them; beyond the limit it is broken.",
		func(s *scrape) replica.Gauge { return s.member.AnswerBacklog }),
)
