package sim

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The same sources in two directories make the same bytes.
func TestBuildGuestFromTwoDirectories(t *testing.T) {
	sources := map[string]string{
		"go.mod":  "module guest\n\ngo 1.26.0\n",
		"main.go": "package main\n\nfunc main() { panic(\"a panic names its source file\") }\n",
	}
	var modules [2][]byte
	for i, sub := range []string{"here", "some/where/else"} {
		dir := filepath.Join(t.TempDir(), sub)
		require.NoError(t, os.MkdirAll(dir, 0o755))
		for _, name := range []string{"go.mod", "main.go"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(sources[name]), 0o600))
		}
		out := filepath.Join(dir, "bin", "guest.wasm")
		require.NoError(t, BuildGuest(t.Context(), Build{Package: ".", Dir: dir, Out: out}))
		var err error
		modules[i], err = os.ReadFile(out)
		require.NoError(t, err)
	}
	assert.Equal(t, ModuleHash(modules[0]), ModuleHash(modules[1]))
	assert.NotEqual(t, ModuleHash(toy), ModuleHash(modules[0]))
}

// What does not build is reported with what the go command said.
func TestBuildGuestFails(t *testing.T) {
	err := BuildGuest(t.Context(), Build{Package: "holdfast/sim/nowhere", Out: filepath.Join(t.TempDir(), "g.wasm")})
	require.ErrorIs(t, err, ErrBuild)
	assert.ErrorContains(t, err, "nowhere")
}
