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
	lately, longAgo := time.Now(), time.Now().Add(-followAfter)
	for _, c := range []struct {
		name    string
		queued  int
		flying  []time.Time // when sealed
		syncing bool
		sealed  int
		waits   bool
	}{
		{name: "nothing waits"},
		{name: "none on its way", queued: 1, sealed: 1},
		{name: "few", queued: worthFollowing - 1, flying: []time.Time{lately}, waits: true},
		{name: "few behind one that takes long", queued: 1, flying: []time.Time{longAgo}, sealed: 1},
		{name: "many", queued: worthFollowing, flying: []time.Time{lately}, sealed: worthFollowing},
		{name: "many, while the log syncs", queued: worthFollowing, flying: []time.Time{lately}, syncing: true},
		{name: "few behind one that takes long to sync", queued: 1, flying: []time.Time{longAgo}, syncing: true},
		{name: "as many entries as may be", queued: worthFollowing, flying: []time.Time{longAgo, longAgo}},
	} {
		b := newBatcher(&Replica{meters: new(meters)})
		b.reign, b.syncing = &reign{}, c.syncing
		b.queue = make([]proposal, c.queued)
		for _, sealed := range c.flying {
			b.flying = append(b.flying, &flight{sealed: sealed})
		}
		_, batch, wait := b.take()
		assert.Len(t, batch, c.sealed, c.name)
		assert.Equal(t, c.waits, wait > 0 && wait <= followAfter, c.name)
		assert.Equal(t, c.waits, wait != 0, c.name)
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
	for n := range 2 {
		go func() {
			_, err := r.Propose(context.Background(), set("/k", "v"))
			answers <- err
		}()
		c.eventually("sealed", flying(n+1))
	}
	apply()
	require.NoError(t, <-answers)
	require.NoError(t, <-answers)
}
