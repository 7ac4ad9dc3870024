package shrink

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawn is a run's decisions as a seed makes them.
func drawn(seed uint64, nodes int) *sim.Decisions {
	o := sim.Options{Seed: seed, Nodes: nodes, Duration: 30 * time.Second}
	d := &sim.Decisions{Seed: seed, Plan: sim.Derive(o), Verdict: sim.VerdictSafety, Untouched: true}
	d.Faults = sim.Schedule(o, &d.Plan)
	for i := range d.Faults {
		d.Faults[i].Leader = false // as a log has it
	}
	return d
}

func ids(d *sim.Decisions) []int {
	var out []int
	for i := range d.Faults {
		out = append(out, d.Faults[i].ID)
	}
	return out
}

// needs makes a test of runs that fail if certain faults and so many clients of a workload are there.
func needs(faults []int, workload string, clients int) Test {
	return func(_ context.Context, d *sim.Decisions) (Outcome, error) {
		for _, id := range faults {
			if !slices.Contains(ids(d), id) {
				return Outcome{}, nil
			}
		}
		for _, w := range d.Plan.Workloads {
			if w.Name == workload {
				return Outcome{Fails: w.Clients >= clients}, nil
			}
		}
		return Outcome{Fails: clients == 0}, nil
	}
}

// What a failure needs is what is left of a log, whatever it is, and however many tests are made at a time; all else goes down
// to what a plan must have.
func TestLeavesWhatIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawn(rapid.Uint64().Draw(t, "seed"), 3+2*rapid.IntRange(0, 2).Draw(t, "size"))
		work := rapid.SampledFrom(d.Plan.Workloads).Draw(t, "workload")
		clients := rapid.IntRange(1, work.Clients).Draw(t, "clients")
		needed := ids(d)
		keep := rapid.SliceOfNDistinct(rapid.SampledFrom(needed), 0, min(5, len(needed)), func(i int) int { return i }).Draw(t, "faults")
		res, err := Shrinker{Test: needs(keep, work.Name, clients), Jobs: rapid.IntRange(1, 4).Draw(t, "jobs")}.Run(t.Context(), d)
		require.NoError(t, err)
		assert.True(t, res.Minimal)
		small := res.Decisions
		assert.ElementsMatch(t, keep, ids(small))
		assert.Equal(t, []sim.Work{{Name: work.Name, Clients: clients}}, small.Plan.Workloads)
		assert.EqualValues(t, 1, small.Plan.OpsPerSecond)
		assert.Zero(t, small.Plan.BulkBytes)
		assert.Zero(t, small.Plan.Priorities)
		assert.True(t, small.Plan.Punctual)
		assert.Equal(t, sim.MinNodes, small.Plan.Nodes)
		assert.Empty(t, small.Verdict, "it has not been played")
		assert.NoError(t, readBack(small))
		assert.Equal(t, sim.VerdictSafety, d.Verdict, "the log given stays as it is")
		assert.Equal(t, needed, ids(d))
	})
}

// Whatever fails, and be it by a whim: what is left fails, and without any one of its faults it does not. The jobs do not matter.
func TestEachFaultIsNeeded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawn(rapid.Uint64().Draw(t, "seed"), 3)
		salt := rapid.Uint64().Draw(t, "salt")
		whim := func(_ context.Context, c *sim.Decisions) (Outcome, error) {
			mix := salt
			for _, id := range ids(c) {
				mix = (mix ^ uint64(id)) * 0x9e3779b97f4a7c15
			}
			return Outcome{Fails: len(c.Faults) == len(d.Faults) || len(c.Faults) > 1 && mix>>40%3 == 0}, nil
		}
		res, err := Shrinker{Test: whim, Jobs: 1}.Run(t.Context(), d)
		require.NoError(t, err)
		came, _ := whim(t.Context(), res.Decisions)
		assert.True(t, came.Fails)
		for i := range res.Decisions.Faults {
			without := clone(res.Decisions)
			without.Faults = slices.Delete(without.Faults, i, i+1)
			came, _ := whim(t.Context(), without)
			assert.False(t, came.Fails, "without fault %d", i)
		}
		again, err := Shrinker{Test: whim, Jobs: 3}.Run(t.Context(), d)
		require.NoError(t, err)
		assert.Equal(t, res.Decisions, again.Decisions)
	})
}

// Whenever a budget is spent, that ends the shrinking with the smallest log until then; and where few faults are left, each of
// them is needed, be it without operations that went last.
func TestBudget(t *testing.T) {
	d, tests := drawn(7, 3), 0
	d.Plan.Workloads = []sim.Work{{Name: "cas", Clients: 1}}
	for len(d.Faults) <= mostFaults {
		f := d.Faults[0]
		f.ID = 5000 + len(d.Faults)
		d.Faults = append(d.Faults, f)
	}
	test := func(_ context.Context, c *sim.Decisions) (Outcome, error) {
		tests++
		need := 3
		if leftOut(c, 0, 0) {
			need = 1
		}
		return Outcome{Fails: len(c.Faults) >= need && !leftOut(c, 0, 39), Operations: []int{40, 9}}, nil
	}
	ends := map[bool]int{} // by whether each fault is known to be needed
	for limit := 1; ; limit++ {
		tests = 0
		res, err := Shrinker{Test: test, Operations: []int{40, 9}, Spent: func() bool { return tests >= limit }}.Run(t.Context(), d)
		require.NoError(t, err)
		assert.Equal(t, tests, res.Tests)
		small := res.Decisions
		came, _ := test(t.Context(), small)
		assert.True(t, came.Fails)
		if assert.Equal(t, res.Minimal || len(small.Faults) <= mostFaults, res.Needed); !res.Needed {
			assert.Equal(t, limit, res.Tests)
			ends[false]++
			continue
		}
		ends[true]++
		for i := range small.Faults {
			came, _ := test(t.Context(), withFaults(small, slices.Delete(indexes(small), i, i+1)))
			assert.False(t, came.Fails, "limit %d: without fault %d of %d", limit, i, len(small.Faults))
		}
		if res.Minimal {
			assert.Len(t, small.Faults, 1)
			assert.Greater(t, ends[true], 20)
			assert.Positive(t, ends[false])
			return
		}
	}
}

func indexes(d *sim.Decisions) []int {
	var out []int
	for i := range d.Faults {
		out = append(out, i)
	}
	return out
}

// An error ends the shrinking with the smallest log until then, and is told; but not one of a test that fewer jobs would not make.
func TestErrors(t *testing.T) {
	d, tests, broken := drawn(7, 5), 0, errors.New("no more disk")
	res, err := Shrinker{Test: func(_ context.Context, c *sim.Decisions) (Outcome, error) {
		if tests++; tests > 6 {
			return Outcome{}, broken
		}
		return Outcome{Fails: len(c.Faults) >= 3}, nil
	}}.Run(t.Context(), d)
	require.ErrorIs(t, err, broken)
	assert.ErrorContains(t, err, "shrink faults")
	assert.Less(t, len(res.Decisions.Faults), len(d.Faults))

	half := (len(d.Faults) + 1) / 2
	for _, jobs := range []int{1, 2, 3} {
		res, err = Shrinker{Jobs: jobs, Test: func(_ context.Context, c *sim.Decisions) (Outcome, error) {
			if slices.Equal(c.Faults, d.Faults[:half]) {
				return Outcome{}, broken
			}
			return Outcome{Fails: slices.Equal(c.Faults, d.Faults[half:])}, nil
		}}.Run(t.Context(), d)
		require.NoError(t, err, "%d jobs", jobs)
		assert.Equal(t, d.Faults[half:], res.Decisions.Faults)
	}
}

// Where fewer clients or operations do not fail at first, they are drawn anew: with all that clients did before and with their
// share of it, and with faults that go for whoever leads then.
func TestDrawsAnew(t *testing.T) {
	for name, fewer := range map[string]func(*sim.Decisions) []*sim.Decisions{"clients": fewerClientsRedrawn, "operations": fewerOperations} {
		t.Run(name, func(t *testing.T) {
			d := drawn(3, 3)
			d.Plan.Workloads, d.Plan.OpsPerSecond, d.Plan.BulkBytes = []sim.Work{{Name: "cas", Clients: 4}}, 40, 0
			d.Faults = []sim.Fault{{ID: 1, Kind: "stale-leader", Member: "m2"}, {ID: 2, Kind: "kill", Member: "m2"}}
			seeds, rates := map[uint64]bool{}, map[int64]bool{}
			for _, c := range fewer(d) {
				seeds[c.Seed] = true
				rates[c.Plan.OpsPerSecond/int64(len(clients(c)))] = true
				assert.Equal(t, []bool{c.Seed != d.Seed, false}, []bool{c.Faults[0].Leader, c.Faults[1].Leader})
			}
			assert.Greater(t, len(seeds), 5)
			assert.Equal(t, map[string]map[int64]bool{
				"clients":    {10: true, 40: true, 40 / 3: true, 40 / 2: true},
				"operations": {5: true},
			}[name], rates)
		})
	}
}

// Whom the faults struck in the run that failed, they strike in all that is made of its log.
func TestKeepsWhomFaultsStruck(t *testing.T) {
	d := drawn(3, 3)
	d.Plan.Workloads = []sim.Work{{Name: "cas", Clients: 1}}
	d.Faults = []sim.Fault{{ID: 1, Kind: "stale-leader", At: 3e9, For: 2e9, Member: "m2", Other: "m1"}, {ID: 2, Kind: "kill", At: 4e9, For: 1e9, Member: "m1", Other: "m2"}}
	asked := false
	res, err := Shrinker{Test: func(_ context.Context, c *sim.Decisions) (Outcome, error) {
		o := Outcome{Fails: len(c.Faults) == 2 && c.Plan.Punctual && c.Seed != d.Seed, Faults: slices.Clone(c.Faults)}
		for i := range o.Faults {
			if f := &o.Faults[i]; f.Leader {
				asked, f.Leader, f.Member = true, false, "m3"
			}
		}
		return o, nil
	}}.Run(t.Context(), d)
	require.NoError(t, err)
	assert.True(t, asked)
	assert.Equal(t, []string{"m3", "m1"}, []string{res.Decisions.Faults[0].Member, res.Decisions.Faults[1].Member})
	assert.False(t, res.Decisions.Faults[0].Leader)
	assert.Equal(t, "m2", d.Faults[0].Member, "the log given stays as it is")
}

// Operations go one by one, too, and keep to their client when others go.
func TestLeavesOutOperations(t *testing.T) {
	d := drawn(3, 3)
	d.Faults, d.Plan.Workloads = nil, []sim.Work{{Name: "cas", Clients: 2}, {Name: "watch", Clients: 1}}
	test := func(_ context.Context, c *sim.Decisions) (Outcome, error) {
		o := Outcome{Operations: []int{40, 40, 40, 9}[4-len(clients(c))-1:]}
		watcher := len(clients(c)) - 1
		if watcher < 0 || c.Plan.Workloads[len(c.Plan.Workloads)-1].Name != "watch" {
			return o, nil
		}
		for _, n := range []int{3, 17, 18} {
			if leftOut(c, watcher, n) {
				return o, nil
			}
		}
		o.Fails = true
		return o, nil
	}
	d.Plan.Skips = []sim.Skip{{Client: 0, From: 1, To: 2}, {Client: 2, From: 5, To: 7}}
	res, err := Shrinker{Test: test, Operations: []int{40, 40, 40, 9}}.Run(t.Context(), d)
	require.NoError(t, err)
	assert.Equal(t, []sim.Work{{Name: "watch", Clients: 1}}, res.Decisions.Plan.Workloads)
	assert.Equal(t, []sim.Skip{{Client: 0, From: 0, To: 3}, {Client: 0, From: 4, To: 17}, {Client: 0, From: 19, To: 40}}, res.Decisions.Plan.Skips)
	assert.NoError(t, readBack(res.Decisions))
}

// Whether a failure needs members' goroutines to be late, priorities, both or neither, a log keeps no more of it. Where neither
// fails with its own seed, another does: there the faults that go for a leader strike whoever leads.
func TestLeavesTheSchedule(t *testing.T) {
	for name, c := range map[string]struct {
		fails              func(d *sim.Decisions) bool
		late, ranked, anew bool
	}{
		"neither":                     {func(*sim.Decisions) bool { return true }, false, false, false},
		"late":                        {func(d *sim.Decisions) bool { return !d.Plan.Punctual }, true, false, false},
		"priorities":                  {func(d *sim.Decisions) bool { return d.Plan.Priorities.Steps > 0 }, false, true, false},
		"both":                        {func(d *sim.Decisions) bool { return !d.Plan.Punctual && d.Plan.Priorities.Steps > 0 }, true, true, false},
		"either, or neither by luck":  {func(d *sim.Decisions) bool { return !d.Plan.Punctual || d.Plan.Priorities.Steps > 0 || d.Seed%4 == 1 }, false, false, true},
		"late, and its seed, if ever": {func(d *sim.Decisions) bool { return !d.Plan.Punctual && d.Seed == 3 }, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := drawn(3, 3)
			d.Plan.Workloads = []sim.Work{{Name: "cas", Clients: 1}}
			d.Plan.Priorities = sim.Priorities{Steps: 100, Points: 3}
			d.Faults = []sim.Fault{{ID: 1, Kind: "stale-leader", At: 3e9, For: 2e9, Member: "m2", Other: "m1"}, {ID: 2, Kind: "pause", At: 3e9, For: 1e9, Member: "m1", Other: "m2"}}
			test := func(_ context.Context, d *sim.Decisions) (Outcome, error) {
				return Outcome{Fails: len(d.Faults) == 2 && c.fails(d)}, readBack(d)
			}
			res, err := Shrinker{Test: test}.Run(t.Context(), d)
			require.NoError(t, err)
			small := res.Decisions
			assert.Equal(t, c.late, !small.Plan.Punctual)
			assert.Equal(t, c.ranked, small.Plan.Priorities != sim.Priorities{})
			assert.Equal(t, c.anew, small.Seed != d.Seed)
			assert.Equal(t, []bool{c.anew, false}, []bool{small.Faults[0].Leader, small.Faults[1].Leader})
		})
	}
}

// Upgrades go that a failure does not need, and where it needs none, all members are of one version.
func TestLeavesUpgrades(t *testing.T) {
	d := drawn(3, 5)
	d.Before, d.Plan.Upgrades = "before", []int64{5e9, sim.Never, 6e9, 0, 7e9}
	need := func(fails func(c *sim.Decisions) bool) *sim.Decisions {
		res, err := Shrinker{Test: func(_ context.Context, c *sim.Decisions) (Outcome, error) {
			require.NoError(t, readBack(c))
			return Outcome{Fails: fails(c)}, nil
		}}.Run(t.Context(), d)
		require.NoError(t, err)
		return res.Decisions
	}
	small := need(func(*sim.Decisions) bool { return true })
	assert.Empty(t, small.Plan.Upgrades)
	assert.Empty(t, small.Before)
	small = need(func(c *sim.Decisions) bool {
		return c.Mixed() && c.Plan.Upgrades[2] > 0 && c.Plan.Upgrades[1] == sim.Never
	})
	assert.Equal(t, []int64{0, sim.Never, 6e9}, small.Plan.Upgrades)
	assert.Equal(t, "before", small.Before)
	assert.Greater(t, small.Plan.CalmAtNanos, int64(6e9))
	assert.Equal(t, []int64{5e9, sim.Never, 6e9, 0, 7e9}, d.Plan.Upgrades, "the log given stays as it is")
}

// What is taken away is told as it goes: single operations when all else has settled, and then it goes round again.
func TestTells(t *testing.T) {
	var told []string
	need := needs(nil, "cas", 1)
	d := drawn(3, 5)
	d.Plan.Workloads = []sim.Work{{Name: "cas", Clients: 2}}
	_, err := Shrinker{
		Operations: []int{4, 4, 9},
		Test: func(ctx context.Context, c *sim.Decisions) (Outcome, error) {
			o, err := need(ctx, c)
			// That there is a bulk, and as much to do as at first, matters until the last operation is gone.
			o.Fails = o.Fails && (leftOut(c, 0, 3) || c.Plan.BulkBytes == d.Plan.BulkBytes && !leftOut(c, 0, 1))
			// So does one fault until the run is shorter.
			o.Fails = o.Fails && (len(c.Faults) > 0 || c.Plan.EndNanos < d.Plan.EndNanos)
			o.Operations = []int{4, 4, 9}
			return o, err
		},
		Tell: func(p Progress) {
			if told = append(told, p.What); p.What == "single operations" {
				assert.Empty(t, p.Smallest.Faults)
			}
		},
	}.Run(t.Context(), d)
	require.NoError(t, err)
	told = slices.Compact(told)
	first := slices.Index(told, "single operations")
	round := []string{"faults", "what is special in the schedule", "clients", "operations", "members", "time"}
	assert.Equal(t, round, told[:len(round)])
	assert.NotContains(t, told[len(round):first], "members", "all was taken")
	assert.Contains(t, told[first:], "operations", "it goes round again")
}

// readBack tells whether a log can be read and would be played.
func readBack(d *sim.Decisions) error {
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		return err
	}
	_, err := sim.ReadDecisions(&b)
	return err
}
