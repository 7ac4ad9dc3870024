package replica

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/kernel"
)

// raft forgets futures of entries that are committed and not yet applied when
// it stops; each leaves the goroutine behind that waits for it, see await.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("holdfast/kernel/replica.(*incarnation).await.func1"))
}

// collect reads a watcher until n events have come or it ends.
func collect(t *testing.T, w *Watcher, n int) []*Notice {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var got []*Notice
	for len(got) < n {
		list := w.Next(ctx.Done())
		require.NoError(t, ctx.Err(), "got %d of %d events", len(got), n)
		if len(list) == 0 {
			return got
		}
		got = append(got, list...)
	}
	return got
}

// Streams that begin anywhere in the ring, while writes go on, see every event
// of their path from there on, in order, once.
func TestStreamsMissNothing(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	first := c.put(r, "/d/a", "0").Event.Index
	const writes = 600
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range writes {
			if _, err := r.Propose(context.Background(), set("/d/a", fmt.Sprint(i))); err != nil {
				t.Errorf("write: %v", err)
			}
		}
	}()
	for range 40 {
		w, err := r.Watch("/d", true, true, first)
		require.NoError(t, err)
		got := collect(t, w, writes/10)
		w.Close()
		for i, n := range got {
			require.Equal(t, first+kernel.StoreIndex(i), n.Index)
		}
	}
	<-done
	require.Zero(t, r.Watchers())
}

// A watcher that is not read ends cleanly after MaxWatchBacklog events, and is
// not counted any more.
func TestLaggardIsEnded(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	w, err := r.Watch("/", true, true, 0)
	require.NoError(t, err)
	require.Equal(t, 1, r.Watchers())
	for i := range MaxWatchBacklog + 1 {
		_, err := r.Propose(context.Background(), set("/k", fmt.Sprint(i)))
		require.NoError(t, err)
	}
	c.eventually("ended", func() bool { return r.Watchers() == 0 })
	require.Empty(t, w.Next(nil))
	w.Close()
}

// A one-shot watch ends with its event; a refused one says why; all end at a
// stop.
func TestWatchEnds(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	w, err := r.Watch("/a", false, false, 0)
	require.NoError(t, err)
	c.put(r, "/a", "1")
	c.put(r, "/a", "2")
	got := collect(t, w, 1)
	require.Len(t, got, 1)
	require.Equal(t, "1", got[0].Node.Value)
	require.Empty(t, w.Next(nil))

	for i := range kernel.DefaultHistoryEvents + 10 {
		_, err := r.Propose(context.Background(), set("/b", fmt.Sprint(i)))
		require.NoError(t, err)
	}
	_, err = r.Watch("/b", false, false, 1)
	var refused *kernel.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, kernel.CodeEventCleared, refused.Code)

	w, err = r.Watch("/a", false, false, 0)
	require.NoError(t, err)
	c.stop(0)
	require.Empty(t, w.Next(nil))
	_, err = r.Watch("/a", false, false, 0)
	require.ErrorIs(t, err, ErrStopped)
}
