package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// One process plays scenario after scenario, each with its own report and CPU time, until another module is asked for.
func TestWorkersPlayOneAfterTheOther(t *testing.T) {
	t.Setenv(asCommand, "1")
	ws := &workers{}
	s := scenario{seed: 1, nodes: 3, duration: 8 * time.Second, module: noGuest(t), cache: t.TempDir(), wall: time.Minute}
	var pid int
	for seed := range uint64(3) {
		o := ws.play(t.Context(), s.with(seed))
		require.NoError(t, o.err)
		assert.Equal(t, 12, o.code, "members that end at once have crashed: %s", o.output)
		assert.EqualValues(t, seed, o.report.Seed)
		assert.Positive(t, o.cpu)
		assert.Contains(t, string(o.output), "verdict=crash")
		assert.NotEmpty(t, o.log)
		require.Len(t, ws.idle, 1)
		if pid != 0 {
			assert.Equal(t, pid, ws.idle[0].cmd.Process.Pid)
		}
		pid = ws.idle[0].cmd.Process.Pid
	}

	s.module = noGuest(t)
	require.NoError(t, ws.play(t.Context(), s).err)
	require.Len(t, ws.idle, 1)
	assert.NotEqual(t, pid, ws.idle[0].cmd.Process.Pid)
	ws.idle[0].errands = workerErrands - 1
	require.NoError(t, ws.play(t.Context(), s).err)
	assert.Empty(t, ws.idle, "it has made enough of them")
	require.NoError(t, ws.close())
}

// A worker that dies costs the run it is at: that has no report, and the next has another worker.
func TestWorkerThatDies(t *testing.T) {
	t.Setenv(asCommand, "1")
	ws := &workers{}
	s := scenario{seed: 1, nodes: 3, duration: 8 * time.Second, module: noGuest(t), cache: t.TempDir(), wall: time.Minute}
	require.NoError(t, ws.play(t.Context(), s).err)
	require.NoError(t, ws.idle[0].cmd.Process.Kill())
	o := ws.play(t.Context(), s)
	require.ErrorContains(t, o.err, "it left no report")
	assert.Nil(t, o.report)
	require.NoError(t, ws.play(t.Context(), s).err)
	require.NoError(t, ws.close())
}

func TestErrandThatIsNone(t *testing.T) {
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, "worker")
	cmd.Env = append(os.Environ(), asCommand+"=1")
	cmd.Stdin = strings.NewReader("run --seed 1\n")
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	require.ErrorAs(t, err, &ended)
	assert.Equal(t, exitUsage, ended.ExitCode())
	assert.Contains(t, string(out), "errand: ")
}
