package mutant

import (
	"strings"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func caughtBy(checker string, seed uint64, seeds int, cpu time.Duration) Score {
	return Score{Seeds: seeds, Seed: seed, CPU: cpu, Caught: true, Outcome: Outcome{Verdict: sim.VerdictSafety, Checker: checker}}
}

func missedIn(seeds int, cpu time.Duration) Score { return Score{Seeds: seeds, CPU: cpu} }

func page(t *testing.T, r *Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, WriteTable(&b, r))
	return b.String()
}

func TestWriteTable(t *testing.T) {
	r := &Report{
		Budget: DefaultBudget, Command: "make mutants", Campaigns: 1, Clean: Score{Seeds: 300, CPU: time.Hour, Undecided: 1},
		Rows: []Row{
			{Mutant{ID: "M01", Fault: "reads are\nstale", Known: "etcd"}, []Score{caughtBy("order|linearizable", 0x2a, 3, 12340*time.Millisecond)}},
			{Mutant{ID: "M02", Fault: "nothing", Known: "nobody"}, []Score{missedIn(18, DefaultBudget)}},
		},
	}
	text := page(t, r)
	assert.Contains(t, text, "| M01 | reads are stale | etcd | 1 of 1 | order\\|linearizable | 3 | 12.3 s | `0x2a` |\n")
	assert.Contains(t, text, "| M02 | nothing | nobody | 0 of 1 |  | > 18 | > 180.0 s |  |\n")
	assert.Contains(t, text, "Caught: 1 of 2. Survived: 1")
	assert.Contains(t, text, "## Missed\n\n- **M02**, in 1 of 1 campaigns: Not known why")
	assert.Contains(t, text, "300 seeds, all that were spent above, none red, in 3600.0 s of CPU time.")
	assert.Contains(t, text, "without a conclusion, mutants' included: 1")
	assert.Contains(t, text, "M34")

	r.Clean = Score{Seeds: 1, Seed: 7, Caught: true, Outcome: Outcome{Verdict: sim.VerdictCrash, Checker: "crash", Detail: "m1 ended"}}
	assert.Contains(t, page(t, r), "Red with seed `0x7`: crash, crash: m1 ended")

	require.ErrorIs(t, WriteTable(full{}, r), errFull)
}

// Of several campaigns the page has medians, in which one that caught nothing counts as longer than all that did.
func TestWriteTableOfSeveralCampaigns(t *testing.T) {
	r := &Report{
		Budget: DefaultBudget, Campaigns: 3, Clean: Score{Seeds: 9},
		Rows: []Row{
			{Mutant{ID: "M01", Hard: "It is rare."}, []Score{missedIn(90, DefaultBudget), caughtBy("watch", 9, 8, 20*time.Second), caughtBy("order", 7, 2, 4*time.Second)}},
			{Mutant{ID: "M02"}, []Score{missedIn(90, DefaultBudget), missedIn(91, DefaultBudget), caughtBy("ttl", 5, 200, DefaultBudget+time.Second)}},
			{Mutant{ID: "M03"}, []Score{caughtBy("order", 3, 1, time.Second), caughtBy("ttl", 4, 3, 3*time.Second), caughtBy("ttl", 5, 9, 9*time.Second)}},
		},
	}
	text := page(t, r)
	assert.Contains(t, text, "In each of 3 campaigns")
	assert.Contains(t, text, "| 2 of 3 | watch ×1, order ×1 | 8 | 20.0 s | `0x9` |\n")
	assert.Contains(t, text, "| 1 of 3 | ttl ×1 | > 90 | > 180.0 s | `0x5` |\n")
	assert.Contains(t, text, "| 3 of 3 | ttl ×2, order ×1 | 3 | 3.0 s | `0x3` |\n")
	assert.Contains(t, text, "Caught: 3 of 3. The median mutant takes 20.0 s of CPU time.")
	assert.Contains(t, text, "- **M01**, in 1 of 3 campaigns: It is rare.\n- **M02**, in 2 of 3 campaigns:")
	assert.NotContains(t, text, "**M03**")
	assert.Zero(t, r.Missed())
}

func TestMedian(t *testing.T) {
	assert.Equal(t, measured{}, median(nil))
	assert.Equal(t, measured{2, false}, median([]measured{{3, false}, {1, false}}))
	assert.Equal(t, measured{2, true}, median([]measured{{1, true}, {3, false}}), "between one that ended and one that did not")
	assert.Equal(t, measured{3, false}, median([]measured{{1, true}, {3, false}, {2, false}}))
}
