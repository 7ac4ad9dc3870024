package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/sim"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The corpus of this tree has seeds for each probe, short ones.
func TestCorpusHasEachProbe(t *testing.T) {
	list, err := readCorpus(corpusText)
	require.NoError(t, err)
	seeds := map[string]int{}
	for _, k := range list {
		assert.NotEmpty(t, k.probes, "%v", k)
		assert.LessOrEqual(t, k.duration, sweepDuration, "%v", k)
		for _, p := range k.probes {
			seeds[p]++
		}
		again, err := readCorpus(k.String())
		require.NoError(t, err)
		assert.Equal(t, []kept{k}, again)
	}
	for _, p := range sim.Probes() {
		assert.GreaterOrEqual(t, seeds[p], coverings, "%s: play more seeds, and %s", p, renewCorpus)
	}
}

func TestCorpusThatIsNone(t *testing.T) {
	for text, want := range map[string]string{
		"# one\nseed=1 nodes=3":                                 "corpus: line 2: ",
		"seed=0x1 nodes=3 duration=20s":                         "names no probe",
		"seed=0x1 nodes=3 duration=twenty: half-open":           `invalid duration "twenty"`,
		"seed=0x1 nodes=2 duration=20s: half-open connection":   "no run can",
		"seed=0x1 nodes=3 duration=2000h: half-open connection": "no run can",
		"seed=-1 nodes=3 duration=20s: half-open connection":    "corpus: line 1: ",
	} {
		_, err := readCorpus(text)
		require.ErrorContains(t, err, want, text)
		assert.ErrorContains(t, err, renewCorpus)
	}
	list, err := readCorpus("seed=0x1 nodes=3 duration=20s: a probe of old; half-open connection\n")
	require.NoError(t, err)
	assert.Equal(t, []kept{{1, 3, 20 * time.Second, []string{"half-open connection"}}}, list)
}

// A sweep plays the corpus first, with its own members and lengths, tells what it reaches no more, and goes on; a ledger
// holds its seeds apart from the sweep's own.
func TestSweepPlaysCorpusFirst(t *testing.T) {
	name := filepath.Join(t.TempDir(), "ledger")
	names := sim.Probes()
	corpus := []kept{{2, 5, 20 * time.Second, names[:2]}, {0x77, 3, 30 * time.Second, names[2:3]}}
	reached := green(2)
	reached.report.Probes = map[string]int{names[0]: 3}
	sw, really, _ := playedWith(t, name, 3, map[uint64]outcome{2: reached})
	sw.corpus = corpus
	var out bytes.Buffer
	sw.stdout = &out
	code, err := sw.run(t.Context())
	require.NoError(t, err)
	assert.Zero(t, code, "a seed that reaches something else is no failure")
	assert.Equal(t, []uint64{2, 0x77, 1, 2, 3}, *really)
	assert.Contains(t, out.String(), `corpus: seed=0x2 nodes=5 duration=20s no longer reaches ["`+names[1]+`"]; renew with make corpus`+"\n")
	assert.Contains(t, out.String(), `corpus: seed=0x77 nodes=3 duration=30s no longer reaches ["`+names[2]+`"]`)
	assert.Equal(t, "sweep from=0x1 seeds=5 green=5 red=0 undecided=0 module=cafe verdict=ok", lastLine(out.String()))
	assert.Equal(t, 2, sw.totals.probes[names[0]].seeds)

	again, really, last := playedWith(t, name, 4, map[uint64]outcome{2: reached})
	again.corpus = corpus
	_, err = again.run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []uint64{4}, *really)
	assert.Equal(t, "sweep from=0x1 seeds=6 green=6 red=0 undecided=0 module=cafe verdict=ok", last())
}

// reaching is a green seed of so many virtual seconds that reached some probes.
func reaching(seed uint64, seconds int, probes ...string) entry {
	o := green(seed)
	e := entry{Duration: 20 * time.Second, Report: o.report}
	e.Report.Nodes, e.Report.VirtualNanos, e.Report.Probes = 3, int64(seconds)*1e9, map[string]int{}
	for _, p := range probes {
		e.Report.Probes[p] = 1
	}
	return e
}

// Few seeds, short ones first, each probe twice if it can be, and what nobody reaches is told.
func TestChooseCorpus(t *testing.T) {
	p := sim.Probes()
	chosen, missing := chooseCorpus([]entry{
		reaching(9, 30, p[1:]...), // dear, and nothing that others have not
		reaching(8, 10, p[1:]...),
		reaching(7, 12, p[2:]...),
		reaching(6, 11, p[1]),
		reaching(5, 10),
	})
	assert.Equal(t, p[:1], missing)
	assert.Equal(t, []kept{
		{8, 3, 20 * time.Second, p[1:]},
		{6, 3, 20 * time.Second, p[1:2]},
		{7, 3, 20 * time.Second, p[2:]},
	}, chosen)
	chosen, missing = chooseCorpus([]entry{reaching(4, 10, p...)})
	assert.Empty(t, missing)
	assert.Equal(t, []kept{{4, 3, 20 * time.Second, p}}, chosen)

	// The first of these is the cheapest, and not needed in the end.
	left, right := append([]string{p[0]}, p[2:9]...), p[9:]
	right = append([]string{p[1]}, right...)
	pruned, missing := chooseCorpus([]entry{
		reaching(1, 1, p[:2]...),
		reaching(2, 20, left...), reaching(3, 21, left...), reaching(4, 22, right...), reaching(5, 23, right...),
	})
	assert.Empty(t, missing)
	assert.Equal(t, []kept{
		{2, 3, 20 * time.Second, left}, {3, 3, 20 * time.Second, left}, {4, 3, 20 * time.Second, right}, {5, 3, 20 * time.Second, right},
	}, pruned)
}

// The command reads what a sweep's ledger has, and refuses what cannot be played without flags.
func TestWriteCorpus(t *testing.T) {
	dir := t.TempDir()
	ledgerOf := func(name, flags string, probes []string) string {
		head, err := json.Marshal(ledgerHead{Module: "cafe", Flags: flags})
		require.NoError(t, err)
		e := reaching(0x1f, 25, probes...)
		e.Duration = 0
		line, err := json.Marshal(e)
		require.NoError(t, err)
		file := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(file, []byte(string(head)+"\n"+string(line)+"\n"), 0o600))
		return file
	}
	whole := ledgerOf("whole", "--nodes 0 --duration 30s --module m.wasm", sim.Probes())
	code, stdout, stderr := call(t, "corpus", whole)
	assert.Zero(t, code, stderr)
	assert.Contains(t, stdout, "chosen for module cafe.\n")
	assert.Equal(t, "seed=0x1f nodes=3 duration=30s: "+strings.Join(sim.Probes(), "; "), lastLine(stdout))
	_, err := readCorpus(stdout)
	require.NoError(t, err)

	part := ledgerOf("part", "--nodes 0 --duration 30s", sim.Probes()[1:])
	out := filepath.Join(dir, "out")
	code, _, stderr = call(t, "corpus", "--out", out, part)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, stderr, "missing: probe \""+sim.Probes()[0]+"\": reached by none of 1 seeds; add ")
	assert.NoFileExists(t, out)

	for want, args := range map[string][]string{
		"ledger: none given":        {},
		"ledger: open":              {filepath.Join(dir, "none")},
		"leave the seeds no choice": {ledgerOf("led", "--nodes 3 --duration 30s --faults kill", sim.Probes())},
		"line 1: flags \"hello\"":   {ledgerOf("odd", "hello", sim.Probes())},
		"line 1: invalid character": {noLedger(t)},
		"and others are of cafe":    {whole, otherModule(t)},
	} {
		code, _, stderr := call(t, append([]string{"corpus"}, args...)...)
		assert.Equal(t, exitUsage, code, stderr)
		assert.Contains(t, stderr, want)
	}
	code, _, stderr = call(t, "sweep", "--corpus", "--faults", "kill", "--module", noGuest(t))
	assert.Equal(t, exitUsage, code)
	assert.Contains(t, stderr, "corpus: its seeds reach")
}

func noLedger(t *testing.T) string { return textFile(t, "hello\n") }

func otherModule(t *testing.T) string {
	return textFile(t, `{"module":"beef","flags":"--nodes 0 --duration 20s"}`+"\n")
}

func textFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
	return name
}
