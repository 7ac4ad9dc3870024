package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

// Exit codes and the form of errors.
func TestCalledWrongly(t *testing.T) {
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "x"), nil, 0o644))
	etcd := process.TestEtcd(t).Path
	for _, c := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", nil, exitUsage, "no command given"},
		{"unknown command", []string{"kil"}, exitUsage, `"kil"`},
		{"unknown flag", []string{"kill", "--king", "1"}, exitUsage, "king"},
		{"not a number", []string{"kill", "--kills", "ten"}, exitUsage, "ten"},
		{"argument", []string{"kill", "all"}, exitUsage, `"all"`},
		{"count", []string{"kill", "--members", "2"}, exitUsage, "out of range"},
		{"no daemon", []string{"kill", "--bin", "no/such/file"}, exitFailed, "make build"},
		{"no axis", []string{"curves", "--only", "keys,time"}, exitUsage, `"time" is no axis: keys, connections`},
		{"curves of nothing", []string{"curves", "--bin", "no/such/file"}, exitFailed, "make build"},
		{"park nothing", []string{"park", "http://127.0.0.1:1", "0"}, exitUsage, "ENDPOINT FIRST COUNT"},
		{"park nowhere", []string{"park", "http://127.0.0.1:1", "0", "1"}, exitFailed, "refused"},
		{"too short a soak", []string{"soak", "--for", "1s"}, exitUsage, "at least 5s"},
		{"the most of a soak", []string{"soak", "--load", "1"}, exitUsage, "a share between 0 and 1"},
		{"soak of etcd", []string{"soak", "--bin", etcd}, exitUsage, "shows no metrics"},
		{"no such row", []string{"hostile", "--row", "kindness"}, exitUsage, "no row has that in its name"},
		{"used directory", []string{"kill", "--bin", etcd, "--dir", full}, exitFailed, "not empty"},
		{"versus: argument", []string{"versus", "etcd"}, exitUsage, `"etcd"`},
		{"versus: part", []string{"versus", "--only", "halt"}, exitUsage, `"halt"`},
		{"versus: count", []string{"versus", "--rounds", "0"}, exitUsage, "out of range"},
		{"versus: no etcd 3.6", []string{"versus", "--bin", etcd, "--against", "no/such/file"}, exitFailed, "make etcd36"},
		{"floors: row", []string{"floors", "--bin", etcd, "--only", "DELETE"}, exitUsage, `"DELETE"`},
		{"floors: slices", []string{"floors", "--bin", etcd, "--slices", "0"}, exitUsage, "out of range"},
		{"floors: no etcd", []string{"floors", "--bin", etcd, "--against", "no/such/file"}, exitFailed, "apt-get install etcd-server"},
		{"floors: argument", []string{"floors", "all"}, exitUsage, `"all"`},
		{"steady: time", []string{"steady", "--bin", etcd, "--for", "2h"}, exitUsage, "2h0m0s"},
		{"versus: used directory", []string{"versus", "--bin", etcd, "--against", etcd, "--dir", full}, exitFailed, "not empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(t.Context(), append([]string{"holdfast-jepsen"}, c.args...), &out, &errs)
			assert.Equal(t, c.code, code, errs.String())
			assert.Contains(t, errs.String(), c.want)
			assert.NotContains(t, out.String(), "confirmed")
		})
	}
}

// A small run from the command line, on etcd.
func TestKill(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"holdfast-jepsen", "kill", "--bin", process.TestEtcd(t).Path, "--dir", dir, "--kills", "1", "--writes", "30", "--writers", "2"}, &out, &errs)
	require.Equal(t, exitKept, code, errs.String())
	assert.Contains(t, out.String(), "leader killed  1 times")
	assert.Contains(t, out.String(), "planted faults were all refused")
	journal, err := os.Stat(filepath.Join(dir, "journal.jsonl"))
	require.NoError(t, err)
	assert.Positive(t, journal.Size())
}

// What could not be measured does not hold: the table says so, and the exit code.
func TestVersusNotHeld(t *testing.T) {
	daemon := filepath.Join(t.TempDir(), "etcd36")
	require.NoError(t, os.WriteFile(daemon, []byte("#!/bin/sh\nexit 3\n"), 0o755))
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"holdfast-jepsen", "versus", "--bin", process.TestEtcd(t).Path, "--against", daemon, "--dir", t.TempDir(), "--only", "start", "--rounds", "1"}, &out, &errs)
	assert.Equal(t, exitFailed, code)
	assert.Contains(t, out.String(), "DOES NOT HOLD")
	assert.Contains(t, errs.String(), "exit status 3")
}
