package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeLog writes a decision log as run does, after change.
func writeLog(t *testing.T, module string, change func(text string) string) string {
	t.Helper()
	bytesOf, err := os.ReadFile(module)
	require.NoError(t, err)
	o := sim.Options{Seed: 5, Nodes: 3, Duration: 10 * time.Second}
	d := sim.Decisions{Seed: o.Seed, Module: sim.ModuleHash(bytesOf), Plan: sim.Derive(o), Verdict: sim.VerdictOK}
	d.Faults = []sim.Fault{{ID: 1, Kind: "kill", At: int64(3 * time.Second), For: int64(time.Second), Member: "m1", N: 5}}
	var b bytes.Buffer
	require.NoError(t, d.Write(&b))
	name := filepath.Join(t.TempDir(), "run.log")
	require.NoError(t, os.WriteFile(name, []byte(change(b.String())), 0o600))
	return name
}

// A log that cannot be played is bad usage, and the message says where it is bad.
func TestReplayRefusesCorruptLogs(t *testing.T) {
	module := noGuest(t)
	for want, change := range map[string]func(string) string{
		"it is empty":        func(string) string { return "" },
		"line 1":             func(s string) string { return "\x00\x01\x02" + s },
		"format":             func(s string) string { return strings.Replace(s, "decisions 2", "decisions 9", 1) },
		"line 2":             func(s string) string { return strings.Replace(s, "\n{", "\n{{", 1) },
		"unknown field":      func(s string) string { return strings.Replace(s, `"kind"`, `"sort"`, 1) },
		"unknown kind":       func(s string) string { return strings.Replace(s, `"kind":"`, `"kind":"un`, 1) },
		"more after the end": func(s string) string { return s + "{}\n" },
		"plan: nodes: 9":     func(s string) string { return strings.Replace(s, `"nodes":3`, `"nodes":9`, 1) },
		"token too long":     func(s string) string { return s + strings.Repeat("x", 2<<20) },
		"its hash is":        func(s string) string { return strings.Replace(s, `"module":"`, `"module":"0`, 1) },
		"play it with this":  func(s string) string { return strings.Replace(s, `"module":"`, `"module":"1`, 1) },
	} {
		code, _, stderr := call(t, "replay", "--module", module, writeLog(t, module, change))
		assert.Equal(t, exitUsage, code, "%s: %s", want, stderr)
		assert.Contains(t, stderr, want)
	}
}

// A log that is to be written for a run that is to stop half-way is refused before the file is touched.
func TestNoLogOfPartOfARun(t *testing.T) {
	module := noGuest(t)
	log := writeLog(t, module, func(s string) string { return s })
	before, err := os.ReadFile(log)
	require.NoError(t, err)
	code, _, stderr := call(t, "replay", "--module", module, "--until-step", "5", "--log", log, log)
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "log: "+log+": a decision log is of a whole run")
	after, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// Hashes are compared of all runs that came to their end, be their checkers in time or not.
func TestWhole(t *testing.T) {
	for want, reps := range map[bool][]sim.Report{
		true:  {{Verdict: sim.VerdictOK}, {Verdict: sim.VerdictSafety}, {Verdict: sim.VerdictTimeout, Fired: sim.FiredLimit}},
		false: {{Verdict: sim.VerdictTimeout}},
	} {
		for _, rep := range reps {
			assert.Equal(t, want, whole(&rep), "%+v", rep)
		}
	}
}

// Flags may follow the file. What the log is, and whether the run is the recorded one, is said.
func TestReplayTellsWhatTheLogIs(t *testing.T) {
	module, cache := noGuest(t), t.TempDir()
	for want, change := range map[string]func(string) string{
		"log untouched: recorded with ": func(s string) string { return s },
		"log edited":                    func(s string) string { return strings.Replace(s, `"seed":"0x5"`, `"seed":"0x6"`, 1) },
	} {
		code, stdout, stderr := call(t, "replay", writeLog(t, module, change), "--module", module, "--cache", cache, "--quiet")
		assert.NotEqual(t, 0, code)
		assert.NotEqual(t, exitUsage, code, stderr)
		assert.Contains(t, stdout, want)
		assert.Contains(t, lastLine(stdout), " verdict=")
	}
	other := writeLog(t, module, func(s string) string { return strings.Replace(s, `"module":"`, `"module":"0`, 1) })
	code, stdout, _ := call(t, "replay", "--other-module", "--module", module, "--cache", cache, "--quiet", other)
	assert.Equal(t, 12, code)
	assert.Contains(t, stdout, "hash: nothing to hold it against")
}
