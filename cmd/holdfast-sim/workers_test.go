package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/sim"
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
	ws.close()
}

// A worker that dies costs the run it is at, if any: the next has another worker.
func TestWorkerThatDies(t *testing.T) {
	t.Setenv(asCommand, "1")
	ws := &workers{}
	defer ws.close()
	s := scenario{seed: 1, nodes: 3, duration: 8 * time.Second, module: noGuest(t), cache: t.TempDir(), wall: time.Minute}
	die := func() {
		require.Len(t, ws.idle, 1)
		require.NoError(t, ws.idle[0].cmd.Process.Kill())
		_, err := ws.idle[0].cmd.Process.Wait()
		require.NoError(t, err)
	}
	require.NoError(t, ws.play(t.Context(), s).err)
	die()
	o := ws.play(t.Context(), s)
	require.NoError(t, o.err, "it was idle")
	assert.Equal(t, 12, o.code)
	die()
	s.module = noGuest(t)
	require.NoError(t, ws.play(t.Context(), s).err, "it had another module")
	require.Len(t, ws.idle, 1)

	ws.idle[0].stdin.Close() // it ends with its input, before the errand comes
	ws.idle[0].errands = 0
	o = ws.play(t.Context(), s)
	require.ErrorContains(t, o.err, "it left no report")
	assert.Nil(t, o.report)
	assert.Empty(t, ws.idle)
}

// endlessGuest is WebAssembly that computes for ever without calling the host.
func endlessGuest(t *testing.T) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "endless.wasm")
	require.NoError(t, os.WriteFile(name, []byte("\x00asm\x01\x00\x00\x00"+
		"\x01\x04\x01\x60\x00\x00"+ // one type: no parameters, no results
		"\x03\x02\x01\x00"+ // one function of it
		"\x07\x0a\x01\x06_start\x00\x00"+ // which is the start
		"\x0a\x09\x01\x07\x00\x03\x40\x0c\x00\x0b\x0b"), 0o600)) // loop br 0 end
	return name
}

// A guest that never comes back ends with the limit all the same, as a verdict.
func TestGuestThatNeverComesBack(t *testing.T) {
	t.Setenv(asCommand, "1")
	defer func(was time.Duration) { answerSlack = was }(answerSlack)
	answerSlack = time.Second
	ws := &workers{}
	defer ws.close()
	s := scenario{seed: 1, nodes: 3, duration: 8 * time.Second, module: endlessGuest(t), cache: t.TempDir(), wall: time.Second}
	o := ws.play(t.Context(), s)
	require.NoError(t, o.err)
	assert.Equal(t, sim.VerdictTimeout, o.verdict())
	assert.Contains(t, o.detail(), "computes without end")
	assert.Empty(t, ws.idle)
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
