package replica

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

func TestHistogramBuckets(t *testing.T) {
	h := histogram{bounds: []uint64{1, 10, 100}}
	for _, v := range []uint64{0, 1, 2, 10, 11, 100, 101, 1 << 40} {
		h.observe(v)
	}
	h.took(-time.Second)
	require.Equal(t, Histogram{Bounds: []uint64{1, 10, 100}, Counts: []uint64{3, 2, 2, 2}, Sum: 225 + 1<<40}, h.read())
	for _, bounds := range [][]uint64{timeBounds, commandBounds, byteBounds} {
		require.LessOrEqual(t, len(bounds), maxBounds)
		require.IsIncreasing(t, bounds)
	}
	require.EqualValues(t, kernel.MaxCommandsPerEntry, commandBounds[len(commandBounds)-1])
	require.EqualValues(t, kernel.MaxEntryBytes, byteBounds[len(byteBounds)-1])
	require.Zero(t, testing.AllocsPerRun(100, func() { h.observe(50) }))
}

func TestEndedAs(t *testing.T) {
	for err, want := range map[error]Outcome{
		nil: OutcomeAnswered, ErrUnknown: OutcomeUnknown, ErrBusy: OutcomeBusy, ErrNoLeader: OutcomeNoLeader,
		ErrNotReady: OutcomeNotReady, ErrStopped: OutcomeNotReady, ErrUnreadable: OutcomeUnreadable, context.Canceled: OutcomeUnreadable,
		fmt.Errorf("%w (%w)", ErrUnknown, ErrStopped): OutcomeUnknown, fmt.Errorf("%w (%w)", ErrNoLeader, ErrBusy): OutcomeNoLeader,
	} {
		assert.Equal(t, want, endedAs(err), "%v", err)
	}
	for o := range Outcome(Outcomes) {
		assert.NotEmpty(t, o.String())
	}
}

// What is full refuses, and each refusal is counted at its own queue.
func TestRefusalsAreCounted(t *testing.T) {
	r := &Replica{meters: newMeters(), stop: make(chan struct{})}
	b := newBatcher(r)
	b.reign = &reign{}
	for range maxQueuedCommands {
		require.NoError(t, b.submit(proposal{}))
	}
	require.ErrorIs(t, b.submit(proposal{}), ErrBusy)
	b.queue, b.bytes = nil, maxQueuedBytes
	require.ErrorIs(t, b.submit(proposal{command: []byte{1}}), ErrBusy)
	require.EqualValues(t, 2, r.meters.queueRefused.Load())

	reads := newReadRounds(r)
	reads.next = &readRound{readers: maxReaders}
	require.EqualValues(t, maxReaders, reads.waiting())
	_, err := reads.confirm(context.Background(), limit)
	require.ErrorIs(t, err, ErrBusy)
	require.EqualValues(t, 1, r.meters.readersRefused.Load())

	c := &forwardConn{meters: r.meters, waiting: map[uint64]chan frame{}}
	for i := range uint64(maxForwards) {
		c.waiting[i] = nil
	}
	_, err = c.ask(context.Background(), framePropose, nil)
	require.ErrorIs(t, err, ErrBusy)
	require.EqualValues(t, 1, r.meters.forwardsRefused.Load())
	require.Zero(t, r.meters.forwards.Load(), "it was not sent")

	h := newHub()
	defer h.close()
	h.count = MaxWatchers
	require.ErrorIs(t, h.add(&Watcher{}), ErrTooManyWatchers)
	w := &Watcher{hub: h, stream: true}
	for range MaxWatchBacklog {
		require.True(t, w.push(new(Notice)))
	}
	require.False(t, w.push(new(Notice)))
	var m Metrics
	h.load(&m)
	require.Equal(t, Gauge{Now: MaxWatchers, Limit: MaxWatchers, Refused: 1}, m.Watchers)
	require.EqualValues(t, 1, m.WatchersLagged)
	h.count = 0
}

// A follower counts what it forwards, the leader what it folds into entries.
func TestForwardsAreCounted(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	follower := c.live[(lead+1)%3]
	before, leaderBefore := follower.Metrics(), c.live[lead].Metrics()
	for range 3 {
		_, err := follower.Propose(context.Background(), set("/k", "v"))
		require.NoError(t, err)
	}
	_, err := follower.Linearizable(context.Background())
	require.NoError(t, err)
	m, leader := follower.Metrics(), c.live[lead].Metrics()
	require.EqualValues(t, 4, m.ForwardsSent-before.ForwardsSent)
	require.EqualValues(t, 3, m.Proposals[OutcomeAnswered]-before.Proposals[OutcomeAnswered])
	require.Equal(t, before.BatchCommands, m.BatchCommands, "a follower seals nothing")
	require.EqualValues(t, 3, leader.BatchCommands.Sum-leaderBefore.BatchCommands.Sum)
	require.Equal(t, leaderBefore.Proposals, leader.Proposals, "they are the follower's clients'")
	require.EqualValues(t, 1, leader.ReadRounds-leaderBefore.ReadRounds)
	require.Equal(t, Gauge{Limit: maxForwards}, m.Forwards)
	require.Positive(t, leader.ForwardConns.Now)
	require.Equal(t, "leader", leader.State)
	require.Zero(t, leader.LastContact)
	require.Equal(t, "follower", m.State)
	require.GreaterOrEqual(t, m.LastContact, time.Duration(0))
}

// A write that goes under with its leader counts as unknown, a leader that
// comes as a change, and one that is seen again in its term does not.
func TestLeaderChangesAreCounted(t *testing.T) {
	c := newCluster(t, 3, nil)
	old := c.leader()
	before := c.live[old].Metrics()
	for i := range c.live {
		if i != old {
			c.memory.Cut(fmt.Sprintf("n%d", old), fmt.Sprintf("n%d", i))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	_, err := c.live[old].Propose(ctx, set("/k", "lost"))
	require.ErrorIs(t, err, ErrUnknown)
	c.put(c.live[(old+1)%3], "/k", "2")
	c.memory.HealAll()
	c.eventually("another leader is seen", func() bool { return c.live[old].Metrics().LeaderChanges > before.LeaderChanges })
	require.EqualValues(t, 1, c.live[old].Metrics().Proposals[OutcomeUnknown]-before.Proposals[OutcomeUnknown])

	var l leadership
	for _, one := range []struct {
		id    raft.ServerID
		term  uint64
		begun bool
	}{{"", 1, false}, {"a", 1, true}, {"", 1, false}, {"a", 1, false}, {"a", 2, true}, {"b", 3, true}, {"b", 3, false}} {
		require.Equal(t, one.begun, l.begins(reignOf{one.id, one.term}), one)
	}
}

// requireOnward checks that nothing that counts has gone back.
func requireOnward(t *testing.T, before, after Metrics) {
	t.Helper()
	require.NoError(t, onward(before, after))
}

func onward(before, after Metrics) (err error) {
	counts := func(m *Metrics) []uint64 {
		list := append([]uint64{
			m.LeaderChanges, m.SnapshotsTaken, m.SnapshotsInstalled, m.Rebuilds, m.ReadRounds, m.ReadRoundsFailed, m.ForwardsSent,
			m.QueuedCommands.Refused, m.Readers.Refused, m.Forwards.Refused, m.ForwardBacklog.Refused, m.ForwardConns.Refused,
			m.AnswerBacklog.Refused, m.Watchers.Refused, m.WatchersLagged, m.Log.EntriesWritten, m.Log.BytesWritten,
			m.Transport.Refused, m.Peers.Accepted,
		}, m.Proposals[:]...)
		for _, h := range []Histogram{m.BatchCommands, m.BatchBytes, m.CommitTime, m.ApplyTime, m.SyncTime} {
			list = append(append(list, h.Sum), h.Counts...)
		}
		return list
	}
	was, is := counts(&before), counts(&after)
	for i := range was {
		if is[i] < was[i] {
			err = errors.Join(err, fmt.Errorf("count %d went back from %d to %d", i, was[i], is[i]))
		}
	}
	return err
}

func TestOnwardFindsPlanted(t *testing.T) {
	before := Metrics{ApplyTime: Histogram{Counts: []uint64{1, 2}}, Rebuilds: 1}
	require.NoError(t, onward(before, before))
	require.Error(t, onward(before, Metrics{ApplyTime: before.ApplyTime}))
	require.Error(t, onward(before, Metrics{ApplyTime: Histogram{Counts: []uint64{1, 1}}, Rebuilds: 1}))
}

// A snapshot that a member makes, and one that it starts from, is not one that
// a leader sent.
func TestSnapshotsAreCounted(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.SnapshotEntries, cfg.SnapshotBytes, cfg.TrailingBytes = 10, 1<<20, 1
		cfg.SnapshotCheck = 10 * time.Millisecond
	})
	for i := range 12 {
		c.put(c.live[0], "/k", fmt.Sprint(i))
	}
	c.eventually("a snapshot", func() bool { return c.live[0].Metrics().SnapshotsTaken > 0 })
	m := c.live[0].Metrics()
	require.Equal(t, c.live[0].lastSnapshot(), m.SnapshotIndex)
	require.GreaterOrEqual(t, m.LastLogIndex, m.SnapshotIndex)
	require.Zero(t, m.SnapshotsInstalled)
	require.Equal(t, 1, m.Store.Nodes)
	c.stop(0)
	c.start(0)
	require.Zero(t, c.live[0].Metrics().SnapshotsInstalled)
	c.eventually("ready", func() bool { return c.live[0].ready() == nil })
	m = c.live[0].Metrics()
	require.Equal(t, 1, m.Store.Nodes)
	require.Zero(t, m.SnapshotsTaken+m.Rebuilds)
}
