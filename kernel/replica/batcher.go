package replica

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"holdfast/kernel"
)

// proposal is a command on its way, with what is to be done with its outcome.
type proposal struct {
	command   []byte
	condition *kernel.Command // the command, if it is conditional
	finisher
}

// finisher takes the outcome of a proposal. finish is called exactly once, from
// a goroutine that must not be held up.
type finisher interface {
	finish(Answer, error)
}

// finishFunc is a finisher that is a function.
type finishFunc func(Answer, error)

func (f finishFunc) finish(a Answer, err error) { f(a, err) }

// batcher folds the commands that wait into one raft entry. It seals an entry
// when the log has nothing to sync any more, not before: raft takes nothing
// new while it syncs, and a batch sealed early would freeze small. Behind an
// entry that is synced and still on its way fewer than worthFollowing commands
// wait for as long again as its sync took: an entry costs every member a sync, so
// that is what they may save, and the most that they lose. At most maxInFlight
// entries are on their way.
type batcher struct {
	r *Replica

	mu      sync.Mutex
	queue   []proposal
	bytes   int       // of what is queued, or held by conditions
	reign   *reign    // nil while this member does not lead
	flying  []*flight // entries given to raft and not yet answered, in order
	syncing bool      // one of them has not yet been synced by this member's log
	follow  time.Time // from when on few commands may follow them
	expiry  bool      // an expire command waits or flies
	closed  bool
	wake    chan struct{}

	conditions conditions

	landed chan *flight // entries given to raft, in order
}

// flight is an entry that raft was given.
type flight struct {
	raft      *incarnation
	entry     []byte
	future    raft.ApplyFuture
	proposals []proposal
	sealed    time.Time
}

func newBatcher(r *Replica) *batcher {
	return &batcher{r: r, wake: make(chan struct{}, 1), landed: make(chan *flight, maxInFlight), conditions: newConditions()}
}

// submit queues a proposal. An error means that it was not taken, and finish
// will not be called.
func (b *batcher) submit(p proposal) error {
	condition, conditional := kernel.Conditional(p.command)
	b.mu.Lock()
	err := b.refusing()
	if err == nil && (b.waiting() >= maxQueuedCommands || b.bytes+len(p.command) > maxQueuedBytes) {
		err = ErrBusy
	}
	if err != nil {
		b.mu.Unlock()
		if errors.Is(err, ErrBusy) {
			b.r.meters.queueRefused.Add(1)
		}
		return err
	}
	// While nothing can be done with it nobody is woken; what has to happen
	// first will wake the batcher.
	act := false
	if conditional {
		p.condition = condition
		b.conditions.waiting = append(b.conditions.waiting, p)
		act = b.conditions.busy[condition.Path] == 0
	} else {
		b.queue = append(b.queue, p)
		// The first is to set off the time after which it may follow.
		act = b.maySeal() || b.canSeal() && len(b.queue) == 1
	}
	b.bytes += len(p.command)
	b.mu.Unlock()
	if act {
		b.signal()
	}
	return nil
}

// maySeal tells whether an entry may be sealed now, whatever the time, with mu
// held.
func (b *batcher) maySeal() bool {
	return b.canSeal() && (len(b.flying) == 0 || len(b.queue) >= worthFollowing || b.bytes >= maxBatchBytes)
}

// canSeal tells whether raft could take an entry now, with mu held.
func (b *batcher) canSeal() bool {
	return b.reign != nil && !b.syncing && len(b.flying) < maxInFlight
}

// followsIn tells how long what is queued has to wait until it may follow the
// entry on its way, if that does not arrive before; with mu held. It is 0 if it
// may be sealed, or waits for something else.
func (b *batcher) followsIn() time.Duration {
	if len(b.queue) == 0 || !b.canSeal() || b.maySeal() {
		return 0
	}
	return max(0, time.Until(b.follow))
}

// refusing tells why nothing is taken now, with mu held.
func (b *batcher) refusing() error {
	switch {
	case b.closed:
		return ErrStopped
	case b.reign == nil:
		return ErrNoLeader
	}
	return nil
}

// waiting counts what no entry holds yet, with mu held.
func (b *batcher) waiting() int { return len(b.queue) + b.conditions.count() }

func (b *batcher) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// synced is called when this member's log has synced something.
func (b *batcher) synced() {
	b.mu.Lock()
	b.syncing = false
	if n := len(b.flying); n > 0 {
		took := time.Since(b.flying[n-1].sealed)
		b.follow = time.Now().Add(min(took, maxFollow))
	}
	b.mu.Unlock()
	b.signal()
}

// lead sets the reign under which batches are sealed; with nil, what waits is
// refused: nothing of it was proposed.
func (b *batcher) lead(g *reign) {
	b.mu.Lock()
	refused := b.setReign(g)
	b.mu.Unlock()
	refuseAll(refused, ErrNoLeader)
	b.signal()
}

// leadEnds ends one reign, if it still lasts.
func (b *batcher) leadEnds(g *reign) {
	b.mu.Lock()
	var refused []proposal
	if b.reign == g {
		refused = b.setReign(nil)
	}
	b.mu.Unlock()
	refuseAll(refused, ErrNoLeader)
}

// flies tells whether a batch is under way.
func (b *batcher) flies() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.flying) > 0
}

// leads tells whether a reign lasts.
func (b *batcher) leads() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reign != nil
}

func (b *batcher) setReign(g *reign) (refused []proposal) {
	b.reign, b.syncing = g, false
	if g == nil {
		refused = b.takeAll()
	}
	return refused
}

func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.reign = nil
	refused := b.takeAll()
	b.mu.Unlock()
	refuseAll(refused, ErrStopped)
	b.signal()
}

// takeAll empties the queue, with mu held. What is being judged or confirmed is
// not in it, and counts on.
func (b *batcher) takeAll() []proposal {
	all := append(b.queue, b.conditions.takeAll()...)
	b.queue = nil
	for _, p := range all {
		b.bytes -= len(p.command)
	}
	return all
}

func refuseAll(list []proposal, err error) {
	for _, p := range list {
		p.finish(Answer{}, err)
	}
}

// expire asks for an expire command, unless one is on its way.
func (b *batcher) expire() {
	b.mu.Lock()
	if b.expiry || b.reign == nil || b.closed {
		b.mu.Unlock()
		return
	}
	b.expiry = true
	b.mu.Unlock()
	command, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpExpire})
	if err == nil {
		err = b.submit(proposal{command: command, finisher: finishFunc(func(_ Answer, err error) { b.expired(err == nil) })})
	}
	if err != nil {
		b.expired(false)
	}
}

// expired ends an expire command. More may be due than one removes: then the
// next follows at once.
func (b *batcher) expired(done bool) {
	b.mu.Lock()
	b.expiry = false
	b.mu.Unlock()
	if !done {
		return
	}
	b.r.state.mu.Lock()
	next, ok := b.r.state.kernel.NextDeadline()
	more := ok && next <= b.r.state.kernel.Now()
	b.r.state.mu.Unlock()
	if more {
		b.expire()
	}
}

func (b *batcher) run() {
	defer b.r.wg.Done()
	b.r.wg.Add(2)
	go b.land()
	go b.confirmLosers()
	defer close(b.landed)
	follow := time.NewTimer(time.Hour)
	defer follow.Stop()
	for {
		b.judge()
		// What can run now may have commands for this batch.
		runtime.Gosched()
		g, batch, wait := b.take()
		if g != nil {
			b.propose(g, batch)
			continue
		}
		if wait > 0 {
			follow.Reset(wait)
		}
		select {
		case <-b.wake:
		case <-follow.C:
		case <-b.r.stop:
			return
		}
	}
}

// take cuts a batch off the queue, if it is time to seal one. If time alone is
// in the way it tells how much, see followsIn.
func (b *batcher) take() (*reign, []proposal, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if wait := b.followsIn(); wait > 0 {
		return nil, nil, wait
	}
	if len(b.queue) == 0 || !b.canSeal() {
		return nil, nil, 0
	}
	n, bytes := 0, 0
	for n < len(b.queue) && n < kernel.MaxCommandsPerEntry && (n == 0 || bytes+len(b.queue[n].command) <= maxBatchBytes) {
		bytes += len(b.queue[n].command)
		n++
	}
	batch := b.queue[:n:n]
	b.queue = b.queue[n:]
	if len(b.queue) == 0 {
		b.queue = make([]proposal, 0, n) // the next batch likely is as large
	}
	b.bytes -= bytes
	b.syncing = true
	return b.reign, batch, 0
}

// propose seals a batch and gives it to raft. The time that the entry carries
// is read here, after the last command joined: whatever time to live it
// grants counts from after its call.
func (b *batcher) propose(g *reign, batch []proposal) {
	commands := make([][]byte, len(batch))
	size := kernel.EntryOverheadBytes
	for i, p := range batch {
		commands[i] = p.command
		size += len(p.command) + kernel.CommandOverheadBytes
	}
	elapsed := kernel.Time(time.Since(g.sealed))
	f := &flight{
		raft: g.raft, entry: kernel.AppendBatch(make([]byte, 0, size), g.session, elapsed, commands),
		proposals: batch, sealed: g.sealed.Add(time.Duration(elapsed)),
	}
	b.r.meters.batchCommands.observe(uint64(len(batch)))
	b.r.meters.batchBytes.observe(uint64(len(f.entry)))
	b.mu.Lock()
	b.flying = append(b.flying, f)
	b.conditions.depart(batch)
	b.mu.Unlock()
	// raft's main loop takes it as soon as it is idle; a limit is needed only
	// for a loop that hangs in a log that hangs.
	f.future = g.raft.ApplyLog(raft.Log{Data: f.entry}, b.r.cfg.requestTimeout())
	b.landed <- f
}

// applied hands out the answers of an entry that was applied, if it is one of
// those under way: raft's own answer would come three goroutines later. raft
// hands a leader's entries to its state machine as the very bytes it was given.
func (b *batcher) applied(entry []byte, done *applied) {
	b.mu.Lock()
	f := b.claim(func(f *flight) bool { return len(entry) > 0 && &f.entry[0] == &entry[0] })
	b.mu.Unlock()
	if f == nil {
		return
	}
	b.signal()
	b.r.meters.commit.took(time.Since(f.sealed))
	for i, p := range f.proposals {
		p.finish(Answer{Result: done.results[i], LogIndex: done.index, Term: done.term}, nil)
	}
}

// claim takes a flight off the list of those whose proposals have no outcome
// yet; nil if it is not on it.
func (b *batcher) claim(is func(*flight) bool) *flight {
	i := slices.IndexFunc(b.flying, is)
	if i < 0 {
		return nil
	}
	f := b.flying[i]
	b.flying = slices.Delete(b.flying, i, i+1)
	b.conditions.arrive(f.proposals)
	return f
}

// land waits until raft is done with the entries, in their order. Those that
// were applied have been answered by then, the others failed.
func (b *batcher) land() {
	defer b.r.wg.Done()
	for f := range b.landed {
		err := f.raft.await(f.future)
		b.mu.Lock()
		failed := b.claim(func(g *flight) bool { return g == f })
		if failed != nil {
			// An entry that raft refused never reaches the log's sync.
			b.syncing = false
		}
		b.mu.Unlock()
		if failed == nil {
			continue
		}
		b.signal()
		if err == nil {
			err = ErrUnknown // it is in the log, and no result says what it did
		} else {
			if errors.Is(err, raft.ErrLeadershipLost) {
				b.r.reached(ProbeDeposedWriting)
			}
			err = outcome(err)
		}
		for _, p := range f.proposals {
			p.finish(Answer{}, err)
		}
	}
}

// outcome tells what an error of raft means for a write. Only refusals that
// raft gives before it has taken the entry say that nothing was done.
func outcome(err error) error {
	switch {
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return fmt.Errorf("%w (%w)", ErrNoLeader, err)
	default:
		return fmt.Errorf("%w (%w)", ErrUnknown, err)
	}
}
