package mutant

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"holdfast/sim/patch"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The ids are those of the design's table, each once, in order, and can be found.
func TestAll(t *testing.T) {
	var ids []string
	for _, m := range All() {
		ids = append(ids, m.ID)
		assert.NotEmpty(t, m.Fault, m.ID)
		assert.NotEmpty(t, m.Known, m.ID)
		assert.NotEmpty(t, m.Edits, m.ID)
		found, ok := ByID(m.ID)
		assert.True(t, ok)
		assert.Equal(t, m, found)
	}
	assert.Equal(t, []string{
		"M01", "M05", "M06", "M07", "M08", "M09", "M11", "M13", "M14", "M15", "M16", "M18", "M19", "M22", "M24", "M28", "M29", "M30",
		"M31", "M37", "M39", "M41", "M42", "M43", "M50", "M51", "M52", "M53", "M54", "M55", "M56", "M57", "M58", "M59", "M60", "M61", "M62",
		"M63", "M64", "M65",
	}, ids)
	_, ok := ByID("M00")
	assert.False(t, ok)
}

// Every edit finds its place in the sources as they are now, and what comes of them compiles for the guest.
func TestMutantsCompile(t *testing.T) {
	for _, m := range All() {
		t.Run(m.ID, func(t *testing.T) {
			flags, err := patch.Write(t.Context(), t.TempDir(), patch.Sources{}, m.Edits)
			require.NoError(t, err)
			args := []string{"build", "-trimpath", "-overlay", flags.Overlay}
			if flags.Modfile != "" {
				args = append(args, "-modfile", flags.Modfile)
			}
			// No programs: linking them takes longer than all else.
			cmd := exec.CommandContext(t.Context(), "go", append(args, "holdfast/kernel/cluster", "holdfast/httpd")...)
			cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
			said, err := cmd.CombinedOutput()
			require.NoError(t, err, string(said))
		})
	}
}

// Without its edits a mutant would be a clean build; that it is none must not depend on anybody looking.
func TestBuildFailsWhenTheSourceHasChanged(t *testing.T) {
	m := Mutant{ID: "M99", Edits: []patch.Edit{{File: "wal/append.go", Old: "no such text", New: ""}}}
	err := Build(t.Context(), m, filepath.Join(t.TempDir(), "guest.wasm"))
	require.ErrorIs(t, err, patch.ErrStale)
	assert.ErrorContains(t, err, "M99")
	assert.ErrorContains(t, err, "wal/append.go")
	assert.ErrorContains(t, err, "no such text")
}
