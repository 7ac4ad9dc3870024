package sim

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// toyBefore is the toy with a section that says nothing: another module that behaves the same.
func toyBefore() []byte { return append(slices.Clone(toy), 0, 3, 1, 'x', 0) }

// endsAtOnce is WebAssembly that does nothing.
var endsAtOnce = []byte("\x00asm\x01\x00\x00\x00")

// mixedOptions is a toy run in which m1 is upgraded, m2 never is, and m3 is of the present version from the start.
func mixedOptions(before []byte) Options {
	o := toyOptions(6, "good")
	o.Before = before
	o.Decisions.Plan.Upgrades = []int64{5e9, Never, 0}
	return o
}

// In every run with an earlier version somebody is upgraded, in time for it to matter; in half of them somebody never is, and
// some members are of the present version from the start. Without one nothing is drawn.
func TestUpgradesOfManySeeds(t *testing.T) {
	kept, fresh := 0, 0
	for seed := range uint64(400) {
		o := Options{Seed: seed, Nodes: MinNodes + int(seed)%(MaxNodes-MinNodes+1), Duration: []time.Duration{MinDuration, time.Minute}[seed%2]}
		plain := Derive(o)
		assert.Empty(t, plain.Upgrades)
		o.Before = endsAtOnce
		p := Derive(o)
		require.NoError(t, p.check())
		require.Len(t, p.Upgrades, o.Nodes)
		assert.True(t, slices.ContainsFunc(p.Upgrades, func(at int64) bool { return at > 0 }), "seed %d", seed)
		for _, at := range p.Upgrades {
			assert.True(t, at <= 0 || at >= firstFault && at < max(p.CalmAtNanos-closingLongest, firstFault+1), "seed %d: %d", seed, at)
		}
		if slices.Contains(p.Upgrades, Never) {
			kept++
		}
		if slices.Contains(p.Upgrades, 0) {
			fresh++
		}
		p.Upgrades = nil
		assert.Equal(t, plain, p, "all else is drawn as without it")
	}
	assert.InDelta(t, 200, kept, 40)
	assert.Greater(t, fresh, 100)
}

// A member is upgraded at its time, with its disk, and keeps its version until then; the log names both modules, and gives the
// same run again.
func TestMixedRun(t *testing.T) {
	var timeline, log bytes.Buffer
	o := mixedOptions(toyBefore())
	o.Timeline, o.Log = &timeline, &log
	first, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, VerdictOK, first.Verdict, first.Detail)
	for _, line := range []string{
		"0.000000  m1    start       incarnation 1, the earlier version\n", "0.030000  m2    start       incarnation 1, the earlier version\n",
		"0.060000  m3    start       incarnation 1, the present version\n", "1.000000  c1    start       incarnation 1\n", "5.000000  m1    upgrade     ",
		"m1    restart     incarnation 2, upgraded\n", "m1    restart     incarnation 3, the present version\n",
	} {
		assert.Contains(t, timeline.String(), line)
	}
	assert.Equal(t, 2, first.Probes[probeEarlierStart])
	assert.Equal(t, 1, first.Probes[probeUpgrade])
	assert.Equal(t, 2, first.Probes[probeUpgradedLeader], "it leads again after the kill")
	assert.Contains(t, first.Line(), " before="+ModuleHash(o.Before)+" ")

	d, err := ReadDecisions(&log)
	require.NoError(t, err)
	assert.Equal(t, ModuleHash(o.Before), d.Before)
	assert.True(t, d.Untouched)
	o.Timeline, o.Log, o.Decisions = nil, nil, d
	o.Engine, err = NewEngine(t.Context(), &o)
	require.NoError(t, err)
	defer func() { require.NoError(t, o.Engine.Close(t.Context())) }()
	again, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, first.Line(), again.Line())

	// The same log of one version only is the run that it always was, with the other module beside it or not.
	alone, err := Run(t.Context(), toyOptions(6, "good"))
	require.NoError(t, err)
	o.Decisions = toyOptions(6, "good").Decisions
	beside, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, alone.Line(), beside.Line())
	assert.NotEqual(t, first.Hash, alone.Hash)
}

// Whoever is to be of the earlier version runs its module, and nobody else does.
func TestEarlierModuleIsRun(t *testing.T) {
	o := mixedOptions(endsAtOnce)
	o.Decisions.Plan.Upgrades = []int64{0, 0, Never}
	rep, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, VerdictCrash, rep.Verdict)
	assert.Equal(t, "m3: exit status 0", rep.Detail)
}

// Members of an earlier version need its module, and times that a run can have.
func TestBadUpgrades(t *testing.T) {
	o := mixedOptions(nil)
	_, err := Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOptions)
	o = mixedOptions([]byte("no module"))
	_, err = Run(t.Context(), o)
	require.ErrorIs(t, err, ErrModule)
	o = mixedOptions(endsAtOnce)
	o.Engine = &Engine{module: readyModule{hash: ModuleHash(toy)}, before: readyModule{hash: ModuleHash([]byte("another"))}}
	_, err = Run(t.Context(), o)
	require.ErrorIs(t, err, ErrOptions)
	for want, upgrades := range map[string][]int64{
		"upgrades: 2 of them; expect one of each member, 3": {0, 0}, "upgrades: -2 of m2": {0, -2, 0}, "upgrades: 86400000000001 of m3": {0, 0, int64(MaxDuration) + 1},
	} {
		p := drawn(1, 3).Plan
		p.Upgrades = upgrades
		err := p.check()
		require.ErrorIs(t, err, ErrDecisions)
		assert.ErrorContains(t, err, want)
	}
}

// An upgrade ends only a process of the earlier version, and nobody while a wiped member asks who it is, nor after the calm.
func TestUpgradeWaits(t *testing.T) {
	n := testNemesis()
	w := n.s.w
	w.plan.Upgrades = []int64{2e9, 1, Never}
	for _, m := range n.s.members[:2] {
		m.proc.earlier = true
	}
	n.planUpgrades()
	n.quietUntil = 1e9
	n.pass(9e8)
	assert.False(t, n.s.members[1].proc.doomed)
	n.pass(1_000_000_001)
	assert.True(t, n.s.members[1].proc.doomed)
	assert.False(t, n.s.members[0].proc.doomed)
	n.s.members[1].proc.done = true
	n.s.members[0].proc.earlier = false // it died meanwhile
	n.pass(3e9)
	assert.False(t, n.s.members[0].proc.doomed)

	n = testNemesis()
	n.s.w.plan.Upgrades = []int64{10e9, 0, 0}
	n.s.members[0].proc.earlier = true
	n.planUpgrades()
	n.pass(11e9)
	assert.False(t, n.s.members[0].proc.doomed)
}

// What the versions do to each other is counted.
func TestMixedProbes(t *testing.T) {
	begin := func(m *machine, at int64) *process {
		m.w.now = at
		m.incarnation++
		m.proc = &process{m: m, earlier: m.earlier()}
		m.proc.mixedStart()
		return m.proc
	}
	n := testNemesis()
	w, m := n.s.w, n.s.members
	w.plan.Upgrades = []int64{10, Never, 0}
	old, kept, fresh := begin(m[0], 0), begin(m[1], 0), begin(m[2], 0)
	w.mixedCommit(old, true) // its own snapshot: of its own version
	w.mixedVote(old, true)
	for _, p := range []*process{old, kept, fresh} {
		w.mixedRole(p, "follower")
	}
	w.mixedCommit(old, false)
	w.mixedCommit(fresh, true) // nobody is known to lead
	assert.Equal(t, map[string]int{probeEarlierStart: 2}, w.probes)
	w.mixedRole(kept, "leader")
	w.leader = m[1]
	w.mixedCommit(old, true)
	w.mixedCommit(fresh, true)
	assert.Equal(t, map[string]int{probeEarlierStart: 2, probeEarlierLeads: 1, probeInstallForward: 1}, w.probes)

	w.probes = nil
	next := begin(m[0], 10)
	w.mixedCommit(next, true)
	w.mixedVote(next, true)
	w.mixedVote(next, false)
	w.mixedRole(next, "follower")
	w.mixedRole(next, "leader")
	w.leader = m[0]
	w.mixedCommit(kept, true)
	w.mixedCommit(fresh, true)
	assert.Equal(t, map[string]int{
		probeUpgrade: 1, probeVoteAcross: 1, probeSnapshotAcross: 1, probeUpgradedLeader: 1, probePresentLeads: 1, probeInstallBackward: 1,
	}, w.probes)
	again := begin(m[0], 20)
	w.mixedVote(again, true)
	w.mixedCommit(again, true)
	w.mixedRole(again, "follower")
	assert.Len(t, w.probes, 6, "nothing there is of the earlier version any more")
	assert.Equal(t, 1, w.probes[probeUpgrade])
	for name := range w.probes {
		assert.Contains(t, MixedProbes(), name)
	}
	assert.Len(t, MixedProbes(), 9)
}
