package replica

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
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
	c.start(old)
	first := c.live[old].node()
	c.eventually("rebuilt and caught up", func() bool {
		v, err := c.live[old].Local()
		return err == nil && value(v, "/k") == nth(writes-1)
	})
	c.eventually("raft is built anew", func() bool { return c.live[old].node() != first })
	c.put(c.live[old], "/k", "after")
}
