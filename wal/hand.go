package wal

import (
	"fmt"
	"time"
)

// hand runs one operation that writes after the other, each as within does, but
// in one goroutine for all of them, whose stack has grown by then: entries are
// stored too often to start a goroutine each time.
type hand struct {
	limit time.Duration
	ops   chan func() error // nil: the goroutine has not been started
	done  chan error
	timer *time.Timer
}

// within is the function of that name. It must not be called again after an
// operation that hung.
func (h *hand) within(op func() error) error {
	if h.ops == nil {
		h.ops, h.done, h.timer = make(chan func() error), make(chan error, 1), time.NewTimer(h.limit)
		go h.work(h.ops, h.done)
	} else {
		h.timer.Reset(h.limit)
	}
	h.ops <- op
	select {
	case err := <-h.done:
		h.timer.Stop()
		return err
	case <-h.timer.C:
		h.close() // it ends with what it is at, if that ends
		return fmt.Errorf("%w within %v", ErrHangs, h.limit)
	}
}

func (h *hand) work(ops <-chan func() error, done chan<- error) {
	for op := range ops {
		done <- op()
	}
}

// close ends the goroutine.
func (h *hand) close() {
	if h.ops != nil {
		close(h.ops)
		h.ops = nil
	}
}
