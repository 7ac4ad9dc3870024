package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Two builds measure themselves in turns, the best of each counts, and a ratio below the floor is a failure.
func TestHoldAgainst(t *testing.T) {
	own, other := simulator{program: "own"}, simulator{program: "other"}
	loads := []load{{name: "work"}, {name: "idle"}}
	var order []string
	bench := func(_ context.Context, s simulator) (measured, error) {
		order = append(order, s.program)
		m := map[string]measured{"own": {"work": 12, "idle": 90}, "other": {"work": 8, "idle": 45}}[s.program]
		if len(order) <= 2 { // the first round is disturbed
			return measured{"work": m["work"] / 3, "idle": m["idle"] / 2}, nil
		}
		return measured{"work": m["work"], "idle": m["idle"]}, nil
	}
	for _, c := range []struct {
		floor float64
		code  int
		want  string
	}{
		{0, 0, "mean 12.0, against 8.0: x1.50; expect x0 at least: ok\n"},
		{1.5, 0, "x1.50; expect x1.5 at least: ok\n"},
		{1.6, exitFailed, "x1.50; expect x1.6 at least: too slow\n"},
	} {
		order = nil
		var out bytes.Buffer
		code, err := holdAgainst(t.Context(), bench, own, other, loads, c.floor, &out)
		require.NoError(t, err)
		assert.Equal(t, c.code, code)
		assert.Contains(t, out.String(), c.want)
		assert.Contains(t, out.String(), "mean 90.0, against 45.0: x2.00; ")
		assert.Equal(t, []string{"own", "other", "own", "other", "own", "other"}, order)
	}
	for want, answer := range map[string]func() (measured, error){
		"killed":                          func() (measured, error) { return nil, errors.New("killed") },
		`own bench: nothing about "idle"`: func() (measured, error) { return measured{"work": 12}, nil },
	} {
		_, err := holdAgainst(t.Context(), func(context.Context, simulator) (measured, error) { return answer() },
			own, other, loads, 0, new(bytes.Buffer))
		require.ErrorContains(t, err, want)
	}
}

// What bench prints is read, also where it thinks itself too slow; another end is an error that says what was called.
func TestCallBench(t *testing.T) {
	program := filepath.Join(t.TempDir(), "holdfast-sim")
	script := func(text string) {
		require.NoError(t, os.WriteFile(program, []byte("#!/bin/sh\n"+text), 0o700)) //nolint:gosec // it is to be run
	}
	script(`echo "module=12 commit=34: 6 seeds, 3 members; virtual seconds per CPU second"
echo "50 operations a virtual second, faults       mean 7.0, min 3.8, median 9.0, max 15.8; expect 8 at least: too slow"
echo "idle, no faults                              mean 154.4, min 114.4, median 163.8, max 188.6; expect 60 at least: ok"
exit 1
`)
	found, err := callBench("")(t.Context(), simulator{program: program, module: "m"})
	require.NoError(t, err)
	assert.Equal(t, measured{"50 operations a virtual second, faults": 7, "idle, no faults": 154.4}, found)

	script(`echo "idle, no faults: seed=0xbe0c4001 verdict=liveness: see holdfast-sim run --seed 0xbe0c4001"
echo "idle, no faults                              mean 154.4, min 114.4, median 163.8, max 188.6; expect 60 at least: ok"
exit 1
`)
	_, err = callBench("")(t.Context(), simulator{program: program, module: "m"})
	require.ErrorContains(t, err, "seed=0xbe0c4001 verdict=liveness", "what is not green measures something else")

	script("echo broken; exit 2\n")
	_, err = callBench("dir")(t.Context(), simulator{program: program, module: "m"})
	require.ErrorContains(t, err, program+" bench --module m --cache dir: exit status 2\nbroken")
	_, err = callBench("")(t.Context(), simulator{program: "/nowhere/holdfast-sim", module: "m"})
	require.ErrorContains(t, err, "/nowhere/holdfast-sim bench")
}

func TestAgainstBadUsage(t *testing.T) {
	wasm, empty := noGuest(t), t.TempDir()
	half := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(half, "holdfast-sim"), nil, 0o600))
	for want, args := range map[string][]string{
		"add --against": {"bench", "--module", wasm, "--floor", "2"},
		"against: " + filepath.Join(empty, "holdfast-sim") + ": no such": {"bench", "--module", wasm, "--against", empty},
		"against: " + filepath.Join(half, "guest.wasm") + ": no such":    {"bench", "--module", wasm, "--against", half},
		"floor: -1": {"bench", "--module", wasm, "--against", half, "--floor=-1"},
	} {
		code, _, stderr := call(t, args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		assert.Contains(t, stderr, want)
	}
}
