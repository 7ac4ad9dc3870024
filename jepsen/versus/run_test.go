package versus

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// Holdfast against itself: every part runs and fills its lines, and no process
// and no data are left.
func TestAgainstItself(t *testing.T) {
	p := process.TestProgram(t)
	dir := t.TempDir()
	report, err := Run(t.Context(), Config{Ours: p, Theirs: p, Dir: dir, Rounds: 1, Keys: 300, Restarts: 1, Progress: io.Discard})
	require.NoError(t, err)
	want := map[string]int{
		"leader killed to next write, 3 members": 1, "empty start to first write, 1 member": 1,
		"300 keys: resident memory, loaded": memoryReadings, "300 keys:   of that not pages of files": memoryReadings,
		"300 keys:   heap at the next collection": memoryReadings,
		"300 keys: resident memory, restarted":    1, "300 keys: restart to first write": 1,
		"300 keys: snapshot, taken and saved": 1, "300 keys:   its size": 1,
	}
	require.Len(t, report.Lines, len(want))
	for _, l := range report.Lines {
		require.Contains(t, want, l.Name)
		assert.Len(t, l.Ours, want[l.Name], l.Name)
		assert.Len(t, l.Theirs, want[l.Name], l.Name)
		assert.Positive(t, median(l.Ours), l.Name)
	}
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		assert.NotEqual(t, ".data", filepath.Ext(path))
		return err
	}))
}

// A daemon that ends at once ends its part at once, whose lines do not hold; the
// other parts run.
func TestDaemonEnds(t *testing.T) {
	script := filepath.Join(t.TempDir(), "etcd36")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho data directory is on fire >&2\nexit 3\n"), 0o755))
	p, err := process.FromPath(script)
	require.NoError(t, err)
	report, err := Run(t.Context(), Config{Ours: p, Theirs: p, Dir: t.TempDir(), Rounds: 1, Keys: 1, Restarts: 1, Progress: io.Discard})
	require.Error(t, err)
	for _, part := range Parts {
		assert.Contains(t, err.Error(), "versus: "+part+": ")
	}
	assert.Contains(t, err.Error(), "on fire")
	for _, l := range report.Lines {
		if l.AtMost > 0 {
			assert.ErrorIs(t, l.Err(), ErrNotHeld, l.Name)
		}
	}
}

// What is out of range is refused before anything is started.
func TestCheck(t *testing.T) {
	good := Config{Rounds: 1, Keys: 1, Restarts: 1}
	require.NoError(t, good.Check())
	for name, spoil := range map[string]func(*Config){
		"part":     func(c *Config) { c.Only = "halt" },
		"rounds":   func(c *Config) { c.Rounds = 0 },
		"keys":     func(c *Config) { c.Keys = MaxKeys + 1 },
		"restarts": func(c *Config) { c.Restarts = 0 },
	} {
		cfg := good
		spoil(&cfg)
		_, err := Run(t.Context(), cfg)
		assert.Error(t, err, name)
	}
}
