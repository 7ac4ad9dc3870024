package sim

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One seed of three has priorities, of every length and number of points; and nothing else of its plan depends on that.
func TestSchedulesAreDrawn(t *testing.T) {
	const seeds = 600
	ranked, points, short, long := 0, map[int64]bool{}, false, false
	for seed := range uint64(seeds) {
		o := Options{Seed: seed, Nodes: 3, Duration: MinDuration}
		p := Derive(o)
		require.NoError(t, p.check())
		if p.Priorities != (Priorities{}) {
			ranked++
			points[p.Priorities.Points] = true
			short, long = short || p.Priorities.Steps < 256, long || p.Priorities.Steps >= 1<<16
		}
		o.Schedule = SchedulePriority
		asked := Derive(o)
		assert.Positive(t, asked.Priorities.Steps)
		assert.Contains(t, strings.Join(asked.Lines(), "\n"), "schedule=priority, ")
		o.Schedule = ScheduleUniform
		plain := Derive(o)
		assert.Zero(t, plain.Priorities)
		assert.Contains(t, strings.Join(plain.Lines(), "\n"), "schedule=uniform")
		p.Priorities, asked.Priorities = Priorities{}, Priorities{}
		assert.Equal(t, plain, p)
		assert.Equal(t, plain, asked)
	}
	assert.InDelta(t, seeds/3, ranked, seeds/15)
	assert.Len(t, points, maxPoints)
	assert.True(t, short && long)
}

// A run by priority is another run than one without, and its decision log plays it again. A log that says nothing of
// priorities has none.
func TestReplayByPriority(t *testing.T) {
	play := func(p Priorities) (*Report, *Decisions) {
		var log bytes.Buffer
		o := toyOptions(6, "good")
		o.Decisions.Plan.Priorities, o.Log = p, &log
		rep, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, VerdictOK, rep.Verdict, rep.Detail)
		assert.Equal(t, p != (Priorities{}), strings.Contains(log.String(), `"priorities":{"steps":`))
		d, err := ReadDecisions(&log)
		require.NoError(t, err)
		return rep, d
	}
	uniform, _ := play(Priorities{})
	first, log := play(Priorities{Steps: 100, Points: 3})
	assert.NotEqual(t, uniform.Hash, first.Hash)
	o := toyOptions(6, "good")
	o.Decisions = log
	again, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, first.Line(), again.Line())
}

// A log that says nothing of priorities has none, and one that does not say that nobody is late has it that somebody is.
func TestOldLogsAreUniform(t *testing.T) {
	logs, err := filepath.Glob("../docs/reports/*.log")
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, name := range logs {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		d, err := ReadDecisions(bytes.NewReader(text))
		require.NoError(t, err, name)
		assert.Equal(t, bytes.Contains(text, []byte(`"punctual":true`)), d.Plan.Punctual, name)
		if !bytes.Contains(text, []byte(`"priorities"`)) {
			assert.Zero(t, d.Plan.Priorities, name)
		}
	}
}
