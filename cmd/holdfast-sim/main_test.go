package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"holdfast-sim"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// Whoever calls it wrongly gets status 2 and is told what to do.
func TestBadUsage(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text.wasm")
	require.NoError(t, os.WriteFile(text, []byte("not a module"), 0o600))
	wasm := filepath.Join(dir, "empty.wasm")
	require.NoError(t, os.WriteFile(wasm, []byte("\x00asm\x01\x00\x00\x00"), 0o600))
	for want, args := range map[string][]string{
		"command: none given": {},
		`command: "play"`:     {"play"},
		"no-such-flag":        {"run", "--no-such-flag"},
		`seed: "0xyz"`:        {"run", "--seed", "0xyz", "--module", wasm},
		"module: open":        {"run", "--module", filepath.Join(dir, "missing.wasm")},
		"not WebAssembly":     {"smoke", "--module", text},
		"nodes: 9":            {"run", "--nodes", "9", "--module", wasm},
		"duration: 1s":        {"run", "--duration", "1s", "--module", wasm},
		`argument: "more"`:    {"run", "--module", wasm, "more"},
		"output file":         {"run", "--module", wasm, "--hash-log", filepath.Join(dir, "no", "where")},
	} {
		code, _, stderr := call(t, args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		assert.Contains(t, stderr, want)
	}
}

// A module that is WebAssembly but no guest ends at once, which is a crash of its members.
func TestModuleThatIsNoGuest(t *testing.T) {
	wasm := filepath.Join(t.TempDir(), "empty.wasm")
	require.NoError(t, os.WriteFile(wasm, []byte("\x00asm\x01\x00\x00\x00"), 0o600))
	code, stdout, _ := call(t, "run", "--module", wasm, "--cache", t.TempDir())
	assert.Equal(t, 12, code)
	assert.Contains(t, stdout, "verdict=crash\n")
}
