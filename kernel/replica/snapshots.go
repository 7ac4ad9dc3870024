package replica

import (
	"errors"
	"sync"
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
	for {
		select {
		case <-t.C:
			r.snapshotIfDue(r.lastSnapshot())
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
	if end-last < r.cfg.SnapshotEntries && r.batcher.flies() {
		r.reached(ProbeBytesBesideBatch)
	}
	n := r.node()
	keep := end - min(end, r.log.OldestWithin(r.cfg.TrailingBytes)-1)
	rc := n.ReloadableConfig()
	rc.TrailingLogs = keep
	if err := n.ReloadConfig(rc); err != nil {
		r.logf("snapshot: trailing logs %d: %v", keep, err)
		return
	}
	switch err := n.Snapshot().Error(); {
	case err == nil:
		r.meters.snapshotsTaken.Add(1)
	case !errors.Is(err, raft.ErrNothingNewToSnapshot) && !errors.Is(err, raft.ErrRaftShutdown):
		r.logf("snapshot: not taken, the next check tries again: %v", err)
	}
}

// newest remembers the newest intact snapshot for as long as there is no other,
// so that whoever asks often does not read the disk each time.
type newest struct {
	mu          sync.Mutex
	known       bool
	changes     uint64 // of the store, when it was looked up
	index, term uint64
}

// newestSnapshot gives the last log index and its term in the newest intact
// snapshot, zeros if there is none.
func (r *Replica) newestSnapshot() (index, term uint64) {
	n := &r.newest
	n.mu.Lock()
	defer n.mu.Unlock()
	// Counted first: a snapshot that is finished meanwhile is seen by the next
	// caller at the latest.
	if now := r.snapshots.Changes(); !n.known || now != n.changes {
		list, err := r.snapshots.List()
		n.known, n.changes, n.index, n.term = err == nil, now, 0, 0
		if err == nil && len(list) > 0 {
			n.index, n.term = list[0].Index, list[0].Term
		}
	}
	return n.index, n.term
}

// lastSnapshot is the log index of the newest intact snapshot.
func (r *Replica) lastSnapshot() uint64 {
	index, _ := r.newestSnapshot()
	return index
}

// covered gives the last log index, and its term, of the newest snapshot whose
// state is in the kernel: all up to there is committed. Zeros: there is none.
func (r *Replica) covered() (index, term uint64) {
	if index, term = r.newestSnapshot(); index > r.state.applied.Load() {
		return 0, 0 // it is just being installed, or could not be read
	}
	return index, term
}
