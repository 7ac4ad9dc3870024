package replica

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"holdfast/kernel"
)

// conditions keeps out of the log what would be refused anyway. Of sixteen
// clients that swap one key fifteen lose; through the log each of them waits for
// a sync of its own that tells nothing but that.
//
// A conditional command (kernel.Conditional) waits while an entry on its way
// holds another on the same key: that one decides. When there is none, it is
// held against the state that was applied. If it would be carried out it joins
// the queue; nothing else was decided. If not, its refusal is the answer of a
// linearizable read: it is given after a read index from after the command's
// arrival was applied and the command was looked at once more. So the log
// orders what changes the state, and a refusal is never of an older state than
// one that somebody has seen.
//
// It is a part of the batcher and uses its lock.
type conditions struct {
	waiting []proposal            // not yet looked at
	held    map[string][]proposal // behind an entry on its way, by key
	behind  int                   // how many these are
	busy    map[string]int        // entries' commands on their way, by key
	losers  []proposal            // to be refused, when a read index says so
	wake    chan struct{}         // for losers

	// The batcher's own, used again and again.
	free, won, lost []proposal
}

func newConditions() conditions {
	return conditions{held: map[string][]proposal{}, busy: map[string]int{}, wake: make(chan struct{}, 1)}
}

// count is how many proposals are held.
func (c *conditions) count() int { return len(c.waiting) + c.behind + len(c.losers) }

// takeAll empties it of what waits, and gives that.
func (c *conditions) takeAll() []proposal {
	all := append(c.waiting, c.losers...)
	for _, path := range slices.Sorted(maps.Keys(c.held)) {
		all = append(all, c.held[path]...)
	}
	clear(c.held)
	c.waiting, c.behind, c.losers = nil, 0, nil
	return all
}

// depart notes that an entry is on its way.
func (c *conditions) depart(batch []proposal) {
	for i := range batch {
		if k := batch[i].condition; k != nil {
			c.busy[k.Path]++
		}
	}
}

// arrive notes that its outcome is known; who waited for it is looked at again.
func (c *conditions) arrive(batch []proposal) {
	for i := range batch {
		k := batch[i].condition
		if k == nil {
			continue
		}
		if c.busy[k.Path]--; c.busy[k.Path] > 0 {
			continue
		}
		delete(c.busy, k.Path)
		if list, ok := c.held[k.Path]; ok {
			c.waiting = append(c.waiting, list...)
			c.behind -= len(list)
			delete(c.held, k.Path)
		}
	}
}

// release moves to free what waits for nothing, in its order, and holds the rest.
func (c *conditions) release() {
	for _, p := range c.waiting {
		if path := p.condition.Path; c.busy[path] > 0 {
			c.held[path] = append(c.held[path], p)
			c.behind++
		} else {
			c.free = append(c.free, p)
		}
	}
	clear(c.waiting)
	c.waiting = c.waiting[:0]
}

// judge looks at the conditional commands that wait for nothing: they join the
// queue or are refused.
func (b *batcher) judge() {
	c := &b.conditions
	b.mu.Lock()
	if b.reign != nil && len(c.waiting) > 0 {
		c.release()
	}
	b.mu.Unlock()
	if len(c.free) == 0 {
		return
	}
	b.r.state.judge(c)
	b.hold(c.won, &b.queue)
	if len(c.lost) > 0 {
		b.lose(c.lost)
	}
	clear(c.free)
	clear(c.won)
	clear(c.lost)
	c.free, c.won, c.lost = c.free[:0], c.won[:0], c.lost[:0]
}

// lose has commands refused: at once, where nobody else has to be asked.
func (b *batcher) lose(list []proposal) {
	if index, alone := b.r.reads.alone(); alone && b.r.state.applied.Load() >= uint64(index) {
		b.refuse(list, index)
		return
	}
	b.hold(list, &b.conditions.losers)
	select {
	case b.conditions.wake <- struct{}{}:
	default:
	}
}

// judge holds what is free against the state as it is.
func (s *state) judge(c *conditions) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range c.free {
		if !s.kernel.Refuses(p.condition) {
			c.won = append(c.won, p)
		} else {
			c.lost = append(c.lost, p)
		}
	}
}

// hold puts commands that are counted already into a list, unless none are taken
// any more.
func (b *batcher) hold(list []proposal, where *[]proposal) {
	if len(list) == 0 {
		return
	}
	b.mu.Lock()
	err := b.refusing()
	if err == nil {
		*where = append(*where, list...)
	}
	b.mu.Unlock()
	if err != nil {
		b.drop(list, err)
	}
}

// drop refuses commands that are counted and in no list.
func (b *batcher) drop(list []proposal, err error) {
	b.uncount(list)
	refuseAll(list, err)
}

// uncount takes commands that are in no list out of the bytes that wait.
func (b *batcher) uncount(list []proposal) {
	b.mu.Lock()
	for _, p := range list {
		b.bytes -= len(p.command)
	}
	b.mu.Unlock()
}

// refuseAtOnce is how many refusals are made under one lock, and held at once: each
// may tell two values.
const refuseAtOnce = 16

// refuse answers commands whose refusal was confirmed by a read index that has
// been applied.
func (b *batcher) refuse(list []proposal, index kernel.LogIndex) {
	for some := range slices.Chunk(list, refuseAtOnce) {
		b.refuseSome(some, index)
	}
}

func (b *batcher) refuseSome(list []proposal, index kernel.LogIndex) {
	s := b.r.state
	answers := make([]Answer, len(list))
	s.mu.Lock()
	if s.endTerm == 0 || s.kernel.Applied() < index {
		// A snapshot came: this member leads no more, and has not yet applied again
		// what it had. A follower takes the entry that an answer names for
		// committed, so it must be one.
		s.mu.Unlock()
		b.drop(list, ErrNoLeader)
		return
	}
	for i, p := range list {
		e := s.kernel.Refusal(p.condition)
		if e != nil {
			s.kernel.CountRefusal(p.condition)
		}
		answers[i] = Answer{kernel.Result{Err: e}, s.kernel.Applied(), s.endTerm, true}
	}
	s.mu.Unlock()
	var won []proposal
	for i, p := range list {
		if answers[i].Err == nil { // it would be carried out after all
			won = append(won, p)
			continue
		}
		b.uncount(list[i : i+1])
		b.r.meters.refusedUnlogged.Add(1)
		p.finish(answers[i], nil)
	}
	if len(won) > 0 {
		b.hold(won, &b.queue)
		b.signal()
	}
}

// confirmLosers asks for a read index for all that is to be refused, again and
// again, until the replica stops.
func (b *batcher) confirmLosers() {
	defer b.r.wg.Done()
	for {
		select {
		case <-b.conditions.wake:
		case <-b.r.stop:
			return
		}
		b.mu.Lock()
		list := b.conditions.losers
		b.conditions.losers = nil
		b.mu.Unlock()
		if len(list) == 0 {
			continue
		}
		index, err := b.confirm()
		if err != nil {
			b.drop(list, err)
			continue
		}
		b.refuse(list, index)
	}
}

// confirm waits until all is applied that was answered anywhere before now, and
// gives the index of that. Of its errors ErrNoLeader says that another member may
// know.
func (b *batcher) confirm() (kernel.LogIndex, error) {
	ctx, cancel := context.WithTimeout(context.Background(), b.r.cfg.requestTimeout())
	defer cancel()
	index, err := b.r.reads.index(ctx)
	if err == nil {
		err = b.r.waitApplied(ctx, index)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return 0, fmt.Errorf("%w (%w)", ErrNoLeader, err) // nothing was done
	}
	return index, err
}

// countRefusal counts a command that the leader refused without an entry, as each
// member counts those that it applies: etcd's clients look for what they were
// refused where they asked.
func (s *state) countRefusal(command []byte) {
	c, ok := kernel.Conditional(command)
	if !ok {
		return
	}
	s.mu.Lock()
	s.kernel.CountRefusal(c)
	s.mu.Unlock()
}
