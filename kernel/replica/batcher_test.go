package replica

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An entry is sealed at once when none is on its way, and behind one only if it is
// worth it: every entry costs each member a sync.
func TestWhatIsSealedBehindAnEntryOnItsWay(t *testing.T) {
	soon, now := time.Now().Add(time.Hour), time.Now()
	for _, c := range []struct {
		name    string
		queued  int
		bytes   int
		flying  int
		follow  time.Time
		syncing bool
		sealed  int
		waits   bool
	}{
		{name: "nothing waits", follow: soon},
		{name: "none on its way", queued: 1, follow: soon, sealed: 1},
		{name: "few", queued: worthFollowing - 1, flying: 1, follow: soon, waits: true},
		{name: "few that have waited", queued: 1, flying: 1, follow: now, sealed: 1},
		{name: "many", queued: worthFollowing, flying: 1, follow: soon, sealed: worthFollowing},
		{name: "long ones", queued: 2, bytes: maxBatchBytes, flying: 1, follow: soon, sealed: 2},
		{name: "many, while the log syncs", queued: worthFollowing, flying: 1, follow: soon, syncing: true},
		{name: "few that have waited, while the log syncs", queued: 1, flying: 1, follow: now, syncing: true},
		{name: "as many entries as may be", queued: worthFollowing, flying: maxInFlight, follow: now},
	} {
		b := newBatcher(&Replica{meters: new(meters)})
		b.reign, b.syncing, b.follow = &reign{}, c.syncing, c.follow
		b.queue, b.bytes = make([]proposal, c.queued), c.bytes
		for range c.flying {
			b.flying = append(b.flying, &flight{})
		}
		_, batch, wait := b.take()
		assert.Len(t, batch, c.sealed, c.name)
		assert.Equal(t, c.waits, wait > 0, c.name)
	}
}

// Few commands wait as long as the sync of the entry before them took, and not
// beyond a bound.
func TestFewWaitAsLongAsASync(t *testing.T) {
	for _, c := range []struct{ took, least, most time.Duration }{
		{took: maxFollow / 2, least: maxFollow / 2, most: maxFollow},
		{took: time.Hour, least: maxFollow, most: maxFollow},
	} {
		b := newBatcher(&Replica{meters: new(meters)})
		b.syncing, b.flying = true, []*flight{{sealed: time.Now().Add(-c.took)}}
		before := time.Now()
		b.synced()
		require.False(t, b.syncing)
		require.False(t, b.follow.Before(before.Add(c.least)))
		require.False(t, b.follow.After(time.Now().Add(c.most)))
	}
}

// What waits behind an entry that does not arrive goes on its way all the same,
// though nothing else wakes the batcher.
func TestFollowsAnEntryThatDoesNotArrive(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	c.put(r, "/k", "0")
	flying := func(n int) func() bool {
		return func() bool {
			r.batcher.mu.Lock()
			defer r.batcher.mu.Unlock()
			return len(r.batcher.flying) == n
		}
	}
	c.eventually("all have arrived", flying(0))
	r.state.mu.Lock() // nothing is applied from here on
	apply := sync.OnceFunc(r.state.mu.Unlock)
	defer apply()
	answers := make(chan error, 2)
	propose := func() {
		_, err := r.Propose(context.Background(), set("/k", "v"))
		answers <- err
	}
	go propose()
	c.eventually("sealed and synced", func() bool {
		r.batcher.mu.Lock()
		defer r.batcher.mu.Unlock()
		r.batcher.follow = time.Now().Add(20 * time.Millisecond)
		return len(r.batcher.flying) == 1 && !r.batcher.syncing
	})
	go propose()
	c.eventually("followed", flying(2))
	apply()
	require.NoError(t, <-answers)
	require.NoError(t, <-answers)
}
