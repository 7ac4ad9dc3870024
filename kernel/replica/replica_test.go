package replica

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

// A write through any member is there, when it is answered, in a local read of
// that member and in a linearizable read of every member.
func TestWritesAndReadsThroughAnyMember(t *testing.T) {
	c := newCluster(t, 3, nil)
	for i, r := range c.live {
		for k := range 20 {
			want := fmt.Sprintf("%d-%d", i, k)
			a := c.put(r, "/k", want)
			v, err := r.Local()
			require.NoError(t, err)
			require.GreaterOrEqual(t, v.Index, a.Event.Index)
			require.Equal(t, want, value(v, "/k"))
			for _, other := range c.live {
				v, err := other.Linearizable(context.Background())
				require.NoError(t, err)
				require.Equal(t, want, value(v, "/k"))
			}
		}
	}
}

// What was acknowledged survives the loss of the leader, and members that come
// back have it, with the same history hash at the same log index.
func TestLeaderIsLostAndComesBack(t *testing.T) {
	c := newCluster(t, 3, nil)
	for round := range 3 {
		lost := c.leader()
		c.put(c.live[lost], fmt.Sprintf("/before%d", round), "x")
		c.stop(lost)
		survivor := c.live[(lost+1)%3]
		c.put(survivor, fmt.Sprintf("/after%d", round), "y")
		c.start(lost)
	}
	c.put(c.live[0], "/last", "z")
	for _, r := range c.live {
		c.eventually("caught up", func() bool {
			v, err := r.Local()
			return err == nil && value(v, "/last") == "z"
		})
		v, err := r.Local()
		require.NoError(t, err)
		for round := range 3 {
			require.Equal(t, "x", value(v, fmt.Sprintf("/before%d", round)))
			require.Equal(t, "y", value(v, fmt.Sprintf("/after%d", round)))
		}
	}
	latest, ok := c.live[0].HashesAt(0)
	require.True(t, ok)
	for _, r := range c.live {
		c.eventually("same index", func() bool { return r.state.applied.Load() >= uint64(latest.Index) })
		h, ok := r.HashesAt(latest.Index)
		require.True(t, ok)
		require.Equal(t, latest, h)
	}
}

// A leader that is cut off answers no linearizable read, and its writes end
// unknown; the others go on.
func TestDeposedLeader(t *testing.T) {
	c := newCluster(t, 3, nil)
	old := c.leader()
	c.put(c.live[old], "/k", "1")
	for i := range c.live {
		if i != old {
			c.memory.Cut(fmt.Sprintf("n%d", old), fmt.Sprintf("n%d", i))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	_, err := c.live[old].Propose(ctx, set("/k", "lost"))
	require.ErrorIs(t, err, ErrUnknown)
	next := c.live[(old+1)%3]
	c.put(next, "/k", "2")
	ctx, cancel = context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	_, err = c.live[old].Linearizable(ctx)
	require.ErrorIs(t, err, ErrNoLeader)
	v, err := c.live[old].Local()
	require.NoError(t, err)
	require.Equal(t, "1", value(v, "/k"), "a local read may be old, not wrong")
	c.memory.HealAll()
	c.eventually("healed", func() bool {
		v, err := c.live[old].Linearizable(context.Background())
		return err == nil && value(v, "/k") == "2"
	})
}

// A member that lost its log's tail to an install goes on in the same process.
func TestFollowerIsBroughtUpBySnapshot(t *testing.T) {
	c := newCluster(t, 3, func(cfg *Config) {
		cfg.SnapshotEntries, cfg.SnapshotBytes, cfg.TrailingBytes = 20, 1<<20, 1
		cfg.SnapshotCheck, cfg.SegmentBytes = 10*time.Millisecond, 4096
	})
	lead := c.leader()
	behind := (lead + 1) % 3
	c.stop(behind)
	for i := range 200 {
		c.put(c.live[lead], fmt.Sprintf("/k%d", i%7), fmt.Sprint(i))
	}
	c.eventually("the log is cut", func() bool {
		first, err := c.live[lead].log.FirstIndex()
		return err == nil && first > 50
	})
	c.start(behind)
	c.eventually("brought up", func() bool {
		v, err := c.live[behind].Local()
		return err == nil && value(v, "/k3") == "199"
	})
	c.put(c.live[behind], "/k3", "more")
}

// The members of a busy cluster apply the same, and every answered write has
// an index of its own.
func TestConcurrentWriters(t *testing.T) {
	c := newCluster(t, 3, nil)
	var mu sync.Mutex
	seen := map[kernel.StoreIndex]bool{}
	var wg sync.WaitGroup
	for w := range 24 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 50 {
				a, err := c.live[w%3].Propose(context.Background(), set(fmt.Sprintf("/w%d", w), fmt.Sprint(i)))
				if err != nil {
					t.Errorf("write: %v", err)
					return
				}
				mu.Lock()
				if seen[a.Event.Index] {
					t.Errorf("index %d twice", a.Event.Index)
				}
				seen[a.Event.Index] = true
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	require.Len(t, seen, 1200)
}

// Keys expire through the log, on every member, and not early.
func TestExpiry(t *testing.T) {
	c := newCluster(t, 3, nil)
	command, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpSet, Path: "/t", Value: "v", HasTTL: true, TTLSeconds: 1})
	require.NoError(t, err)
	called := time.Now()
	_, err = c.live[0].Propose(context.Background(), command)
	require.NoError(t, err)
	for _, r := range c.live {
		c.eventually("expired", func() bool {
			v, err := r.Local()
			require.NoError(t, err)
			_, refused := v.Get("/t")
			return refused != nil
		})
		require.GreaterOrEqual(t, time.Since(called), time.Second)
	}
}

// The log is kept short by bytes: few large entries bring a snapshot and cut
// the log, many small ones below the bound do not.
func TestSnapshotsByBytes(t *testing.T) {
	c := newCluster(t, 1, func(cfg *Config) {
		cfg.SnapshotBytes, cfg.TrailingBytes = 256<<10, 64<<10
		cfg.SnapshotCheck, cfg.SegmentBytes = 5*time.Millisecond, 16<<10
	})
	r := c.live[0]
	for i := range 200 {
		c.put(r, "/small", fmt.Sprint(i))
	}
	r.snapshotIfDue(r.lastSnapshot())
	require.Zero(t, r.lastSnapshot(), "200 small entries are below 256 KiB")
	large := strings.Repeat("x", 32<<10)
	c.eventually("a snapshot, and the log cut", func() bool {
		c.put(r, "/large", large)
		first, err := r.log.FirstIndex()
		require.NoError(t, err)
		return r.lastSnapshot() > 0 && first > 1
	})
	c.stop(0)
	c.start(0)
	c.eventually("back", func() bool {
		v, err := c.live[0].Local()
		return err == nil && value(v, "/small") == "199" && value(v, "/large") == large
	})
}
