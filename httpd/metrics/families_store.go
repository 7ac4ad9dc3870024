package metrics

import (
	"slices"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

var storeFamilies = slices.Concat([]family{
	gauge("holdfast_kernel_keys", "Keys and directories in the store.", func(s *scrape) uint64 { return uint64(s.member.Store.Nodes) }),
	gauge("holdfast_kernel_keys_with_ttl", "Those of them with a time to live.", func(s *scrape) uint64 { return uint64(s.member.Store.Deadlines) }),
	gauge("holdfast_kernel_store_index", "The store index, X-Etcd-Index: how many successful changes there were.", func(s *scrape) uint64 { return uint64(s.member.Store.Index) }),
},
	bounded("holdfast_kernel_ring", "events", "Events held for watches that begin in the past.", func(s *scrape) replica.Gauge {
		return replica.Gauge{Now: uint64(s.member.Store.Events), Limit: uint64(s.member.Store.EventsLimit)}
	}),
	bounded("holdfast_kernel_members", "", "Members in the cluster's table.", func(s *scrape) replica.Gauge {
		return replica.Gauge{Now: uint64(s.member.Store.Members), Limit: kernel.MaxMembers}
	}),
	[]family{
		histogram("holdfast_wal_fsync_seconds", "Time of each sync of the log; one that fills a segment includes the start of the next.", perNanosecond,
			func(s *scrape) replica.Histogram { return s.member.SyncTime }),
		counter("holdfast_wal_written_entries_total", "Entries made durable.", func(s *scrape) uint64 { return s.member.Log.EntriesWritten }),
		counter("holdfast_wal_written_bytes_total", "Bytes of the entries made durable.", func(s *scrape) uint64 { return s.member.Log.BytesWritten }),
		gauge("holdfast_wal_segments", "Segment files of the log.", func(s *scrape) uint64 { return uint64(s.member.Log.Segments) }),
		gauge("holdfast_wal_bytes", "Size of the segment files.", func(s *scrape) uint64 { return s.member.Log.Bytes }),
	},
	bounded("holdfast_wal_cache", "bytes", "Decoded entries kept in memory.", func(s *scrape) replica.Gauge {
		return replica.Gauge{Now: uint64(s.member.Log.CacheBytes), Limit: uint64(s.member.Log.CacheLimitBytes)}
	}),
	bounded("holdfast_wal_behind_snapshot", "bytes", "Log behind the newest snapshot; at the limit the next is taken.",
		func(s *scrape) replica.Gauge { return s.member.LogBehindSnapshot }),
)
