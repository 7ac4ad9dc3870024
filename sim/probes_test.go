package sim

import (
	"testing"
	"time"

	"holdfast/jepsen"
	"holdfast/kernel/replica"
	"holdfast/sim/internal/note"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What only the whole run shows is found in what members noted.
func TestLookBack(t *testing.T) {
	w := &world{}
	w.commits = []jepsen.Commit{
		{Member: "m1", Life: 1, At: 10, Term: 2},
		{Member: "m2", Life: 2, At: 11, Term: 2, Restored: true}, // its own snapshot
		{Member: "m1", Life: 1, At: 400, Term: 2, Events: []jepsen.Event{{Action: "set"}, {Action: "expire"}}},
		{Member: "m2", Life: 2, At: 450, Term: 2, Restored: true}, // an install, soon after the expiry
		{Member: "m2", Life: 2, At: 900, Term: 4, Restored: true}, // another, long after
	}
	roles := []jepsen.Role{
		{Member: "m1", Life: 1, At: 5, State: "leader", Term: 2}, {Member: "m2", Life: 2, At: 20, State: "follower", Term: 2},
		{Member: "m3", Life: 1, At: 30, State: "leader", Term: 3}, {Member: "m3", Life: 1, At: 31, State: "follower", Term: 4},
		{Member: "m1", Life: 1, At: 40, State: "follower", Term: 4}, {Member: "m3", Life: 1, At: 50, State: "leader", Term: 4},
	}
	w.lookBack(&jepsen.Run{Commits: w.commits, Roles: roles, Tick: 100 * time.Nanosecond}, &Stats{WrappedWatches: 2, LateExpiries: 1})
	assert.Equal(t, map[string]int{
		probeWrappedWatch: 2, probeLateExpiry: 1, probeQuickElections: 1,
		probeRestartFromSnapshot: 1, probeInstallDuringExpiry: 1, probeSecondInstall: 1,
	}, w.probes)
}

// A probe that a guest makes up is a note that cannot be read: nothing grows by it.
func TestUnknownProbe(t *testing.T) {
	w := &world{timeline: &timeline{}}
	p := &process{m: &machine{name: "m1", w: w}}
	w.noted(p, note.Probe, []byte(replica.ProbeRebuild))
	assert.Equal(t, map[string]int{string(replica.ProbeRebuild): 1}, w.probes)
	assert.Empty(t, w.violations)
	w.noted(p, note.Probe, []byte("a state that nobody knows"))
	assert.Len(t, w.probes, 1)
	assert.Len(t, w.violations, 1)
}

func TestProbesAreNamedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, name := range Probes() {
		assert.False(t, seen[name], name)
		seen[name] = true
	}
}

// Two lead at one time if one is elected while another, alive, has not noted that it does not any more.
func TestTwoLeaders(t *testing.T) {
	w := testNemesis().s.w
	note := func(m int, text string) {
		require.NoError(t, w.notedRole(w.machines[m].proc, text))
	}
	note(0, "leader 2")
	note(0, "leader 2")
	note(0, "follower 3")
	note(1, "leader 3")
	assert.Zero(t, w.probes[probeTwoLeaders])
	note(2, "leader 4")
	assert.Equal(t, 1, w.probes[probeTwoLeaders])
}
