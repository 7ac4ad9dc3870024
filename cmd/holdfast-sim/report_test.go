package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func same(s string) string { return s }

// A report is a page beside the log and its story on the standard output; its status is the verdict's, as of a replay.
func TestReport(t *testing.T) {
	module, cache := noGuest(t), t.TempDir()
	log := writeLog(t, module, func(s string) string { return strings.Replace(s, `"seed":"0x5"`, `"seed":"0x6"`, 1) })
	code, stdout, stderr := call(t, "report", log, "--module", module, "--cache", cache)
	assert.Equal(t, 12, code, stderr)
	assert.Contains(t, stdout, "red: crash, found by crash.")
	assert.Contains(t, stdout, "\nFound:\n  m1: ")
	page := strings.TrimSuffix(log, ".log") + ".html"
	assert.Contains(t, stdout, "page: "+page+"\n")
	assert.Contains(t, lastLine(stdout), " verdict=crash")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(text), "<!doctype html>"))
}

// Each output goes where it is wanted: page and text into files, or nowhere.
func TestReportOutputs(t *testing.T) {
	module, cache, dir := noGuest(t), t.TempDir(), t.TempDir()
	log := writeLog(t, module, func(s string) string { return strings.Replace(s, `"seed":"0x5"`, `"seed":"0x6"`, 1) })
	at := func(name string) string { return filepath.Join(dir, name) }
	_, stdout, _ := call(t, "report", "--module", module, "--cache", cache, "--out", at("a.html"), "--text", at("a.txt"), "--history", at("a.hist"), "--report", at("a.json"), log)
	assert.Equal(t, 2, strings.Count(stdout, "\n"), stdout)
	for _, name := range []string{"a.html", "a.txt", "a.json"} {
		info, err := os.Stat(at(name))
		require.NoError(t, err)
		assert.Positive(t, info.Size(), name)
	}
	_, stdout, _ = call(t, "report", "--module", module, "--cache", cache, "--out", "", "--text", "", log)
	assert.Equal(t, 1, strings.Count(stdout, "\n"), stdout)
}

// Wrong use of report and diff is told with what to do, before anything is played.
func TestReportAndDiffBadUsage(t *testing.T) {
	module := noGuest(t)
	log, other := writeLog(t, module, same), writeLog(t, module, func(s string) string { return strings.Replace(s, `"module":"`, `"module":"0`, 1) })
	for want, args := range map[string][]string{
		"log: none given":                  {"report", "--module", module},
		"report takes one FILE":            {"report", "--module", module, log, log},
		"its hash is":                      {"report", "--module", module, other},
		"it is the log":                    {"report", "--module", module, "--out", log, log},
		"wall: 0s":                         {"report", "--module", module, "--wall", "0s", log},
		"log: 0 given; name two":           {"diff"},
		"log: 1 given":                     {"diff", log},
		"log: 3 given":                     {"diff", log, log, log},
		"with which other module":          {"diff", "--other", module, log, log},
		"play it with this one by --other": {"diff", "--module", module, log, other},
		"no such file":                     {"diff", log, log + "s"},
		"wall: -1s":                        {"diff", "--wall=-1s", log, log},
		`mutant: "M99"`:                    {"guest", "--mutant", "M99"},
		"it brings its own overlay":        {"guest", "--mutant", "M01", "--plain-scheduler"},
	} {
		code, _, stderr := call(t, args...)
		assert.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		assert.Contains(t, stderr, want)
	}
}

// What differs between two logs is told field by field and fault by fault, in the order of the logs.
func TestDiff(t *testing.T) {
	module := noGuest(t)
	a := writeLog(t, module, same)
	code, stdout, _ := call(t, "diff", a, a)
	assert.Equal(t, 0, code)
	assert.Contains(t, stdout, "the decisions are the same\n")

	b := writeLog(t, module, func(s string) string {
		s = strings.Replace(s, `"tick":`, `"tick":1`, 1)
		s = strings.Replace(s, `"ops_per_second":`, `"ops_per_second":1`, 1)
		s = strings.Replace(s, `"n":5`, `"n":7`, 1)
		return strings.Replace(s, `{"end"`, `{"id":9,"kind":"clog","at":4000000000,"for":1000000000,"member":"m2","other":"m3"}`+"\n"+`{"end"`, 1)
	})
	code, stdout, stderr := call(t, "diff", a, b)
	require.Equal(t, 0, code, stderr)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	require.Len(t, lines, 6, stdout)
	assert.Contains(t, lines[1], "faults=2 (edited)")
	assert.Regexp(t, `^plan: knobs\.tick: \d+ in A, 1\d+ in B$`, lines[2])
	assert.Regexp(t, `^plan: ops_per_second: \d+ in A, 1\d+ in B$`, lines[3])
	assert.Equal(t, "fault #1 (kill): n: 5 in A, 7 in B", lines[4])
	assert.Equal(t, "only in B: clog m2 at 4.000000 s, #9 for 1s, other end m3", lines[5])
	_, stdout, _ = call(t, "diff", b, a)
	assert.Contains(t, stdout, "only in A: clog m2")
}

// With modules the runs are played and held against each other: the first step that differs is shown on both sides.
func TestDiffPlays(t *testing.T) {
	module, cache := noGuest(t), t.TempDir()
	a := writeLog(t, module, same)
	code, stdout, stderr := call(t, "diff", "--module", module, "--cache", cache, a, a)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "the runs are the same, step by step\n")

	b := writeLog(t, module, func(s string) string { return strings.Replace(s, `"seed":"0x5"`, `"seed":"0x6"`, 1) })
	again := filepath.Join(t.TempDir(), "trap.wasm") // one whose start function traps
	require.NoError(t, os.WriteFile(again, []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x08\x01\x00\x0a\x05\x01\x03\x00\x00\x0b"), 0o600))
	code, stdout, stderr = call(t, "diff", "--module", module, "--other", again, "--cache", cache, b)
	require.Equal(t, 0, code, stderr)
	assert.Contains(t, stdout, "the decisions are the same\n")
	assert.Contains(t, stdout, "steps part at 3, at 0.000000000 s\n")
	assert.Regexp(t, `(?m)^A > 3 0 m1 [0-9a-f]+ exit 0 `, stdout)
	assert.Regexp(t, `(?m)^B > 3 0 m1 [0-9a-f]+ exit 1 `, stdout)
	assert.Contains(t, stdout, "events part at 0.000000 s\nboth     0.000000  m1    start       incarnation 1\n")
}

// A hash log comes in pieces; the lines wanted are put together again, and no other is kept.
func TestStepWindow(t *testing.T) {
	w := &stepWindow{from: 2, to: 3}
	for _, piece := range []string{"1 a", "\n2 ", "b\n3 c\n4", " d\n5 e\n"} {
		n, err := w.Write([]byte(piece))
		require.NoError(t, err)
		assert.Equal(t, len(piece), n)
	}
	assert.Equal(t, []stepLine{{2, "2 b"}, {3, "3 c"}}, w.lines)
}

// Timelines that differ in nothing, and one that goes on for longer.
func TestShowEvents(t *testing.T) {
	acts := []sim.Act{{At: 1e9, Who: "m1", What: "start", Detail: "incarnation 1"}, {At: 2e9, Who: "m1", What: "leader", Detail: "term 2"}}
	var b strings.Builder
	showEvents(acts, acts, &b)
	assert.Contains(t, b.String(), "what happened is the same")
	b.Reset()
	showEvents(acts[:1], acts, &b)
	assert.Equal(t, "events part at 2.000000 s\nboth     1.000000  m1    start       incarnation 1\nA  > nothing more\nB  >     2.000000  m1    leader      term 2\n", b.String())
}
