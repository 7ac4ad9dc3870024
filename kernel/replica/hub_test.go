package replica

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/kernel"
)

// raft forgets futures of entries that are committed and not yet applied when
// it stops; each leaves the goroutine behind that waits for it, see await.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("holdfast/kernel/replica.(*incarnation).await.func1"))
}

// seen is a receiver that keeps what it is given.
type seen struct {
	mu     sync.Mutex
	events []*Notice
	ended  bool
	inside bool // a call is under way
	twice  bool // two were
}

func (s *seen) Receive(events []*Notice, ended, _ bool) bool {
	s.mu.Lock()
	s.twice = s.twice || s.inside || s.ended
	s.inside = true
	s.mu.Unlock()
	runtime.Gosched() // for a second call to come in, if one may
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, events...)
	s.ended = ended
	s.inside = false
	return true
}

func (s *seen) look() (events []*Notice, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events), s.ended
}

func (s *seen) cameTwice() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.twice
}

// collect reads a watcher until n events have come or it ends.
func collect(t *testing.T, w *Watcher, n int) []*Notice {
	t.Helper()
	s := new(seen)
	events, ended := w.Take()
	s.events = append(s.events, events...)
	if ended {
		return s.events
	}
	w.Deliver(s)
	require.Eventually(t, func() bool {
		events, ended := s.look()
		return len(events) >= n || ended
	}, limit, time.Millisecond)
	require.False(t, s.cameTwice())
	events, _ = s.look()
	return events
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
	events, ended := w.Take()
	require.Empty(t, events)
	require.True(t, ended)
	w.Close()
}

// Who takes long over its events is given the next ones together, afterwards; the
// others do not wait for it; and nothing comes behind the end, or behind Close.
func TestDelivery(t *testing.T) {
	h := newHub()
	defer h.close()
	slow, fast := &gate{entered: make(chan int), leave: make(chan struct{})}, new(seen)
	var watchers []*Watcher
	for _, to := range []Receiver{slow, fast} {
		w := &Watcher{path: "/k", stream: true, hub: h}
		require.NoError(t, h.add(w))
		w.Deliver(to)
		watchers = append(watchers, w)
	}
	publish := func(n int) {
		for range n {
			h.publish([]*kernel.Event{{Action: kernel.ActionSet, Index: 1, Node: &kernel.Node{Path: "/k"}}})
		}
	}
	has := func(n int) {
		require.Eventually(t, func() bool {
			events, _ := fast.look()
			return len(events) == n
		}, limit, time.Millisecond)
	}
	publish(1)
	require.Equal(t, 1, <-slow.entered)
	publish(99)
	has(100)
	slow.leave <- struct{}{}
	require.Equal(t, 99, <-slow.entered, "all that had gathered")
	publish(1)
	has(101)
	watchers[0].Close()
	slow.leave <- struct{}{}
	watchers[1].end()
	require.Eventually(t, func() bool {
		_, ended := fast.look()
		return ended
	}, limit, time.Millisecond)
	publish(1)
	h.close()
	require.False(t, fast.twice)
	events, _ := fast.look()
	require.Len(t, events, 101)
	require.Equal(t, 2, slow.calls, "what came before Close and was not handed out is not")
}

// gate is a receiver that is held until it may leave.
type gate struct {
	entered chan int
	leave   chan struct{}
	calls   int
}

func (g *gate) Receive(events []*Notice, _, mayWait bool) bool {
	if !mayWait {
		return false
	}
	g.calls++
	g.entered <- len(events)
	<-g.leave
	return true
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
	require.Empty(t, collect(t, w, 1))
	_, err = r.Watch("/a", false, false, 0)
	require.ErrorIs(t, err, ErrStopped)
}
