package sim

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/sim/patch"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	wasi "github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// turns prints in which order goroutines got a mutex; then how goroutines that never block shared their time, which they
// spend on reading the clock or on syncing a file.
const turns = `package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

func main() {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var order strings.Builder
	mu.Lock()
	for i := range 10 {
		wg.Go(func() {
			mu.Lock()
			fmt.Fprint(&order, i)
			mu.Unlock()
		})
	}
	mu.Unlock()
	wg.Wait()
	fmt.Println(order.String(), share(func(int) { time.Now() }), share(syncs()))
}

func syncs() func(int) {
	var files [2]*os.File
	for i := range files {
		f, err := os.Create(fmt.Sprint("/f", i))
		if err != nil {
			panic(err)
		}
		files[i] = f
	}
	return func(i int) {
		if err := files[i].Sync(); err != nil {
			panic(err)
		}
	}
}

func share(what func(int)) string {
	var wg sync.WaitGroup
	var order strings.Builder
	for i := range 2 {
		wg.Go(func() {
			for range 64 {
				what(i)
				fmt.Fprint(&order, i)
			}
		})
	}
	wg.Wait()
	return order.String()
}
`

// buildTurns builds the program above and gives a function that runs it with a seed.
func buildTurns(t *testing.T, plain bool) func(seed int64) []string {
	run := buildSaying(t, turns, plain)
	return func(seed int64) []string { return run(seed, "", "") }
}

// buildSaying builds a program that says three words, and gives a function that runs it with a seed, and with an environment
// variable if its value is not empty.
func buildSaying(t *testing.T, program string, plain bool) func(seed int64, variable, value string) []string {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module guest\n\ngo 1.26.0\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600))
	out := filepath.Join(dir, "turns.wasm")
	require.NoError(t, BuildGuest(t.Context(), Build{Package: ".", Dir: dir, Out: out, PlainScheduler: plain}))
	module, err := os.ReadFile(out)
	require.NoError(t, err)
	r := wazero.NewRuntime(t.Context())
	t.Cleanup(func() { require.NoError(t, r.Close(t.Context())) })
	wasi.MustInstantiate(t.Context(), r)
	compiled, err := r.CompileModule(t.Context(), module)
	require.NoError(t, err)
	return func(seed int64, variable, value string) []string {
		var stdout bytes.Buffer
		c := wazero.NewModuleConfig().WithName("").WithStdout(&stdout).WithStderr(os.Stderr).
			WithRandSource(rand.New(rand.NewSource(seed))).
			WithFSConfig(wazero.NewFSConfig().WithDirMount(t.TempDir(), "/"))
		if value != "" {
			c = c.WithEnv(variable, value)
		}
		m, err := r.InstantiateModule(t.Context(), compiled, c)
		require.NoError(t, err)
		require.NoError(t, m.Close(t.Context()))
		said := strings.Fields(stdout.String())
		require.Len(t, said, 3)
		return said
	}
}

// Ready goroutines run in an order of the seed's, and give way where threads would lose their turn.
func TestSchedulerFollowsTheSeed(t *testing.T) {
	run := buildTurns(t, false)
	seen := [3]map[string]bool{{}, {}, {}}
	const seeds = 8
	for seed := range int64(seeds) {
		said := run(seed)
		assert.Equal(t, said, run(seed), "one seed, two schedules")
		for i, order := range said {
			seen[i][order] = true
		}
	}
	for i, what := range []string{"a mutex", "the clock", "fsync"} {
		assert.Greater(t, len(seen[i]), seeds/2, "different schedules around %s", what)
	}
}

// Without the change there is one order only: what the change is there for.
func TestPlainScheduler(t *testing.T) {
	run := buildTurns(t, true)
	for seed := range int64(3) {
		said := run(seed)
		assert.Equal(t, "0123456789", said[0])
		for _, order := range said[1:] {
			assert.Equal(t, strings.Repeat("0", 64)+strings.Repeat("1", 64), order, "nobody gives way")
		}
	}
}

// Another Go version's runtime does not silently go without.
func TestSchedulerFitsThisGo(t *testing.T) {
	require.NoError(t, patch.Check(t.Context(), patch.Sources{}, scheduler))
}
