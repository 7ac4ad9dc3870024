package sim

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// overtaken prints, for a channel, a mutex and a select, whether who was woken through it had no turn before somebody whose
// time had not come yet by then.
const overtaken = `package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

func main() {
	bell, other := make(chan int), make(chan int)
	var mu sync.Mutex
	mu.Lock()
	fmt.Println(
		is(func() { <-bell }, func() { bell <- 1 }),
		is(mu.Lock, mu.Unlock),
		is(func() {
			select {
			case <-bell:
			case <-other:
			}
		}, func() { other <- 1 }),
	)
}

func is(wait, wake func()) bool {
	going, done := false, make(chan bool)
	go func() {
		wait()
		going = true
		close(done)
	}()
	for range 16 {
		runtime.Gosched() // until it waits
	}
	wake()
	time.Sleep(4 * time.Millisecond)
	early := going
	<-done
	return !early
}
`

// Who was woken may be late by more than it takes others to hear from outside, if the host asks for that, and never otherwise.
func TestTheWokenAreLate(t *testing.T) {
	run := buildSaying(t, overtaken, false)
	const seeds = 100
	for _, c := range []struct {
		oneIn       string
		least, most int
	}{
		{"", 0, 0},
		{"1", seeds / 10, seeds / 2},
		{"8", 1, seeds / 8},
	} {
		late := [3]int{}
		for seed := range int64(seeds) {
			said := run(seed, lateVariable, c.oneIn)
			if seed < 10 {
				assert.Equal(t, said, run(seed, lateVariable, c.oneIn), "one seed, two schedules")
			}
			for i := range said {
				if said[i] == "true" {
					late[i]++
				}
			}
		}
		for i, what := range []string{"a channel", "a mutex", "a select"} {
			t.Logf("one in %q: late from %s with %d of %d seeds", c.oneIn, what, late[i], seeds)
			assert.GreaterOrEqual(t, late[i], c.least, what)
			assert.LessOrEqual(t, late[i], c.most, what)
		}
	}
}

// collected has many goroutines be late for the first time when a collection is due, the first of the process, by whatever
// allocates next; and waits in every way in which a goroutine has something of its own that was left with a channel.
const collected = `package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
)

func main() {
	debug.SetGCPercent(-1)
	bell, other := make(chan int), make(chan int)
	const each = 500
	woken := 0
	var kept [][]byte
	for range each {
		go func() {
			<-bell
			woken++
			kept = append(kept, make([]byte, 100)) // it may begin here
		}()
		go func() {
			select {
			case <-bell:
			case <-other:
			}
			woken++
		}()
	}
	for range 64 {
		runtime.Gosched() // until they wait
	}
	held := make([]byte, 16<<20)
	debug.SetGCPercent(100)
	for range 2 * each {
		bell <- 1
	}
	var m runtime.MemStats
	for woken < 2*each {
		time.Sleep(time.Millisecond)
	}
	runtime.GC() // ends the one that is under way
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(held)
	fmt.Println(woken, m.NumGC-m.NumForcedGC, len(held))
}
`

// Who is late need not have slept before: what it sleeps with is made then, and making it begins no collection, which would wait
// on a channel in the midst of the wait that has not been finished.
func TestLateWhenACollectionIsDue(t *testing.T) {
	run := buildSaying(t, collected, false)
	for seed := range int64(5) {
		said := run(seed, lateVariable, "1")
		assert.Equal(t, "1000", said[0])
		assert.NotEqual(t, "0", said[1], "no collection")
	}
}

// Each life of a member has a share of its own, of every order of magnitude.
func TestLatenessIsDrawnForEachLife(t *testing.T) {
	drawn := map[string]bool{}
	for incarnation := range 200 {
		drawn[draws(7).lateness(life(1, incarnation))] = true
	}
	assert.Len(t, drawn, leastLate-mostLate)
	for share := range drawn {
		n, err := strconv.Atoi(share)
		require.NoError(t, err)
		assert.True(t, n >= 1<<mostLate && n < 1<<leastLate, share)
	}
}

// A log that says that nobody is late is another run, and played again it is the same one.
func TestReplayPunctual(t *testing.T) {
	play := func(punctual bool) (*Report, *Decisions, string) {
		var log bytes.Buffer
		o := toyOptions(6, "good")
		o.Decisions.Plan.Punctual, o.Log = punctual, &log
		head := strings.Join(o.Decisions.Plan.Lines(), "\n")
		rep, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, VerdictOK, rep.Verdict, rep.Detail)
		d, err := ReadDecisions(&log)
		require.NoError(t, err)
		assert.Equal(t, punctual, d.Plan.Punctual)
		return rep, d, head
	}
	late, _, head := play(false)
	assert.NotContains(t, head, "nobody late")
	punctual, log, head := play(true)
	assert.Contains(t, head, ", nobody late")
	assert.NotEqual(t, late.Hash, punctual.Hash)
	o := toyOptions(6, "good")
	o.Decisions = log
	again, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, punctual.Line(), again.Line())
}
