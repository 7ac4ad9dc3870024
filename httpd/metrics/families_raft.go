package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
)

// raftStates are raft's roles, by the names replica.Status gives.
var raftStates = []string{"follower", "candidate", "leader", "shutdown"}

var raftFamilies = []family{
	{
		name: "holdfast_raft_state", help: "1 for the role this member has in raft, 0 for the others.",
		kind: prometheus.GaugeValue, labels: []string{"state"},
		collect: func(s *scrape, emit emit) {
			for _, state := range raftStates {
				emit(truth(s.member.State == state), state)
			}
		},
	},
	{
		name: "holdfast_raft_has_leader", help: "1 while this member knows of a leader.", kind: prometheus.GaugeValue,
		collect: func(s *scrape, emit emit) { emit(truth(s.member.LeaderID != 0)) },
	},
	{
		name: "holdfast_ready", help: "1 while local reads and writes are served.", kind: prometheus.GaugeValue,
		collect: func(s *scrape, emit emit) { emit(truth(s.member.Ready)) },
	},
	gauge("holdfast_raft_term", "The raft term this member is in.", func(s *scrape) uint64 { return s.member.Term }),
	gauge("holdfast_raft_commit_index", "The last log index known to be committed.", func(s *scrape) uint64 { return uint64(s.member.Commit) }),
	gauge("holdfast_raft_applied_index", "The last log index applied here.", func(s *scrape) uint64 { return uint64(s.member.Applied) }),
	gauge("holdfast_raft_last_log_index", "The last log index this member has, committed or not.", func(s *scrape) uint64 { return s.member.LastLogIndex }),
	gauge("holdfast_raft_snapshot_index", "The last log index in the newest snapshot, 0 without one.", func(s *scrape) uint64 { return s.member.SnapshotIndex }),
	counter("holdfast_raft_leader_changes_total", "Leaderships that this member saw begin.", func(s *scrape) uint64 { return s.member.LeaderChanges }),
	{
		name: "holdfast_raft_last_contact_seconds", help: "Time since the leader was last heard from: 0 on a leader, absent before the first time.",
		kind: prometheus.GaugeValue,
		collect: func(s *scrape, emit emit) {
			if s.member.LastContact >= 0 {
				emit(s.member.LastContact.Seconds())
			}
		},
	},
	counter("holdfast_raft_snapshots_taken_total", "Snapshots made of this member's own state.", func(s *scrape) uint64 { return s.member.SnapshotsTaken }),
	counter("holdfast_raft_snapshots_installed_total", "Snapshots taken over from a leader.", func(s *scrape) uint64 { return s.member.SnapshotsInstalled }),
	counter("holdfast_raft_rebuilds_total", "Times raft was built anew, in process, after a snapshot was installed.", func(s *scrape) uint64 { return s.member.Rebuilds }),
}
