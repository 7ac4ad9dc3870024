package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A module is read once, and again when its file has changed or another has its name.
func TestReadModule(t *testing.T) {
	name := filepath.Join(t.TempDir(), "guest.wasm")
	write := func(text string) {
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
	}
	read := func() []byte {
		module, err := readModule(name)
		require.NoError(t, err)
		return module
	}
	write("\x00asm one")
	first := read()
	assert.Equal(t, "\x00asm one", string(first))
	assert.Same(t, &first[0], &read()[0])
	write("\x00asm two")
	require.NoError(t, os.Chtimes(name, time.Time{}, time.Now().Add(time.Second)))
	assert.Equal(t, "\x00asm two", string(read()))
	require.NoError(t, os.Remove(name))
	_, err := readModule(name)
	require.ErrorContains(t, err, "build it with make guest")
	write("text")
	_, err = readModule(name)
	require.ErrorContains(t, err, "not WebAssembly")
}
