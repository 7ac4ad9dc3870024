package mutant

import (
	"flag"
	"path/filepath"
	"testing"

	"holdfast/sim/patch"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var build = flag.Bool("build", false, "compile every mutant, which takes minutes, beside applying its edits")

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
		"M01", "M05", "M06", "M08", "M11", "M15", "M16", "M19", "M22", "M24", "M28", "M29", "M30", "M31", "M41", "M42",
	}, ids)
	_, ok := ByID("M00")
	assert.False(t, ok)
}

// Every edit finds its place in the sources as they are now; with -build, what comes of them compiles for the guest.
func TestBuild(t *testing.T) {
	for _, m := range All() {
		t.Run(m.ID, func(t *testing.T) {
			require.NoError(t, patch.Check(t.Context(), patch.Sources{}, m.Edits))
			if *build {
				require.NoError(t, Build(t.Context(), m, filepath.Join(t.TempDir(), "guest.wasm")))
			}
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
