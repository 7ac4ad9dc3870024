package replica

import (
	"errors"
	"time"

	"github.com/hashicorp/raft"
)

// keepLogShort takes a snapshot when the log behind the last one has grown
// past a number of bytes or entries. raft's own thresholds count entries only,
// and ours are batches of very different sizes.
func (r *Replica) keepLogShort() {
	defer r.wg.Done()
	t := time.NewTicker(r.cfg.SnapshotCheck)
	defer t.Stop()
	var last uint64
	known, changes := false, uint64(0) // of what last is
	for {
		select {
		case <-t.C:
			// Counted first: a snapshot that is finished meanwhile is seen
			// by the next check at the latest.
			if now := r.snapshots.Changes(); !known || now != changes {
				list, err := r.snapshots.List()
				known, changes, last = err == nil, now, newest(list)
			}
			r.snapshotIfDue(last)
		case <-r.stop:
			return
		}
	}
}

// snapshotIfDue takes a snapshot if the log behind the last one is too long.
func (r *Replica) snapshotIfDue(last uint64) {
	end, err := r.log.LastIndex()
	if err != nil || end <= last || r.state.applied.Load() <= last {
		return
	}
	if r.log.BytesSince(last) < r.cfg.SnapshotBytes && end-last < r.cfg.SnapshotEntries {
		return
	}
	n := r.node()
	keep := end - min(end, r.log.OldestWithin(r.cfg.TrailingBytes)-1)
	rc := n.ReloadableConfig()
	rc.TrailingLogs = keep
	if err := n.ReloadConfig(rc); err != nil {
		r.logf("snapshot: trailing logs %d: %v", keep, err)
		return
	}
	if err := n.Snapshot().Error(); err != nil && !errors.Is(err, raft.ErrNothingNewToSnapshot) && !errors.Is(err, raft.ErrRaftShutdown) {
		r.logf("snapshot: not taken, the next check tries again: %v", err)
	}
}

// lastSnapshot is the log index of the newest intact snapshot.
func (r *Replica) lastSnapshot() uint64 {
	list, err := r.snapshots.List()
	if err != nil {
		return 0
	}
	return newest(list)
}

func newest(list []*raft.SnapshotMeta) uint64 {
	if len(list) == 0 {
		return 0
	}
	return list[0].Index
}
