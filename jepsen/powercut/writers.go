//go:build unix

package powercut

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"holdfast/jepsen"
)

const (
	writers       = 4
	keysPerWriter = 25
	// maxPadding is how many bytes a value may have beyond its name: a record of
	// the log lies in one sector or goes over several.
	maxPadding = 1500
	writeTime  = 5 * time.Second // for one write
)

// write lets the writers write until each has met a daemon that answers no more,
// or ctx ends.
func write(ctx context.Context, url string, l *ledger, round int, rng *rand.Rand) {
	var wg sync.WaitGroup
	start := time.Now()
	for w := range writers {
		c := &jepsen.Client{Process: w, Endpoint: url, Timeout: writeTime, Now: func() int64 { return int64(time.Since(start)) }}
		draws := rand.New(rand.NewPCG(rng.Uint64(), uint64(w)))
		wg.Go(func() {
			defer c.Close()
			for n := 0; ctx.Err() == nil && writeOnce(ctx, c, l, draws, round, n); n++ {
			}
		})
	}
	wg.Wait()
}

// writeOnce writes one key and reports whether the daemon answered.
func writeOnce(ctx context.Context, c *jepsen.Client, l *ledger, draws *rand.Rand, round, n int) bool {
	key := fmt.Sprintf("%s/w%d-%d", root, c.Process, draws.IntN(keysPerWriter))
	value := fmt.Sprintf("r%d.w%d.%d.%s", round, c.Process, n, strings.Repeat("x", draws.IntN(maxPadding)))
	o := jepsen.Operation{Op: jepsen.Write, Key: key, Arg: value}
	if n%8 == 7 { // one that the store must refuse
		o = jepsen.Operation{Op: jepsen.CAS, Key: key, Arg: refused + value, Prev: "never"}
		return c.Do(ctx, o).ErrorCode != 0
	}
	l.begin(key, value)
	o = c.Do(ctx, o)
	switch o.Outcome {
	case jepsen.OK:
		l.acknowledge(key, value)
		return true
	case jepsen.Fail:
		l.withdraw(key, value)
	}
	return false
}
