//go:build unix

package powercut

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// testWriter shows progress in the test's log.
type testWriter struct{ t *testing.T }

func (w testWriter) Write(b []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// A real daemon loses nothing in a few power cuts, and the same rounds find
// one that leaves a sync out. The full run is holdfast-jepsen powercut.
func TestPowerCuts(t *testing.T) {
	program := process.TestProgram(t, "faults")
	cfg := Config{Program: program, Dir: t.TempDir(), Rounds: 8, Seed: 1, Progress: testWriter{t}}
	t.Run("holdfast", func(t *testing.T) {
		rep, err := Run(t.Context(), cfg)
		require.NoError(t, err)
		assert.NoError(t, rep.Err())
		assert.Equal(t, 8, rep.Rounds)
		assert.Positive(t, rep.Acknowledged)
		assert.Positive(t, rep.Compared)
	})
	t.Run("planted", func(t *testing.T) {
		all, err := Plant(t.Context(), cfg)
		require.NoError(t, err)
		require.Len(t, all, len(plants))
		for _, p := range all {
			assert.NotEmpty(t, p.Found, "without %s, after %d cuts", p.Name, p.Cuts)
		}
	})
}
