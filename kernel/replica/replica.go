package replica

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"holdfast/kernel"
	"holdfast/transport"
	"holdfast/transport/raftrpc"
	"holdfast/wal"
)

// Replica is one member. Its methods may be called from any goroutine.
type Replica struct {
	cfg    Config
	logger hclog.Logger

	state     *state
	meters    *meters
	hub       *hub
	log       *wal.Log
	stable    *wal.Stable
	snapshots *wal.Snapshots
	transport *raftrpc.Transport

	raft atomic.Pointer[incarnation] // a rebuild puts another in its place

	batcher  *batcher
	reads    *readRounds
	forward  *forwarder
	peers    *forwardServer
	leader   leadership
	commits  commitHints
	expires  atomic.Bool // some node has a time to live
	serving  atomic.Bool // local reads may be served, see ready
	served   atomic.Pointer[served]
	rebuilds chan struct{}
	// succeeding tells that this member looks whether its leader has ended.
	succeeding atomic.Bool
	newest     newest
	rebuilt    chan struct{} // closed when no rebuild will come any more

	started   time.Time
	stop      chan struct{}
	stopOnce  sync.Once
	fatalOnce sync.Once
	wg        sync.WaitGroup
}

// Open starts the member. It repairs and reconciles what lies on disk (see
// package wal), refusing with a clear error what it must not repair.
func Open(cfg Config) (*Replica, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	r := &Replica{
		cfg: cfg, state: newState(), meters: newMeters(), hub: newHub(), started: time.Now(),
		stop: make(chan struct{}), rebuilds: make(chan struct{}, 1), rebuilt: make(chan struct{}),
	}
	r.leader.changed = make(chan struct{})
	r.commits.wake = make(chan struct{}, 1)
	r.logger = hclog.New(&hclog.LoggerOptions{Name: "raft", Level: hclog.Warn, Output: cfg.Log, DisableTime: true})
	if err := r.openStores(); err != nil {
		r.hub.close()
		return nil, err
	}
	if err := r.start(); err != nil {
		r.closeStores()
		r.hub.close()
		return nil, err
	}
	return r, nil
}

func (r *Replica) openStores() (err error) {
	logf := func(format string, args ...any) { r.logf(format, args...) }
	dir := r.cfg.Dir
	if r.log, err = wal.Open(filepath.Join(dir, "log"), wal.Options{
		SegmentBytes: r.cfg.SegmentBytes, Fatal: r.fatal, Synced: r.meters.synced.took, Logf: logf,
	}); err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if !r.log.Hinted() {
		r.reached(ProbeNoWatermark)
	}
	if r.stable, err = wal.OpenStable(filepath.Join(dir, "stable")); err != nil {
		return errors.Join(fmt.Errorf("open term and vote: %w", err), r.log.Close())
	}
	if r.snapshots, err = wal.OpenSnapshots(filepath.Join(dir, "snapshots"), keptSnapshots); err != nil {
		return errors.Join(fmt.Errorf("open snapshots: %w", err), r.log.Close())
	}
	r.snapshots.LogTo(logf)
	if err = wal.Reconcile(r.log, r.snapshots); err == nil {
		err = r.whatWasServed()
	}
	if err != nil {
		return errors.Join(fmt.Errorf("check log, snapshots and vote: %w", err), r.log.Close())
	}
	return nil
}

// served is the end of what this member may have served before: a raft term
// and log index.
type served struct{ term, index uint64 }

// whatWasServed finds the end of the log, or of the newest snapshot, and
// refuses if term and vote are gone beside them: a member that has forgotten
// its vote could give it twice.
func (r *Replica) whatWasServed() error {
	var end served
	last, err := r.log.LastIndex()
	if err != nil {
		return err
	}
	if last > 0 {
		var l raft.Log
		if err := r.log.GetLog(last, &l); err != nil {
			return fmt.Errorf("read the last entry: %w", err)
		}
		end = served{l.Term, last}
	}
	list, err := r.snapshots.List()
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) > 0 && list[0].Index > last {
		end = served{list[0].Term, list[0].Index}
	}
	r.served.Store(&end)
	if end.index > 0 {
		return r.checkStable(end.index)
	}
	return nil
}

func (r *Replica) checkStable(end uint64) error {
	if _, err := r.stable.GetUint64([]byte("CurrentTerm")); err != nil {
		return fmt.Errorf("%s: term and vote are missing beside a log that reaches entry %d: %w; remove raft/ and add the member anew; an old copy of the directory must not come back",
			filepath.Join(r.cfg.Dir, "stable"), end, err)
	}
	return nil
}

func (r *Replica) closeStores() {
	if err := r.log.Close(); err != nil {
		r.logf("close log: %v", err)
	}
}

func (r *Replica) start() error {
	t, err := raftrpc.New(raftrpc.Config{
		LocalID: serverID(r.cfg.ID), LocalAddr: raft.ServerAddress(r.cfg.Addr),
		Listener: r.cfg.Mux.Listener(transport.ProtoRaft),
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return transport.DialProto(ctx, r.cfg.Network, addr, transport.ProtoRaft)
		},
		AppliedIndex:     r.state.applied.Load,
		Covered:          r.covered,
		Ended:            r.connectionEnded,
		HeartbeatTimeout: 2 * r.cfg.ElectionTimeout,
		Logf:             r.logf,
	})
	if err != nil {
		return fmt.Errorf("start peer transport: %w", err)
	}
	r.transport = t
	r.batcher = newBatcher(r)
	r.reads = newReadRounds(r)
	r.forward = newForwarder(r)
	t.OnConfirmed(r.reads.confirmed)
	r.log.OnSync(func(last uint64) {
		r.batcher.synced()
		r.commits.synced(last)
	})
	if err := r.bootstrap(); err != nil {
		return errors.Join(err, t.Close())
	}
	if err := r.startRaft(); err != nil {
		return errors.Join(err, t.Close())
	}
	r.peers = serveForwards(r, r.cfg.Mux.Listener(transport.ProtoForward))
	r.wg.Add(4)
	go r.batcher.run()
	go r.reads.run()
	go r.keepLogShort()
	go r.rebuildWhenAsked()
	go r.commits.run(r)
	return nil
}

// Done is closed when the member begins to stop.
func (r *Replica) Done() <-chan struct{} { return r.stop }

// Close stops the member: requests under way get their answer or an error,
// watchers end cleanly, the log is closed. It does not leave the cluster.
func (r *Replica) Close() error {
	r.stopOnce.Do(func() {
		close(r.stop)
		r.hub.endAll(true)
		r.batcher.close()
		<-r.rebuilt
		r.transport.Retire() // lets go of requests that raft is still to take
		if n := r.node(); !n.halted() {
			if err := n.halt(); err != nil {
				r.logf("stop raft: %v", err)
			}
		}
		r.forward.close()
		r.peers.close()
		if err := r.transport.Close(); err != nil {
			r.logf("stop peer transport: %v", err)
		}
		r.wg.Wait()
		r.leader.wg.Wait()
		r.hub.close()
		r.closeStores()
	})
	return nil
}

// fatal reports, once, that this member must not go on.
func (r *Replica) fatal(err error) {
	r.fatalOnce.Do(func() {
		r.logf("fatal: %v", err)
		r.cfg.Fatal(err)
	})
}

func (r *Replica) logf(format string, args ...any) {
	fmt.Fprintf(r.cfg.Log, format+"\n", args...)
}

// node is the present raft.
func (r *Replica) node() *incarnation { return r.raft.Load() }

// Watch begins to watch path, from index since on (0: from now on). It refuses
// with a *kernel.Error, code 401, when events since then are no longer held.
func (r *Replica) Watch(path string, recursive, stream bool, since kernel.StoreIndex) (*Watcher, error) {
	if err := r.ready(); err != nil {
		return nil, err
	}
	term := r.node().CurrentTerm()
	s := r.state
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &Watcher{
		path: path, recursive: recursive, stream: stream, hub: r.hub,
		Index: s.kernel.Index(), LogIndex: s.kernel.Applied(), Term: term, since: s.kernel.Index() + 1,
	}
	w.queue = w.first[:0]
	if since > w.Index {
		w.since = since
	} else if since != 0 {
		if refused := s.kernel.Replay(since, w.replay); refused != nil {
			return nil, refused
		}
	}
	if w.ended {
		return w, nil
	}
	if err := r.hub.add(w); err != nil {
		return nil, err
	}
	return w, nil
}

// Watchers counts the parked watchers.
func (r *Replica) Watchers() int { return r.hub.len() }

// StoreStats gives the kernel's counters.
func (r *Replica) StoreStats() kernel.Stats {
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	return r.state.kernel.Stats()
}

// TransportStats gives the counters of the peer transport.
func (r *Replica) TransportStats() raftrpc.Stats { return r.transport.Stats() }

// PeerStats gives the counters of each follower that this member replicates to.
func (r *Replica) PeerStats() []raftrpc.PeerStats { return r.transport.PeerStats() }

// HashesAt gives the digests at a log index, if it is among the last 4,096
// that this member applied; index 0 means the latest.
func (r *Replica) HashesAt(index kernel.LogIndex) (Hashes, bool) {
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	return r.state.hashes.get(index)
}

// StateHash digests what clients can see, and says at which log index. It
// reads the whole state, beside further writes.
func (r *Replica) StateHash() (string, kernel.LogIndex) {
	r.state.mu.Lock()
	sn := r.state.kernel.Snapshot()
	r.state.mu.Unlock()
	return sn.StateHash(), sn.Applied()
}
