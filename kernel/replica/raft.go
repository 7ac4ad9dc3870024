package replica

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/wal"
)

// bootstrap writes the first configuration if nothing lies on disk yet. raft
// makes term 1 durable before the entry: a start that was cut off between the
// two is taken up again.
func (r *Replica) bootstrap() error {
	if len(r.cfg.Voters) == 0 {
		return nil
	}
	var first raft.Configuration
	for _, p := range r.cfg.Voters {
		first.Servers = append(first.Servers, raft.Server{ID: serverID(p.ID), Address: raft.ServerAddress(p.Addr)})
	}
	exists, err := raft.HasExistingState(r.log, r.stable, r.snapshots)
	if err != nil {
		return fmt.Errorf("bootstrap: look for existing state: %w", err)
	}
	if !exists {
		err = raft.BootstrapCluster(r.raftConfig(nil), r.log, r.stable, r.snapshots, r.transport.Raft(), first)
	} else if r.bootstrapCutOff() {
		err = r.log.StoreLog(&raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(first)})
	}
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	return nil
}

// bootstrapCutOff tells whether term 1 is all that lies on disk: no entry, no
// snapshot, no vote given.
func (r *Replica) bootstrapCutOff() bool {
	end, err := r.log.LastIndex()
	term, termErr := r.stable.GetUint64([]byte("CurrentTerm"))
	_, voteErr := r.stable.GetUint64([]byte("LastVoteTerm"))
	return err == nil && termErr == nil && voteErr != nil && end == 0 && term == 1 && r.lastSnapshot() == 0
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

// incarnation is one raft on the stores.
type incarnation struct {
	*raft.Raft
	gone chan struct{} // closed when it is to be stopped
	dead chan struct{} // closed when it has stopped
}

// halt stops the raft. Futures that it has lost are given up by await then.
func (n *incarnation) halt() error {
	close(n.gone)
	err := n.Shutdown().Error()
	close(n.dead)
	return err
}

// halted tells whether it was stopped, for a rebuild that then did not come.
func (n *incarnation) halted() bool {
	select {
	case <-n.gone:
		return true
	default:
		return false
	}
}

// await waits for a future of this raft. raft forgets futures when it stops
// between committing an entry and applying it: those end with ErrRaftShutdown,
// and what they stood for is unknown.
func (n *incarnation) await(f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }() // stays behind only with a future that raft lost
	select {
	case err := <-done:
		return err
	case <-n.dead:
	}
	select {
	case err := <-done:
		return err
	default:
		return raft.ErrRaftShutdown
	}
}

// startRaft builds a raft on the stores and follows its leadership. What this
// member served before lies in the log up to its end, or in the newest
// snapshot: only beyond that, or in a later term, has it caught up.
func (r *Replica) startRaft() error {
	// raft's main loop waits until a change of leadership is taken; leadership
	// has one goroutine that does nothing else.
	notify := make(chan bool, 8)
	var made atomic.Pointer[raft.Raft] // raft sets its term while it is being made, too
	stable := stableStore{r.stable, r.fatal, r.cfg.Observer, r.stable.Torn(), made.Load}
	if err := stable.readBack(); err != nil {
		return err
	}
	// A new raft restores the newest snapshot, if there is one, before it runs.
	own := new(atomic.Bool)
	own.Store(r.lastSnapshot() > 0)
	rf, err := raft.NewRaft(r.raftConfig(notify), fsm{r, own}, r.logStore(), stable, r.snapshots, r.transport.Raft())
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	n := &incarnation{Raft: rf, gone: make(chan struct{}), dead: make(chan struct{})}
	seen := make(chan raft.Observation, 16)
	n.RegisterObserver(raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.LeaderObservation)
		return ok
	}))
	made.Store(rf)
	r.observeRole(rf)
	r.raft.Store(n)
	r.leader.wg.Add(2)
	go r.followLeadership(n, notify)
	go r.followLeader(n, seen)
	if err := r.hurryAlone(rf); err != nil {
		return errors.Join(fmt.Errorf("start raft: %w", err), n.halt())
	}
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

func (r *Replica) logEmptied() {
	select {
	case r.rebuilds <- struct{}{}:
	default:
	}
}

func (r *Replica) rebuildWhenAsked() {
	defer close(r.rebuilt)
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
	// raft's main loop takes this when what emptied the log is over and
	// answered; the verdict itself does not count.
	_ = n.await(n.VerifyLeader())
	if stuck, err := r.stuck(n.Raft); err != nil || !stuck {
		return err
	}
	r.logf("rebuild: raft believes in a log up to index %d, which an install removed", n.LastIndex())
	// The new raft restores the snapshot once more; until it has caught up
	// again, local reads would go back.
	r.served.Store(&served{r.state.term.Load(), r.state.applied.Load()})
	r.serving.Store(false)
	r.transport.Retire()
	if err := n.halt(); err != nil {
		return fmt.Errorf("stop the old raft: %w", err)
	}
	r.leader.wg.Wait()
	select {
	case <-r.stop:
		return nil
	default:
	}
	if err := wal.Reconcile(r.log, r.snapshots); err != nil {
		return fmt.Errorf("reconcile log and snapshots: %w", err)
	}
	if err := r.startRaft(); err != nil {
		return err
	}
	r.meters.rebuilds.Add(1)
	r.reached(ProbeRebuild)
	return nil
}

// stuck tells whether raft believes in entries that are neither in the log nor
// in a snapshot. Its belief is read first: an append beside this makes the log
// longer before it makes raft believe.
func (r *Replica) stuck(n *raft.Raft) (bool, error) {
	// Nearly always there are entries: that is found without asking raft or the disk.
	if last, err := r.log.LastIndex(); err == nil && last != 0 {
		return false, nil
	}
	stats := n.Stats()
	last, err := r.log.LastIndex()
	if err != nil {
		return false, fmt.Errorf("end of the log: %w", err)
	}
	list, err := r.snapshots.List()
	switch {
	case err != nil:
		return false, fmt.Errorf("list snapshots: %w", err)
	case last != 0:
		return false, nil
	case len(list) == 0:
		return believesBeyond(stats, &raft.SnapshotMeta{}), nil
	}
	return believesBeyond(stats, list[0]), nil
}

// believesBeyond tells whether raft, by its statistics, takes an entry for its
// last one that a snapshot does not cover: one behind it, or one at its very end
// of another term. Of two ends at the same index raft prefers the log's, and
// finds that nothing fits it.
func believesBeyond(stats map[string]string, s *raft.SnapshotMeta) bool {
	index, err := strconv.ParseUint(stats["last_log_index"], 10, 64)
	term, termErr := strconv.ParseUint(stats["last_log_term"], 10, 64)
	if err != nil || termErr != nil {
		return true // it has changed how it tells: better one rebuild too many
	}
	return index > s.Index || index == s.Index && term != s.Term
}

// leadership is what this member knows of who leads.
type leadership struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at every change
	since   time.Time     // when the present leader was first seen
	last    reignOf       // of the leaders seen
	wg      sync.WaitGroup
}

// reignOf is one leadership: whose, and in which term.
type reignOf struct {
	id   raft.ServerID
	term uint64
}

// begins tells whether a leadership is another than the last one seen: a raft
// that is built anew finds the old one again.
func (l *leadership) begins(seen reignOf) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seen.id == "" || seen == l.last {
		return false
	}
	l.last = seen
	return true
}

// watch returns a channel that is closed at the next change of leader.
func (l *leadership) watch() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.changed
}

func (l *leadership) note(known bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since = (time.Time{}); known {
		l.since = time.Now()
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

func (r *Replica) followLeader(n *incarnation, seen <-chan raft.Observation) {
	defer r.leader.wg.Done()
	for {
		select {
		case o := <-seen:
			leader := o.Data.(raft.LeaderObservation)
			if r.leader.begins(reignOf{leader.LeaderID, n.CurrentTerm()}) {
				r.meters.leaderChanges.Add(1)
			}
			r.leader.note(leader.LeaderID != "")
			r.forward.leaderIs(string(leader.LeaderAddr))
		case <-n.gone:
			return
		case <-r.stop:
			return
		}
	}
}
