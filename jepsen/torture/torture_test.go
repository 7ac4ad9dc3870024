package torture_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
	"holdfast/jepsen/torture"
)

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

func small(t *testing.T, p process.Program) torture.Config {
	return torture.Config{Program: p, Dir: t.TempDir(), Members: 3, Writers: 4, Kills: 2, WritesBetween: 60, Samples: 4, Seed: 1, Progress: testWriter{t}}
}

// A cluster of three loses nothing when its leader is killed twice, and the
// members' histories are one. The full run is holdfast-jepsen kill.
func TestHoldfastSurvives(t *testing.T) {
	rep, err := torture.Run(t.Context(), small(t, process.TestProgram(t)))
	require.NoError(t, err)
	assert.NoError(t, rep.Err(), strings.Join(rep.Wrong, "\n"))
	assert.Equal(t, 2, rep.Kills)
	assert.Len(t, rep.Gaps, 2)
	assert.GreaterOrEqual(t, rep.Keys+rep.Increments, 120)
	assert.Len(t, rep.Samples, 4)
}

// The same run passes etcd, which has no hashes to show: what the runner does
// and demands is right.
func TestEtcdSurvives(t *testing.T) {
	rep, err := torture.Run(t.Context(), small(t, process.TestEtcd(t)))
	require.NoError(t, err)
	assert.NoError(t, rep.Err(), strings.Join(rep.Wrong, "\n"))
	assert.Empty(t, rep.Samples)
}

// Senseless counts are refused before anything is started.
func TestConfigIsChecked(t *testing.T) {
	cfg := small(t, process.Program{})
	cfg.Members = 2
	_, err := torture.Run(t.Context(), cfg)
	assert.ErrorContains(t, err, "at least 3 members")
}
