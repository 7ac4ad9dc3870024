package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func hashOf(t *testing.T, module string) string {
	t.Helper()
	text, err := os.ReadFile(module)
	require.NoError(t, err)
	return sim.ModuleHash(text)
}

// A log of mixed versions is played with both of its modules only, unless others are asked for; one of one version does not
// mind the flag.
func TestReplayOfMixedVersions(t *testing.T) {
	module, before := noGuest(t), otherGuest(t)
	one := writeLog(t, module, func(s string) string { return strings.Replace(s, `"id":1`, `"id":2`, 1) })
	mixed := writeLog(t, module, func(s string) string {
		s = strings.Replace(s, `,"plan":`, `,"before":"`+hashOf(t, before)+`","plan":`, 1)
		return strings.Replace(s, `"calm_at"`, `"upgrades":[4000000000,-1,0],"calm_at"`, 1)
	})
	for _, c := range []struct {
		want string
		args []string
	}{
		{"before: none given, and the log has members of an earlier version, module " + hashOf(t, before), []string{"replay", mixed}},
		{"before: none given", []string{"shrink", mixed}},
		{"before: none given", []string{"diff", "--module", module, mixed, mixed}},
		{"its hash is " + hashOf(t, module), []string{"replay", "--before", module, mixed}},
		{"before: module: open", []string{"replay", "--before", filepath.Join(t.TempDir(), "missing"), mixed}},
		{"before: module: open", []string{"sweep", "--before", filepath.Join(t.TempDir(), "missing")}},
	} {
		args := c.args
		if args[0] != "diff" {
			args = append([]string{args[0], "--module", module}, args[1:]...)
		}
		code, _, stderr := call(t, args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		assert.Contains(t, stderr, c.want)
	}
	cache := t.TempDir()
	for _, log := range []string{mixed, one} {
		code, stdout, stderr := call(t, "replay", "--module", module, "--before", before, "--cache", cache, "--quiet", log)
		assert.Equal(t, 12, code, "members that end at once have crashed: %s", stderr)
		assert.Equal(t, log == mixed, strings.Contains(lastLine(stdout), " before="+hashOf(t, before)+" "), stdout)
		assert.Equal(t, log == mixed, strings.Contains(stdout, "upgrades=m1 at 4s, m2 never, m3 before"), stdout)
	}
	code, _, stderr := call(t, "replay", "--module", module, "--before", module, "--other-module", "--cache", cache, "--quiet", mixed)
	assert.Equal(t, 12, code, stderr)
}

// A worker keeps both of its modules; another earlier one is another worker's.
func TestWorkersOfMixedVersions(t *testing.T) {
	t.Setenv(asCommand, "1")
	ws := &workers{}
	defer ws.close()
	s := scenario{seed: 1, nodes: 3, duration: 8 * time.Second, module: noGuest(t), before: otherGuest(t), cache: t.TempDir(), wall: time.Minute}
	var pids []int
	for _, before := range []string{s.before, s.before, ""} {
		s.before = before
		o := ws.play(t.Context(), s)
		require.NoError(t, o.err)
		assert.Equal(t, 12, o.code)
		assert.Equal(t, before != "", o.report.Before != "")
		assert.Equal(t, before != "", strings.Contains(string(o.log), `"before":"`))
		require.Len(t, ws.idle, 1)
		pids = append(pids, ws.idle[0].cmd.Process.Pid)
	}
	assert.Equal(t, pids[0], pids[1])
	assert.NotEqual(t, pids[1], pids[2])
}

// What a sweep of mixed versions prints can be played again.
func TestReplayCommandOfMixedVersions(t *testing.T) {
	s := scenario{module: defaultModule}
	assert.Equal(t, "holdfast-sim replay a.log", replayCommand("a.log", s))
	s.module, s.before = "m.wasm", "b.wasm"
	assert.Equal(t, "holdfast-sim replay --module m.wasm --before b.wasm a.log", replayCommand("a.log", s))
	s.decisions = "a.log"
	assert.Equal(t, []string{"--module", "m.wasm", "--other-module", "--before", "b.wasm", "a.log"}, s.args())
}
