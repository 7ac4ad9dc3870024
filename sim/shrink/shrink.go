package shrink

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"holdfast/sim"
)

// Test plays decisions and tells how the run ended. It is called by several goroutines at a time. An error ends the shrinking.
type Test func(ctx context.Context, d *sim.Decisions) (Outcome, error)

// Outcome is what a run came to.
type Outcome struct {
	// Fails says that it failed as the first one did.
	Fails bool
	// Operations is how many each client began, those that its plan leaves out included (see sim.Report).
	Operations []int
	// Faults are the log's as they came up, each with whom it struck; nil: as the log has them.
	Faults []sim.Fault
}

// Shrinker says how a log is made smaller.
type Shrinker struct {
	Test Test // required
	// Operations is how many each client of the log began when it was played.
	Operations []int
	// Jobs is how many tests are made at a time; 0: one.
	Jobs int
	// Spent, if set, is asked before each test; once it says so, no further one is begun, but for those that see whether each
	// fault is needed, if there are few (see Result.Needed).
	Spent func() bool
	// Tell, if set, is told after each test.
	Tell func(Progress)
}

// Progress is how far the shrinking is.
type Progress struct {
	What     string // what is being taken away
	Tests    int
	Smallest *sim.Decisions // not to be changed
}

// Result is what is left of a log.
type Result struct {
	Decisions *sim.Decisions
	Tests     int
	// Minimal says that nothing more can be taken away; else the budget was spent before that was known.
	Minimal bool
	// Needed says that without any one of the faults the log does not fail. That is seen to beyond the budget, too, where no
	// more than mostFaults are left.
	Needed bool
}

// mostFaults are tried once more, one by one, when the budget is spent.
const mostFaults = 16

// Run shrinks a log that fails. With an error, the result is the smallest log until then. The log given stays as it is.
func (s Shrinker) Run(ctx context.Context, d *sim.Decisions) (Result, error) {
	w := &work{Shrinker: s, ctx: ctx, best: clone(d), known: map[string]Outcome{}}
	w.Jobs = max(w.Jobs, 1)
	for {
		before := w.best
		w.settle()
		if !w.stopped() {
			w.singleOperations()
		}
		if w.stopped() || w.best == before {
			return w.result()
		}
	}
}

func (w *work) result() (Result, error) {
	minimal := !w.stopped()
	needed := minimal
	if w.err == nil && !minimal && len(w.best.Faults) <= mostFaults {
		// What went last may have left a fault without a purpose.
		w.what, w.spent, w.Spent = "faults", false, nil
		w.minimise(len(w.best.Faults), withFaults)
		needed = w.err == nil
	}
	return Result{Decisions: w.best, Tests: w.tests, Minimal: minimal, Needed: needed}, w.err
}

// settle goes all ways to make a log smaller until none of them does. They take away much at a time, single operations little:
// while these are many they would spend the budget.
func (w *work) settle() {
	for {
		before := w.best
		for _, p := range passes {
			w.what = p.name
			p.shrink(w)
		}
		if w.stopped() || w.best == before {
			return
		}
	}
}

// passes are the ways to make a log smaller, in the order in which they are tried, but for single operations.
var passes = []struct {
	name   string
	shrink func(*work)
}{
	{"faults", func(w *work) { w.minimise(len(w.best.Faults), withFaults) }},
	{"upgrades", func(w *work) { w.descend(fewerUpgrades) }},
	{"what is special in the schedule", func(w *work) { w.descend(simplerSchedule) }},
	{"clients", func(w *work) { w.minimise(len(clients(w.best)), withClients) }},
	{"clients, with other seeds", func(w *work) { w.descend(fewerClientsRedrawn) }},
	{"operations", func(w *work) { w.descend(fewerOperations) }},
	{"members", func(w *work) { w.descend(fewerMembers) }},
	{"time", func(w *work) { w.descend(lessTime) }},
}

func (w *work) singleOperations() {
	w.what = "single operations"
	began := operations(w.best, w.Operations)
	w.minimise(len(began), func(d *sim.Decisions, keep []int) *sim.Decisions { return withOperations(d, began, keep) })
}

// work is a log being shrunk.
type work struct {
	Shrinker
	ctx   context.Context
	best  *sim.Decisions // the smallest that fails; never changed, only replaced
	what  string
	tests int
	known map[string]Outcome // read by key only: what a log that was tested came to
	spent bool
	err   error
}

func (w *work) stopped() bool { return w.spent || w.err != nil }

// minimise takes away as many of n parts of the best log as can be taken; with makes a log of some of them only. What is left
// is needed part by part.
func (w *work) minimise(n int, with func(d *sim.Decisions, keep []int) *sim.Decisions) {
	if n == 0 {
		return
	}
	whole, keep := w.best, make([]int, n)
	for i := range keep {
		keep[i] = i
	}
	if none := with(whole, nil); none != nil && w.first([]*sim.Decisions{none}) == 0 {
		return
	}
	for parts := min(2, n); ; {
		var without [][]int
		var candidates []*sim.Decisions
		size := (len(keep) + parts - 1) / parts
		for at := 0; at < len(keep); at += size {
			rest := slices.Delete(slices.Clone(keep), at, min(at+size, len(keep)))
			if d := with(whole, rest); d != nil {
				without, candidates = append(without, rest), append(candidates, d)
			}
		}
		switch i := w.first(candidates); {
		case i >= 0:
			keep, parts = without[i], max(parts-1, min(2, len(without[i])))
		case size == 1 || w.stopped():
			return
		default:
			parts = min(2*parts, len(keep))
		}
		if len(keep) == 0 {
			return
		}
	}
}

// descend takes smaller logs for as long as one of those that next makes of the best one fails.
func (w *work) descend(next func(d *sim.Decisions) []*sim.Decisions) {
	for w.first(next(w.best)) >= 0 {
	}
}

// first makes the first of some candidates that fails the best log, and gives its place; -1 if none fails.
func (w *work) first(candidates []*sim.Decisions) int {
	for at := 0; at < len(candidates) && !w.stopped(); at += w.Jobs {
		some := candidates[at:min(at+w.Jobs, len(candidates))]
		for i, o := range w.test(some) {
			if o.err != nil { // of one after the first that fails it does not matter: with fewer jobs nobody would know
				w.err = fmt.Errorf("shrink %s: %w", w.what, o.err)
				return -1
			}
			if o.Fails {
				w.best, w.Operations = some[i], o.Operations
				if o.Faults != nil {
					w.best = clone(some[i])
					w.best.Faults = o.Faults
				}
				return at + i
			}
		}
	}
	return -1
}

// tested is what came of a test.
type tested struct {
	Outcome
	err error
}

// test tests some candidates at one time, but for those that were tested before.
func (w *work) test(candidates []*sim.Decisions) []tested {
	came, keys := make([]tested, len(candidates)), make([]string, len(candidates))
	var wg sync.WaitGroup
	for i, d := range candidates {
		keys[i] = key(d)
		known, ok := w.known[keys[i]]
		if came[i].Outcome = known; ok {
			continue
		}
		if w.spent = w.spent || w.Spent != nil && w.Spent(); w.spent {
			keys[i] = ""
			continue
		}
		w.tests++
		wg.Go(func() { came[i].Outcome, came[i].err = w.Test(w.ctx, d) })
	}
	wg.Wait()
	for i, d := range candidates {
		if keys[i] == "" || came[i].err != nil {
			continue
		}
		w.known[keys[i]] = came[i].Outcome
		if w.Tell != nil {
			smallest := w.best
			if came[i].Fails {
				smallest = d
			}
			w.Tell(Progress{What: w.what, Tests: w.tests, Smallest: smallest})
		}
	}
	return came
}

// key tells logs apart.
func key(d *sim.Decisions) string {
	var b bytes.Buffer
	_ = d.Write(&b) // numbers and names: they can always be written
	return b.String()
}
