package replica

import (
	"errors"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
	"holdfast/transport"
	"holdfast/transport/raftrpc"
	"holdfast/wal"
)

// Outcome is how a proposal of this member's clients ended.
type Outcome int

// The outcomes. All but the first two are certain to have done nothing.
const (
	// OutcomeAnswered: it was applied; a refusal of the state machine is an
	// answer, too.
	OutcomeAnswered Outcome = iota
	// OutcomeUnknown: ErrUnknown.
	OutcomeUnknown
	// OutcomeBusy: ErrBusy.
	OutcomeBusy
	// OutcomeNoLeader: ErrNoLeader, after all tries.
	OutcomeNoLeader
	// OutcomeNotReady: ErrNotReady or ErrStopped.
	OutcomeNotReady
	// OutcomeUnreadable: ErrUnreadable, or another error.
	OutcomeUnreadable
	// Outcomes is how many there are.
	Outcomes = iota
)

// String names the outcome as /metrics does.
func (o Outcome) String() string {
	return [Outcomes]string{"answered", "unknown", "busy", "no_leader", "not_ready", "unreadable"}[o]
}

// endedAs classifies the end of a proposal. An unknown outcome may wrap what
// took the answer away, and goes first.
func endedAs(err error) Outcome {
	switch {
	case err == nil:
		return OutcomeAnswered
	case errors.Is(err, ErrUnknown):
		return OutcomeUnknown
	case errors.Is(err, ErrNoLeader):
		return OutcomeNoLeader
	case errors.Is(err, ErrBusy):
		return OutcomeBusy
	case errors.Is(err, ErrNotReady), errors.Is(err, ErrStopped):
		return OutcomeNotReady
	}
	return OutcomeUnreadable
}

// Gauge is how full a queue or a table is.
type Gauge struct {
	// Now is what it holds, Limit what it may hold.
	Now, Limit uint64
	// Refused counts what was turned away because it was full.
	Refused uint64
}

// Metrics is what a member counts and measures, at one moment. Counters and
// histograms count since the member was opened and never go back: neither a
// rebuild of raft nor a snapshot's restore resets them.
type Metrics struct {
	Status
	// LastLogIndex is the newest entry that raft knows of, in its log or in a
	// snapshot; SnapshotIndex the last in the newest intact snapshot.
	LastLogIndex, SnapshotIndex uint64
	// LastContact is how long ago this member heard from its leader, zero for
	// a leader, negative before the first time.
	LastContact time.Duration
	// LeaderChanges counts the leaderships that this member saw begin.
	LeaderChanges uint64
	// SnapshotsTaken and SnapshotsInstalled count the snapshots that this
	// member made of its own state and took over from a leader; Rebuilds how
	// often raft was built anew after one of the latter.
	SnapshotsTaken, SnapshotsInstalled, Rebuilds uint64

	// Proposals counts what clients of this member proposed, by its outcome.
	Proposals [Outcomes]uint64
	// QueuedCommands and QueuedBytes wait to become an entry, on a leader; a
	// command that one of them has no room for is counted with the first.
	QueuedCommands, QueuedBytes Gauge
	// RefusedUnlogged counts the conditional commands that this member refused,
	// as a leader, without an entry.
	RefusedUnlogged uint64
	// EntriesInFlight were given to raft and are not yet applied.
	EntriesInFlight Gauge
	// BatchCommands and BatchBytes are the sizes of the entries that this
	// member sealed as a leader, CommitTime how long each took, in
	// nanoseconds, from the seal until it was applied here.
	BatchCommands, BatchBytes, CommitTime Histogram
	// ApplyTime is how long the state machine took for what raft handed it at
	// once, SyncTime how long each sync of the log took, in nanoseconds.
	ApplyTime, SyncTime Histogram

	// ReadRounds counts the rounds that confirmed a leadership for reads,
	// ReadRoundsFailed those that could not; Readers wait for the next.
	ReadRounds, ReadRoundsFailed uint64
	Readers                      Gauge
	// ApplyWaiters wait until this member has applied what they need. Each
	// belongs to one request of a client, and has no other limit.
	ApplyWaiters uint64

	// Forwards are on their way to the leader, ForwardBacklog the bytes of
	// them that are not yet sent; ForwardsSent counts all.
	Forwards, ForwardBacklog Gauge
	ForwardsSent             uint64
	// ForwardConns are open for other members' requests, AnswerBacklog the
	// bytes of answers that wait on the fullest of them.
	ForwardConns, AnswerBacklog Gauge

	// Watchers are parked; WatchersLagged counts those that were ended because
	// WatchBacklogLimit events waited for them.
	Watchers          Gauge
	WatchersLagged    uint64
	WatchBacklogLimit uint64
	// EventQueue is what waits to be handed to watchers. It refuses nothing:
	// when it is full, applying waits.
	EventQueue Gauge

	Store kernel.Sizes
	Log   wal.Stats
	// LogBehindSnapshot is how much log there is behind the newest snapshot, in
	// bytes, with the number at which the next is taken.
	LogBehindSnapshot Gauge
	Transport         raftrpc.Stats
	Peers             transport.MuxStats
}

// meters is the state behind Metrics that nothing else keeps.
type meters struct {
	proposals                                            [Outcomes]atomic.Uint64
	queueRefused, readersRefused, forwardsRefused        atomic.Uint64
	forwards, forwardBroken, refusedUnlogged             atomic.Uint64
	forwardConnsRefused, answersBroken                   atomic.Uint64
	readRounds, readRoundsFailed                         atomic.Uint64
	leaderChanges, snapshotsTaken, installed, rebuilds   atomic.Uint64
	batchCommands, batchBytes, commit, applyTime, synced histogram
}

func newMeters() *meters {
	m := new(meters)
	m.batchCommands.bounds, m.batchBytes.bounds = commandBounds, byteBounds
	m.commit.bounds, m.applyTime.bounds, m.synced.bounds = timeBounds, timeBounds, timeBounds
	return m
}

// Metrics gives the figures as they stand. It takes each room's lock in turn,
// for moments; what it gives is not of one instant altogether.
func (r *Replica) Metrics() Metrics {
	m := r.meters
	out := Metrics{
		Status:        r.Status(),
		SnapshotIndex: r.lastSnapshot(),
		LeaderChanges: m.leaderChanges.Load(), SnapshotsTaken: m.snapshotsTaken.Load(),
		SnapshotsInstalled: m.installed.Load(), Rebuilds: m.rebuilds.Load(),
		BatchCommands: m.batchCommands.read(), BatchBytes: m.batchBytes.read(), CommitTime: m.commit.read(),
		ApplyTime: m.applyTime.read(), SyncTime: m.synced.read(),
		ReadRounds: m.readRounds.Load(), ReadRoundsFailed: m.readRoundsFailed.Load(),
		ForwardsSent: m.forwards.Load(), RefusedUnlogged: m.refusedUnlogged.Load(),
		Log: r.log.Stats(), Transport: r.TransportStats(), Peers: r.cfg.Mux.Stats(),
	}
	for i := range out.Proposals {
		out.Proposals[i] = m.proposals[i].Load()
	}
	n := r.node()
	out.LastLogIndex = n.LastIndex()
	out.LastContact = lastContact(n.Raft)
	out.LogBehindSnapshot = Gauge{Now: r.log.BytesSince(out.SnapshotIndex), Limit: r.cfg.SnapshotBytes}
	r.state.mu.Lock()
	out.Store = r.state.kernel.Sizes()
	r.state.mu.Unlock()
	r.queues(&out)
	return out
}

// queues fills in what waits where.
func (r *Replica) queues(out *Metrics) {
	m, b := r.meters, r.batcher
	b.mu.Lock()
	out.QueuedCommands = Gauge{uint64(b.waiting()), maxQueuedCommands, m.queueRefused.Load()}
	out.QueuedBytes = Gauge{Now: uint64(b.bytes), Limit: maxQueuedBytes}
	out.EntriesInFlight = Gauge{Now: uint64(len(b.flying)), Limit: maxInFlight}
	b.mu.Unlock()
	out.Readers = Gauge{r.reads.waiting(), maxReaders, m.readersRefused.Load()}
	out.ApplyWaiters = r.state.waiters.len()
	under, backlog := r.forward.load()
	out.Forwards = Gauge{under, maxForwards, m.forwardsRefused.Load()}
	out.ForwardBacklog = Gauge{backlog, maxWriteBacklog, m.forwardBroken.Load()}
	conns, answers := r.peers.load()
	out.ForwardConns = Gauge{conns, maxForwardConns, m.forwardConnsRefused.Load()}
	out.AnswerBacklog = Gauge{answers, maxWriteBacklog, m.answersBroken.Load()}
	r.hub.load(out)
}

// lastContact is how long ago raft heard from a leader.
func lastContact(n *raft.Raft) time.Duration {
	last := n.LastContact()
	switch {
	case n.State() == raft.Leader:
		return 0
	case last.IsZero():
		return -1
	}
	return max(time.Since(last), 0)
}
