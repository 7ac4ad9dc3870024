package replica

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/transport/raftrpc"
	"holdfast/wal"
)

// A deposed leader whose log ends beyond the snapshot that it is sent refuses
// every entry until raft is built anew (hashicorp/raft#697); the replica does
// so in process, keeps its promise not to go back, and goes on.
func TestRebuildAfterInstallBelowCachedIndex(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.SnapshotEntries, cfg.SnapshotBytes, cfg.TrailingBytes = 10, 1<<20, 1
		cfg.SnapshotCheck, cfg.SegmentBytes = 10*time.Millisecond, 4096
	})
	old := c.leader()
	c.put(c.live[old], "/k", "before")
	for i := range c.live {
		if i != old {
			c.memory.Cut(fmt.Sprintf("n%d", old), fmt.Sprintf("n%d", i))
		}
	}
	// Entries that will never be committed: more than the others will write.
	stale := c.live[old].node()
	var wg sync.WaitGroup
	for range 32 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 12 {
				stale.ApplyLog(raft.Log{Data: kernel.AppendBatch(nil, kernel.Session{}, 0, nil)}, 0)
			}
		}()
	}
	wg.Wait()
	staleEnd := stale.LastIndex()
	// It stops with what it has, so that no request of before the cut reaches
	// it later and repairs its log.
	c.stop(old)
	c.memory.HealAll()
	next := c.live[(old+1)%3]
	// Large values fill segments, and only whole segments are cut.
	const writes = 30
	nth := func(i int) string { return fmt.Sprint(i) + strings.Repeat("x", 1500) }
	for i := range writes {
		c.put(next, "/k", nth(i))
	}
	// Whoever of the two leads then: it has only a snapshot for the old leader.
	for i := range c.live {
		if i == old {
			continue
		}
		c.eventually("the log is cut", func() bool {
			first, err := c.live[i].log.FirstIndex()
			return err == nil && first > 10
		})
		require.Less(t, c.live[i].node().LastIndex(), staleEnd, "the install must lie below what the old leader believes in")
	}
	term := next.node().CurrentTerm()
	c.start(old)
	first := c.live[old].node()
	var seen Metrics
	c.eventually("rebuilt and caught up", func() bool {
		// Whoever scrapes meanwhile sees no count go back.
		now := c.live[old].Metrics()
		requireOnward(t, seen, now)
		seen = now
		v, err := c.live[old].Local()
		return err == nil && value(v, "/k") == nth(writes-1)
	})
	c.eventually("raft is built anew", func() bool { return c.live[old].node() != first })
	c.put(c.live[old], "/k", "after")
	c.eventually("counted", func() bool { return c.live[old].Metrics().Rebuilds > 0 })
	m := c.live[old].Metrics()
	leads := c.live[c.leader()].Metrics()
	requireOnward(t, seen, m)
	require.NotZero(t, m.SnapshotsInstalled)
	require.LessOrEqual(t, m.SnapshotsInstalled, m.Transport.Traffic[raftrpc.ClassInstall].ReceivedRequests,
		"what the new raft restores was not sent again")
	require.NotZero(t, m.LeaderChanges)
	require.LessOrEqual(t, m.LeaderChanges, 1+m.Term-term, "each term has one at most: the new raft finds the old leader again")
	require.LessOrEqual(t, m.LastLogIndex, leads.LastLogIndex, "not what the old raft believed in")
	c.eventually("the same store", func() bool { return c.live[old].Metrics().Store.Index == c.live[c.leader()].Metrics().Store.Index })
}

// The same if its log ends with the snapshot, in an older term: raft then goes
// by the log, and finds that nothing fits it. The simulator found it, by seed
// 0xd047002a.
func TestRebuildAfterInstallAtCachedIndex(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.SnapshotEntries, cfg.SnapshotBytes, cfg.TrailingBytes = 10, 1<<20, 1
		cfg.SnapshotCheck, cfg.SegmentBytes = 10*time.Millisecond, 4096
	})
	old := c.leader()
	c.put(c.live[old], "/k", "before")
	term := c.live[old].node().CurrentTerm()
	c.stop(old)
	lead := c.leader()
	require.Greater(t, c.live[lead].node().CurrentTerm(), term)
	value0 := strings.Repeat("x", 1500) // whole segments only are cut
	var end uint64
	c.eventually("its log is cut", func() bool {
		c.put(c.live[lead], "/k", value0)
		first, err := c.live[lead].log.FirstIndex()
		end = c.live[lead].lastSnapshot()
		return err == nil && first > 20 && end >= first-1
	})
	// The ten entries of another snapshot shall not be behind it.
	c.eventually("no snapshot is due", func() bool {
		last, err := c.live[lead].log.LastIndex()
		end = c.live[lead].lastSnapshot()
		return err == nil && last < end+10
	})
	c.extend(old, term, 0, end)
	c.start(old)
	c.eventually("caught up", func() bool {
		v, err := c.live[old].Local()
		return err == nil && value(v, "/k") == value0
	})
	c.put(c.live[lead], "/k", "after")
	c.eventually("goes on", func() bool {
		v, err := c.live[old].Local()
		return err == nil && value(v, "/k") == "after"
	})
}

// extend gives a member that is down entries of a term that nobody committed,
// behind its log, or behind an index if that is empty.
func (c *trio) extend(i int, term, behind, end uint64) {
	c.t.Helper()
	l, err := wal.Open(filepath.Join(c.dir, fmt.Sprint(i), "log"), wal.Options{SegmentBytes: 4096, Fatal: func(err error) { c.t.Error(err) }})
	require.NoError(c.t, err)
	last, err := l.LastIndex()
	require.NoError(c.t, err)
	for index := max(last, behind) + 1; index <= end; index++ {
		entry := kernel.AppendBatch(nil, kernel.Session{}, 0, nil)
		require.NoError(c.t, l.StoreLog(&raft.Log{Index: index, Term: term, Type: raft.LogCommand, Data: entry}))
	}
	require.NoError(c.t, l.Close())
}

func TestBelievesBeyond(t *testing.T) {
	snapshot := &raft.SnapshotMeta{Index: 10, Term: 4}
	for _, one := range []struct {
		index, term string
		want        bool
	}{
		{"0", "0", false}, {"9", "4", false}, {"10", "4", false}, {"10", "3", true}, {"11", "3", true}, {"11", "4", true}, {"", "4", true},
	} {
		assert.Equal(t, one.want, believesBeyond(map[string]string{"last_log_index": one.index, "last_log_term": one.term}, snapshot), one)
	}
}

// A log that a member's own snapshot has emptied is no reason to build raft anew.
func TestNoRebuildAfterCompaction(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.SnapshotEntries, cfg.SnapshotBytes, cfg.TrailingBytes = 1, 1<<20, 1
		cfg.SnapshotCheck, cfg.SegmentBytes = 5*time.Millisecond, 256
	})
	r := c.live[0]
	before := r.node()
	emptied := func() bool {
		last, err := r.log.LastIndex()
		return err == nil && last == 0 && r.lastSnapshot() > 0
	}
	for i := range 5 {
		c.put(r, "/k", fmt.Sprint(i))
		c.eventually("the log is emptied", emptied)
		require.NoError(t, r.rebuildIfStuck())
	}
	require.Same(t, before, r.node())
	stats := before.Stats()
	for _, key := range []string{"last_log_index", "last_log_term"} {
		require.NotEmpty(t, stats[key], "raft must go on telling what it believes in")
	}
}
