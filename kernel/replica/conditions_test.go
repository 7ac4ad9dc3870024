package replica

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
)

func swap(path, value string, index kernel.StoreIndex) []byte {
	c, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpCompareAndSwap, Path: path, Value: value, PrevIndex: index})
	if err != nil {
		panic(err)
	}
	return c
}

func conditional(path string) proposal {
	command := swap(path, "x", 1)
	c, _ := kernel.Conditional(command)
	return proposal{command: command, condition: c}
}

// settledQueue says that nothing is counted as waiting that does not wait.
func (c *trio) settledQueue(r *Replica) {
	r.batcher.mu.Lock()
	defer r.batcher.mu.Unlock()
	require.Zero(c.t, r.batcher.bytes)
	require.Zero(c.t, r.batcher.waiting())
	require.Empty(c.t, r.batcher.conditions.busy)
}

func (r *Replica) swapsFailed() uint64 {
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	return r.state.kernel.Stats().Swaps.Fail
}

// A condition that fails is told as the log would tell it, by every member, and
// the log does not grow by it. One that holds is carried out.
func TestLosersStayOutOfTheLog(t *testing.T) {
	for _, members := range []int{1, 3} {
		c := newCluster(t, members, nil)
		lead := c.live[c.leader()]
		first := c.put(lead, "/k", "1").Event.Index
		second := c.put(lead, "/k", "2").Event.Index
		end := lead.node().LastIndex()
		for _, r := range c.live {
			a, err := r.Propose(t.Context(), swap("/k", "3", first))
			require.NoError(t, err)
			require.NotNil(t, a.Err)
			require.Equal(t, kernel.CodeTestFailed, a.Err.Code)
			require.Equal(t, second, a.Err.Index)
			require.GreaterOrEqual(t, uint64(a.LogIndex), end)
			require.True(t, a.Unlogged)
			// What the answer names is an entry: followers take it for committed.
			var named raft.Log
			require.NoError(t, lead.log.GetLog(uint64(a.LogIndex), &named))
			require.Equal(t, named.Term, a.Term)
			require.NotZero(t, r.swapsFailed(), "counted where it was asked")
			c.settledQueue(lead)
		}
		require.Equal(t, end, lead.node().LastIndex(), "%d members", members)
		require.EqualValues(t, members, lead.meters.refusedUnlogged.Load())
		require.EqualValues(t, members, lead.swapsFailed())
		a, err := lead.Propose(t.Context(), swap("/k", "3", second))
		require.NoError(t, err)
		require.Nil(t, a.Err)
		require.Greater(t, lead.node().LastIndex(), end)
		c.settledQueue(lead)
	}
}

// Of many that swap one key from one version exactly one wins, whichever way the
// others are refused, and so through a follower.
func TestOneSwapWins(t *testing.T) {
	c := newCluster(t, 3, nil)
	lead := c.leader()
	index := c.put(c.live[lead], "/k", "0").Event.Index
	for range 10 {
		var mu sync.Mutex
		var wg sync.WaitGroup
		var won []kernel.StoreIndex
		for i := range 24 {
			wg.Go(func() {
				a, err := c.live[i%3].Propose(context.Background(), swap("/k", "x", index))
				if err != nil || a.Err != nil {
					return
				}
				mu.Lock()
				won = append(won, a.Event.Index)
				mu.Unlock()
			})
		}
		wg.Wait()
		require.Len(t, won, 1)
		index = won[0]
		c.settledQueue(c.live[lead])
	}
}

// A leader that was deposed and does not know refuses nothing from what it
// knew: the command waits until it is known who leads.
func TestDeposedLeaderRefusesNoCondition(t *testing.T) {
	c := newCluster(t, 3, nil)
	old := c.leader()
	first := c.put(c.live[old], "/k", "1").Event.Index
	for i := range c.live {
		if i != old {
			c.memory.Cut(fmt.Sprintf("n%d", old), fmt.Sprintf("n%d", i))
		}
	}
	// By the majority the key will be at this version, which the old leader
	// has not heard of.
	answered := make(chan Answer, 1)
	go func() {
		a, err := c.live[old].Propose(context.Background(), swap("/k", "3", first+1))
		if err == nil {
			answered <- a
		}
		close(answered)
	}()
	other := c.live[(old+1)%3]
	second := c.put(other, "/k", "2").Event.Index
	require.Equal(t, first+1, second)
	c.memory.HealAll()
	if a, ok := <-answered; ok {
		require.Nil(t, a.Err, "refused by a leader that was deposed: %v", a.Err)
		require.Equal(t, second, a.Event.Prev.Modified)
	}
}

// A condition waits for an entry on its way that holds one on the same key, and
// for no other.
func TestConditionsWaitForTheirKey(t *testing.T) {
	c := newConditions()
	flying := []proposal{conditional("/a"), conditional("/a"), {}, conditional("/b")}
	c.depart(flying)
	c.waiting = []proposal{conditional("/c"), conditional("/a"), conditional("/b"), conditional("/c")}
	paths := func() (list []string) {
		c.free = c.free[:0]
		c.release()
		for _, p := range c.free {
			list = append(list, p.condition.Path)
		}
		return list
	}
	require.Equal(t, []string{"/c", "/c"}, paths())
	require.Empty(t, paths())
	require.Equal(t, 2, c.count())
	c.arrive(flying[:1])
	require.Empty(t, paths(), "one more is on its way")
	c.arrive(flying[1:])
	require.Equal(t, []string{"/a", "/b"}, paths())
	require.Zero(t, c.count())
	require.Empty(t, c.busy)
}

// Conditions that wait behind an entry when leadership ends, or the member does,
// are told so.
func TestConditionsEndWithTheirReign(t *testing.T) {
	for name, end := range map[string]struct {
		by   func(b *batcher)
		want error
	}{
		"reign":  {func(b *batcher) { b.lead(nil) }, ErrNoLeader},
		"member": {func(b *batcher) { b.close() }, ErrStopped},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBatcher(&Replica{meters: newMeters(), stop: make(chan struct{})})
			b.lead(&reign{})
			got := make(chan error, 3)
			b.conditions.depart([]proposal{conditional("/held")})
			add := func(list *[]proposal, path string) {
				p := conditional(path)
				p.finisher = finishFunc(func(_ Answer, err error) { got <- err })
				b.bytes += len(p.command)
				b.hold([]proposal{p}, list)
			}
			add(&b.conditions.waiting, "/held")
			b.conditions.release()
			require.Equal(t, 1, b.conditions.behind)
			add(&b.conditions.waiting, "/k")
			add(&b.conditions.losers, "/k")
			require.Equal(t, 3, b.waiting())
			end.by(b)
			for range 3 {
				select {
				case err := <-got:
					require.ErrorIs(t, err, end.want)
				case <-time.After(limit):
					require.Fail(t, "nobody was told")
				}
			}
			require.Zero(t, b.bytes)
			require.Zero(t, b.waiting())
		})
	}
}

// A refusal whose read index the state has lost again, in a rebuild from an older
// snapshot, is not given: it would be of a state before what others have seen.
func TestNoRefusalBehindItsReadIndex(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	c.put(r, "/k", "1")
	s, err := fsm{r, new(atomic.Bool)}.Snapshot()
	require.NoError(t, err)
	var snapshot bytes.Buffer
	_, err = s.(fsmSnapshot).WriteTo(&snapshot)
	require.NoError(t, err)
	second := c.put(r, "/k", "2").Event.Index
	index, err := r.batcher.confirm()
	require.NoError(t, err)
	for _, replayed := range []bool{false, true} {
		require.NoError(t, fsm{r, new(atomic.Bool)}.Restore(io.NopCloser(bytes.NewReader(snapshot.Bytes()))))
		if replayed { // an entry, of those that follow
			fsm{r, new(atomic.Bool)}.ApplyBatch([]*raft.Log{{Index: uint64(index) - 1, Term: 2, Type: raft.LogConfiguration}})
		}
		var got error
		p := proposal{command: swap("/k", "3", second)}
		p.condition, _ = kernel.Conditional(p.command)
		p.finisher = finishFunc(func(_ Answer, err error) { got = err })
		r.batcher.bytes += len(p.command)
		r.batcher.refuse([]proposal{p}, index)
		require.ErrorIs(t, got, ErrNoLeader)
	}
	c.settledQueue(r)
}

// To look whether a comparison would be refused copies neither value.
func TestJudgingMakesNoCause(t *testing.T) {
	c := newCluster(t, 1, nil)
	r := c.live[0]
	c.put(r, "/k", strings.Repeat("x", 1<<20))
	p := conditional("/k")
	r.state.mu.Lock()
	defer r.state.mu.Unlock()
	require.Zero(t, testing.AllocsPerRun(10, func() { r.state.kernel.Refuses(p.condition) }))
	require.True(t, r.state.kernel.Refuses(p.condition))
}
