package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asCommand in the environment makes the test program be holdfast-sim, so that commands that start processes of themselves
// can be tested.
const asCommand = "HOLDFAST_SIM_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
	}
	goleak.VerifyTestMain(m)
}

func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"holdfast-sim"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

// noGuest is WebAssembly that does nothing: its processes end at once.
func noGuest(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "empty.wasm")
	require.NoError(t, os.WriteFile(name, []byte("\x00asm\x01\x00\x00\x00"), 0o600))
	return name
}

// Whoever calls it wrongly gets status 2 and is told what to do.
func TestBadUsage(t *testing.T) {
	dir, wasm := t.TempDir(), noGuest(t)
	text := filepath.Join(dir, "text.wasm")
	require.NoError(t, os.WriteFile(text, []byte("not a module"), 0o600))
	for want, args := range map[string][]string{
		"command: none given":      {},
		`command: "play"`:          {"play"},
		"no-such-flag":             {"run", "--no-such-flag"},
		`seed: "0xyz"`:             {"run", "--seed", "0xyz", "--module", wasm},
		"module: open":             {"run", "--module", filepath.Join(dir, "missing.wasm")},
		"not WebAssembly":          {"smoke", "--module", text},
		"nodes: 9":                 {"run", "--nodes", "9", "--module", wasm},
		"nodes: 0":                 {"smoke", "--nodes", "0", "--module", wasm},
		"nodes: 2":                 {"sweep", "--nodes", "2", "--module", wasm},
		"duration: 1s":             {"run", "--duration", "1s", "--module", wasm},
		"ops: -1":                  {"run", "--ops=-1", "--module", wasm},
		"pace: 2h0m0s":             {"run", "--pace", "2h", "--module", wasm},
		"wall: 0s":                 {"run", "--wall", "0s", "--module", wasm},
		`workload: "knitting"`:     {"run", "--workload", "register,knitting", "--module", wasm},
		`faults: "earthquake"`:     {"run", "--faults", "kill", "--faults", "earthquake", "--module", wasm},
		`schedule: "fifo"`:         {"run", "--schedule", "fifo", "--module", wasm},
		`faults: "none"`:           {"run", "--faults", "none,kill", "--module", wasm},
		`argument: "more"`:         {"run", "--module", wasm, "more"},
		`argument: "some"`:         {"sweep", "--module", wasm, "some"},
		`argument: "bench"`:        {"bench", "bench"},
		`argument: "guest"`:        {"guest", "guest"},
		"to stop at step 5":        {"run", "--module", wasm, "--until-step", "5", "--log", filepath.Join(dir, "run.log")},
		"output file":              {"run", "--module", wasm, "--hash-log", filepath.Join(dir, "no", "where")},
		`from: "one"`:              {"sweep", "--from", "one", "--module", wasm},
		"seeds: 0":                 {"sweep", "--seeds", "0", "--module", wasm},
		"go beyond 64 bits":        {"sweep", "--from", "0xffffffffffffffff", "--seeds", "2", "--module", wasm},
		"jobs: 0":                  {"determinism", "--jobs", "0", "--module", wasm},
		"time: -1s":                {"sweep", "--time=-1s", "--module", wasm},
		"missing.wasm: no such":    {"determinism", "--module", filepath.Join(dir, "missing.wasm")},
		"budget: 0s":               {"mutants", "--budget", "0s", "--module", wasm},
		`only: "M99"`:              {"mutants", "--only", "M01,M99", "--module", wasm},
		`from: "-1"`:               {"mutants", "--from=-1", "--module", wasm},
		"jobs: 300":                {"mutants", "--jobs", "300", "--module", wasm},
		"log: none given":          {"replay", "--module", wasm},
		`argument: "b": not`:       {"replay", "--module", wasm, "a", "b"},
		"log: open":                {"replay", "--module", wasm, filepath.Join(dir, "missing.log")},
		"bad decision log: it is":  {"replay", "--module", wasm, os.DevNull},
		"bad decision log: line 1": {"replay", "--module", wasm, text},
	} {
		code, _, stderr := call(t, args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		assert.Contains(t, stderr, want)
	}
}

// A module that is WebAssembly but no guest ends at once, which is a crash of its members.
func TestModuleThatIsNoGuest(t *testing.T) {
	report := filepath.Join(t.TempDir(), "report.json")
	code, stdout, _ := call(t, "run", "--module", noGuest(t), "--cache", t.TempDir(), "--report", report)
	assert.Equal(t, 12, code)
	assert.Contains(t, stdout, "verdict=crash\n")
	assert.Contains(t, stdout, " commit=")
	assert.Contains(t, stdout, "faults scheduled=")
	text, err := os.ReadFile(report)
	require.NoError(t, err)
	assert.Contains(t, string(text), `"verdict":"crash"`)
}

// Help names all that the lists can hold.
func TestHelpListsNames(t *testing.T) {
	_, stdout, _ := call(t, "run", "--help")
	for _, name := range []string{"register", "power-cut", "clock-step", none} {
		assert.Contains(t, stdout, name)
	}
}
