package sim

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"holdfast/sim/disk"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// toy is the test guest, built once; cacheDir keeps it compiled.
var (
	toy      []byte
	cacheDir string
)

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "holdfast-sim-test")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		cacheDir = filepath.Join(dir, "cache")
		path := filepath.Join(dir, "toy.wasm")
		err = BuildGuest(context.Background(), Build{Package: "holdfast/sim/internal/toy", Out: path})
		if err == nil {
			toy, err = os.ReadFile(path)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		code := m.Run()
		if err := goleak.Find(); code == 0 && err != nil {
			fmt.Fprintln(os.Stderr, "goroutines left behind:", err)
			code = 1
		}
		return code
	}())
}

// play is a world of toys under test.
type play struct {
	*world
	t      *testing.T
	output bytes.Buffer
}

// newPlay makes one machine per argument list; the i-th has the address 10.0.0.i+1.
func newPlay(t *testing.T, seed uint64, tr *trace, parts ...[]string) *play {
	t.Helper()
	p := &play{t: t}
	o := &Options{Seed: seed, Nodes: 3, Duration: MinDuration, Module: toy, CacheDir: cacheDir, Logs: &p.output}
	w, err := newWorld(t.Context(), o, Derive(*o), tr)
	require.NoError(t, err)
	p.world = w
	for i, args := range parts {
		w.add(&machine{
			name: memberName(i), ip: fmt.Sprintf("10.0.0.%d", i+1), args: args, disk: disk.New(), endsItself: true,
		})
	}
	w.net = newNetwork(w, len(parts))
	return p
}

func (p *play) start(machines ...int) {
	for _, i := range machines {
		p.machines[i].start()
	}
}

// until lets virtual time pass.
func (p *play) until(d time.Duration) {
	require.NoError(p.t, p.run(int64(d), func() bool { return false }))
}

func (p *play) end() {
	require.NoError(p.t, p.close())
	require.NoError(p.t, p.trace.close())
}

func plain() *trace { return newTrace(nil, nil, nil) }

// Every part of a process that ends by itself must end well; those in the background stay.
func TestParts(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, parts := range map[string][][]string{
		"bulk through a window":     {{"echo", ":7"}, {"bulk", "10.0.0.1:7"}},
		"a peer that never reads":   {{"hold", ":7"}, {"silence", "10.0.0.1:7"}},
		"nobody listens":            {{"echo", ":7"}, {"refused", "10.0.0.1:8"}},
		"deadlines and closing":     {{"echo", "10.0.0.1:7"}, {"deadline", "10.0.0.1:7"}},
		"package os":                {{"echo", ":7"}, {"files"}},
		"timers":                    {{"echo", ":7"}, {"sleepers"}},
		"fasthttp":                  {{"serve", ":80"}, {"get", "10.0.0.1:80", "10.0.0.2"}},
		"a limit on sockets":        {{"hold", ":7"}, {"flood", "10.0.0.1:7"}},
		"a machine talks to itself": {{"echo", ":7"}, {"refused", "127.0.0.1:7"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlay(t, 7, plain(), parts...)
			p.start(0)
			p.until(100 * time.Millisecond)
			p.start(1)
			p.until(100 * time.Second)
			assert.Nil(t, p.machines[1].proc, "it has not ended")
			assert.NotNil(t, p.machines[0].proc)
			assert.Empty(t, p.crashes)
			assert.NotContains(t, p.output.String(), "FAILED")
			p.end()
		})
	}
}

// A killed process loses its memory and keeps its files; its peers see a reset, and come back after the restart.
func TestKillAndRestart(t *testing.T) {
	defer goleak.VerifyNone(t)
	p := newPlay(t, 3, plain(), []string{"count"}, []string{"echo", ":7"}, []string{"ping", "10.0.0.2:7", "6s"})
	p.start(0, 1, 2)
	for life := range 3 {
		p.until(time.Duration(1+life) * time.Second)
		for _, m := range p.machines[:2] {
			m.doom(int64(life)*3, nil)
		}
		p.until(time.Duration(1+life)*time.Second + 500*time.Millisecond)
		assert.Nil(t, p.machines[0].proc)
		assert.Nil(t, p.machines[1].proc)
		p.start(0, 1)
	}
	p.until(10 * time.Second)
	for _, want := range []string{"life 0", "life 1", "life 2", "life 3", "pinged rounds=true breaks=true"} {
		assert.Contains(t, p.output.String(), want)
	}
	assert.Empty(t, p.crashes)
	p.end()
}

// A cut link is silent, and mended delivers what it held up: no byte of an open connection is lost or doubled.
func TestPartition(t *testing.T) {
	p := newPlay(t, 3, plain(), []string{"echo", ":7"}, []string{"bulk", "10.0.0.1:7"})
	p.start(0)
	p.until(50 * time.Millisecond)
	p.start(1)
	p.until(60 * time.Millisecond)
	p.net.setCut(0, 1, true)
	p.until(20 * time.Second)
	assert.NotNil(t, p.machines[1].proc, "it has ended across the cut")
	p.net.setCut(0, 1, false)
	p.until(30 * time.Second)
	assert.Nil(t, p.machines[1].proc)
	assert.Empty(t, p.crashes)
	p.end()
}

// A process that ends with an error is a crash, with its status.
func TestCrashIsNoted(t *testing.T) {
	p := newPlay(t, 3, plain(), []string{"exit"})
	p.start(0)
	p.until(time.Second)
	assert.Equal(t, []string{"m1: exit status 3"}, p.crashes)
	p.end()
}

// playMixed is a run with something of everything, held against an earlier one if given.
func playMixed(t *testing.T, seed uint64, log *bytes.Buffer, against *Trace, leak func(int, uint64) int64) *trace {
	var tr *trace
	if log != nil {
		tr = newTrace(log, &Trace{}, against)
	} else {
		tr = newTrace(nil, &Trace{}, against)
	}
	p := newPlay(t, seed, tr, []string{"echo", ":7"}, []string{"ping", "10.0.0.1:7", "3s"}, []string{"sleepers"}, []string{"count"})
	p.leak = leak
	p.start(0, 1, 2, 3)
	p.until(time.Second)
	p.machines[0].doom(5, nil)
	p.machines[3].doom(0, nil)
	p.until(1500 * time.Millisecond)
	p.start(0, 3)
	p.until(4 * time.Second)
	assert.Empty(t, p.crashes)
	p.end()
	return tr
}

// The same seed runs the same, step by step; another seed does not.
func TestSameSeedSameSteps(t *testing.T) {
	var logs [2]bytes.Buffer
	first := playMixed(t, 11, &logs[0], nil, nil)
	second := playMixed(t, 11, &logs[1], first.record, nil)
	assert.Nil(t, second.diverged)
	assert.Equal(t, first.hash, second.hash)
	assert.Equal(t, first.count, second.count)
	assert.True(t, bytes.Equal(logs[0].Bytes(), logs[1].Bytes()), "the hash logs differ")
	assert.Greater(t, first.count, uint64(1000))
	assert.NotEqual(t, first.hash, playMixed(t, 12, nil, nil, nil).hash)
}

// One reading of one clock that is off by some real nanoseconds is caught, and the step is named.
func TestLeakOfRealTimeIsCaught(t *testing.T) {
	first := playMixed(t, 11, nil, nil, nil)
	const victim, reading = 1, 300
	began := time.Now()
	var leaked int64
	second := playMixed(t, 11, nil, first.record, func(machine int, n uint64) int64 {
		if machine != victim || n != reading {
			return 0
		}
		leaked = int64(time.Since(began))%1000 + 1
		return leaked
	})
	require.NotZero(t, leaked)
	require.NotNil(t, second.diverged)
	assert.Equal(t, memberName(victim), second.diverged.Process)
	assert.Contains(t, second.diverged.Call, "clock")
	assert.NotEqual(t, first.hash, second.hash)
}
