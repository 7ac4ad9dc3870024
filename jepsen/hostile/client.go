//go:build unix

package hostile

import (
	"context"
	"fmt"
	"time"

	"holdfast/jepsen"
)

// Served is what a well-behaved client saw.
type Served struct {
	Asked int           // writes and reads, all of them answered as they should be
	Worst time.Duration // that one of them took
	Wrong string        // the first that was not
}

// pace is the well-behaved client's pause between a read and the next write.
const pace = 20 * time.Millisecond

// patience is how long it waits for an answer: long enough to tell slow from
// none.
const patience = 4 * ServedWithin

// behave writes and reads a key over one connection until it is told to stop. It
// ends with a write on a new connection.
func behave(ctx context.Context, url string) (stop func() Served) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var served Served
	go func() {
		defer close(done)
		begun := time.Now()
		c := &jepsen.Client{Endpoint: url, Timeout: patience, Now: func() int64 { return int64(time.Since(begun)) }}
		defer c.Close()
		for n := 0; served.Wrong == ""; n++ {
			last := ctx.Err() != nil
			if last {
				c.Close()
			}
			served.ask(c, n)
			if last {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(pace):
			}
		}
	}()
	return func() Served {
		cancel()
		<-done
		return served
	}
}

// ask writes a number and reads it back.
func (s *Served) ask(c *jepsen.Client, n int) {
	const key = "/well-behaved"
	value := fmt.Sprint(n)
	for _, o := range []jepsen.Operation{{Op: jepsen.Write, Key: key, Arg: value}, {Op: jepsen.Read, Key: key}} {
		o = c.Do(context.Background(), o)
		took := time.Duration(o.Return - o.Call)
		s.Worst = max(s.Worst, took)
		switch {
		case o.Outcome != jepsen.OK:
			s.Wrong = fmt.Sprintf("a well-behaved client's %v number %d was not answered within %v: %s", o.Op, n, took.Round(time.Millisecond), o.Error)
			return
		case o.Op.Reads() && o.Result != value:
			s.Wrong = fmt.Sprintf("a well-behaved client wrote %s and read %q", value, o.Result)
			return
		}
		s.Asked++
	}
}
