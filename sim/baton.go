package sim

import "iter"

// baton is what a process needs to move, and what the loop lends it for a turn. It is a coroutine: handing it over is a
// switch of stacks, not a message to another goroutine, which would have to be woken on another thread.
type baton struct {
	next  func() (struct{}, bool)
	yield func(struct{}) bool
	stop  func() // makes body end: giveBack, in which it stands, returns false
}

// newBaton prepares to run body, in turns, the first of which begins with the first lend.
func newBaton(body func()) *baton {
	b := &baton{}
	b.next, b.stop = iter.Pull(func(yield func(struct{}) bool) {
		b.yield = yield
		body()
	})
	return b
}

// lend lets body run until it gives the baton back, or ends. A panic in body goes through.
func (b *baton) lend() { b.next() }

// giveBack is called in body: it returns when body has its next turn, false if it has to end.
func (b *baton) giveBack() bool { return b.yield(struct{}{}) }
