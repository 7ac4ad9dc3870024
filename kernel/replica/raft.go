package replica

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

// bootstrap writes the first configuration if nothing lies on disk yet.
func (r *Replica) bootstrap() error {
	if len(r.cfg.Voters) == 0 {
		return nil
	}
	exists, err := raft.HasExistingState(r.log, r.stable, r.snapshots)
	if err != nil {
		return fmt.Errorf("bootstrap: look for existing state: %w", err)
	}
	if exists {
		return nil
	}
	var first raft.Configuration
	for _, p := range r.cfg.Voters {
		first.Servers = append(first.Servers, raft.Server{ID: serverID(p.ID), Address: raft.ServerAddress(p.Addr)})
	}
	if err := raft.BootstrapCluster(r.raftConfig(nil), r.log, r.stable, r.snapshots, r.transport.Raft(), first); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

func (r *Replica) raftConfig(notify chan bool) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = serverID(r.cfg.ID)
	c.HeartbeatTimeout = r.cfg.ElectionTimeout
	c.ElectionTimeout = r.cfg.ElectionTimeout
	c.LeaderLeaseTimeout = r.cfg.ElectionTimeout * 9 / 10
	c.CommitTimeout = 50 * time.Millisecond
	// Entries are batches of up to a MiB: sixteen of them fill a message.
	c.MaxAppendEntries = 16
	// keepLogShort decides when to take snapshots, by bytes.
	c.SnapshotThreshold = math.MaxUint64
	c.SnapshotInterval = 24 * time.Hour
	c.NoLegacyTelemetry = true
	c.ShutdownOnRemove = false
	c.Logger = r.logger
	if notify != nil {
		c.NotifyCh = notify
	}
	return c
}

// startRaft builds a raft on the stores and follows its leadership.
func (r *Replica) startRaft() error {
	// raft's main loop waits until a change of leadership is taken; leadership
	// has one goroutine that does nothing else.
	notify := make(chan bool, 8)
	n, err := raft.NewRaft(r.raftConfig(notify), fsm{r}, logStore{r.log, r.logEmptied}, r.stable, r.snapshots, r.transport.Raft())
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	seen := make(chan raft.Observation, 16)
	n.RegisterObserver(raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	}))
	r.raftMu.Lock()
	r.raft = n
	r.raftMu.Unlock()
	if err := r.hurryAlone(n); err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	gone := make(chan struct{})
	r.leader.gone = gone
	r.leader.wg.Add(2)
	go r.followLeadership(n, notify, gone)
	go r.followLeader(seen, gone)
	return nil
}

// hurryAlone spares a sole voter the wait for a leader that cannot exist: raft
// looks at its heartbeat timer at once when the timeout is made shorter.
func (r *Replica) hurryAlone(n *raft.Raft) error {
	voters := n.GetConfiguration().Configuration().Servers
	if len(voters) != 1 || voters[0].ID != serverID(r.cfg.ID) {
		return nil
	}
	rc := n.ReloadableConfig()
	rc.HeartbeatTimeout = r.cfg.ElectionTimeout * 19 / 20
	return n.ReloadConfig(rc)
}

// logStore tells when raft has emptied the log. raft never resets its idea of
// its last log index on an install: if that lies beyond the snapshot, it
// refuses every entry until it is built anew (hashicorp/raft#697). The log is
// emptied as the last step of an install.
type logStore struct {
	*wal.Log
	emptied func()
}

func (s logStore) DeleteRange(lo, hi uint64) error {
	err := s.Log.DeleteRange(lo, hi)
	if last, lastErr := s.LastIndex(); err == nil && lastErr == nil && last == 0 {
		s.emptied()
	}
	return err
}

func (r *Replica) logEmptied() {
	select {
	case r.rebuilds <- struct{}{}:
	default:
	}
}

func (r *Replica) rebuildWhenAsked() {
	defer r.wg.Done()
	for {
		select {
		case <-r.rebuilds:
			if err := r.rebuildIfStuck(); err != nil {
				r.fatal(fmt.Errorf("rebuild after an install: %w", err))
				return
			}
		case <-r.stop:
			return
		}
	}
}

// rebuildIfStuck puts a new raft on the same stores if the old one is stuck.
func (r *Replica) rebuildIfStuck() error {
	n := r.node()
	if n == nil || !r.stuck(n) {
		return nil
	}
	r.logf("rebuild: raft believes in log index %d, which an install removed", n.LastIndex())
	// The new raft restores the snapshot once more; until it has caught up
	// again, local reads would go back.
	r.floor.Store(r.state.applied.Load())
	r.serving.Store(false)
	// raft's main loop takes this when the install is over and answered; the
	// verdict itself does not count.
	_ = n.VerifyLeader().Error()
	r.transport.Retire()
	if err := n.Shutdown().Error(); err != nil {
		return fmt.Errorf("stop the old raft: %w", err)
	}
	close(r.leader.gone)
	r.leader.wg.Wait()
	select {
	case <-r.stop:
		return nil
	default:
	}
	if err := wal.Reconcile(r.log, r.snapshots.Snapshots); err != nil {
		return fmt.Errorf("reconcile log and snapshots: %w", err)
	}
	return r.startRaft()
}

// stuck tells whether raft believes in entries that are neither in the log nor
// in a snapshot. Its belief is read first: an append beside this makes the log
// longer before it makes raft believe.
func (r *Replica) stuck(n *raft.Raft) bool {
	believed := n.LastIndex()
	last, err := r.log.LastIndex()
	return err == nil && last == 0 && believed > r.lastSnapshot()
}

// leadership is what this member knows of who leads.
type leadership struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	since   time.Time     // when the present leader was first seen
	gone    chan struct{} // closed when the present raft is being replaced
	wg      sync.WaitGroup
}

// watch returns a channel that is closed at the next change of leader.
func (l *leadership) watch() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

func (l *leadership) note(known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since = (time.Time{}); known {
		l.since = time.Now()
	}
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

func (r *Replica) followLeader(seen <-chan raft.Observation, gone <-chan struct{}) {
	defer r.leader.wg.Done()
	for {
		select {
		case o := <-seen:
			leader := o.Data.(raft.LeaderObservation)
			r.leader.note(leader.LeaderID != "")
			r.forward.leaderIs(string(leader.LeaderAddr))
		case <-gone:
			return
		case <-r.stop:
			return
		}
	}
}
