package sim

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// orders prints whether two orders came about that are legal and unlikely, and that goroutines came to an end which spin for
// as long as a lower one gets no turn.
const orders = `package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func main() { fmt.Println(late(), reversed(), ended()) }

const (
	handovers = 16
	rings     = 100
)

// late: all of the handovers between two goroutines before the first turn of a third.
func late() (found bool) {
	done, hands := 0, make(chan int)
	var wg sync.WaitGroup
	wg.Go(func() { found = done == handovers })
	wg.Go(func() {
		for range handovers {
			hands <- 1
		}
		close(hands)
	})
	wg.Go(func() {
		for range hands {
			done++
		}
	})
	wg.Wait()
	return found
}

// reversed: who opens the gate wakes others one by one, and never waits. Half of that passes before the first turn of who
// waited at the gate, but not all of it.
func reversed() (found bool) {
	started, gate, bell := false, make(chan int), make(chan int)
	var wg sync.WaitGroup
	wg.Go(func() {
		<-gate
		started = true
	})
	for range 2 * rings {
		go func() { <-bell }()
	}
	for range 16 {
		runtime.Gosched() // until all of them wait
	}
	wg.Go(func() {
		close(gate)
		for range rings {
			bell <- 1
		}
		early := started
		for range rings {
			bell <- 1
		}
		found = started && !early
	})
	wg.Wait()
	return found
}

func ended() bool {
	var enough atomic.Bool
	var wg sync.WaitGroup
	spin := func(once func()) {
		wg.Go(func() {
			for !enough.Load() {
				once()
			}
		})
	}
	spin(runtime.Gosched)
	spin(func() { time.Now() })
	ping, pong := make(chan int), make(chan int)
	go func() {
		for range ping {
			pong <- 1
		}
	}()
	spin(func() { ping <- 1; <-pong })
	wg.Go(func() { enough.Store(true) })
	wg.Wait()
	return true
}
`

// Found by priority in few seeds, and not uniformly in many: an order in which one goroutine is late again and again, for
// which its rank is enough, and one in which the other of two is first all at once, for which one must fall, and lose its turn
// where it does not wait. And nobody starves.
func TestPrioritiesFindDeepOrders(t *testing.T) {
	run := buildSaying(t, orders, false)
	const seeds = 100
	found := func(schedule string) (late, reversed int) {
		for seed := range int64(seeds) {
			said := run(seed, priorityVariable, schedule)
			if seed < 10 {
				assert.Equal(t, said, run(seed, priorityVariable, schedule), "one seed, two schedules")
			}
			require.Equal(t, "true", said[2])
			if said[0] == "true" {
				late++
			}
			if said[1] == "true" {
				reversed++
			}
		}
		t.Logf("schedule %q: of %d seeds %d late, %d reversed", schedule, seeds, late, reversed)
		return late, reversed
	}
	late, reversed := found("")
	assert.Zero(t, late, "turns drawn uniformly")
	assert.Zero(t, reversed, "turns drawn uniformly")
	late, reversed = found("0/100000")
	assert.Greater(t, late, seeds/10, "by rank")
	assert.Zero(t, reversed, "nobody falls")
	late, reversed = found("1/256")
	assert.Greater(t, late, seeds/20, "by rank")
	assert.Greater(t, reversed, seeds/50, "one falls")
}
