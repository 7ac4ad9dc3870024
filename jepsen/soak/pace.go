package soak

import (
	"context"
	"time"
)

// pace lets so many operations begin a second, whether those before are answered
// or not. If all clients wait, what is due is put off for a second at most, and
// left out after that.
type pace struct {
	perSecond float64
	due       chan struct{}
	left      int64 // out; to be read when keep has returned
}

// paceTick is how often what is due is let go.
const paceTick = 5 * time.Millisecond

func newPace(perSecond float64) *pace {
	return &pace{perSecond: perSecond, due: make(chan struct{}, max(1, int(perSecond)))}
}

// keep keeps the pace until ctx ends.
func (p *pace) keep(ctx context.Context) {
	defer close(p.due)
	began, given := time.Now(), int64(0)
	tick := time.NewTicker(paceTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for now := int64(p.perSecond * time.Since(began).Seconds()); given < now; given++ {
			select {
			case p.due <- struct{}{}:
			default:
				p.left++
			}
		}
	}
}

// next waits for the next operation's time; no when there is none.
func (p *pace) next() bool {
	_, ok := <-p.due
	return ok
}
