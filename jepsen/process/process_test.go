package process_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen/process"
)

func put(t *testing.T, m *process.Member, key, value string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPut, m.ClientURL+"/v2/keys"+key, strings.NewReader(url.Values{"value": {value}}.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Less(t, resp.StatusCode, 300)
}

// settled returns who leads and a follower that was found under that leader: a
// member that has just come back may stand for election at once, so whoever led
// before its start need not lead after it.
func settled(ctx context.Context, t *testing.T, c *process.Cluster) (leader, follower *process.Member) {
	t.Helper()
	for {
		before, err := c.Leader(ctx)
		require.NoError(t, err)
		follower, err = c.Follower(ctx)
		require.NoError(t, err)
		after, err := c.Leader(ctx)
		require.NoError(t, err)
		if before == after {
			return after, follower
		}
	}
}

// A member keeps its data and its addresses over kill and restart; a cluster
// of three finds another leader when the first is killed.
func TestKillAndRestart(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := process.TestCluster(t, process.TestEtcd(t), 3)
	leader, err := c.Leader(ctx)
	require.NoError(t, err)
	put(t, leader, "/a", "1")
	assert.DirExists(t, fmt.Sprintf("/proc/%d", leader.PID()))
	require.NoError(t, leader.Kill())
	assert.False(t, leader.Running())
	assert.Zero(t, leader.PID())
	assert.ErrorIs(t, leader.Kill(), process.ErrNotRunning)

	next, err := c.Leader(ctx)
	require.NoError(t, err)
	assert.NotSame(t, leader, next)
	put(t, next, "/b", "2")

	require.NoError(t, leader.Start())
	require.NoError(t, leader.WaitReady(ctx))
	assert.Error(t, leader.Start(), "one process a member")
	leads, follower := settled(ctx, t, c)
	assert.NotEqual(t, leads.Name, follower.Name)
	assert.True(t, follower.Running())
	resp, err := http.Get(leader.ClientURL + "/v2/keys/b?quorum=true")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, leader.Stop())
}

// A daemon that ends at once is reported at once, with what it wrote.
func TestFailureShowsTheLog(t *testing.T) {
	script := filepath.Join(t.TempDir(), "daemon")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho data directory is on fire >&2\nexit 3\n"), 0o755))
	_, err := process.StartSingle(context.Background(), process.Holdfast(script), t.TempDir())
	require.Error(t, err)
	assert.Contains(t, err.Error(), "on fire")
	assert.Contains(t, err.Error(), "exit status 3")
}

// A daemon that never gets ready is given up when the context ends, and not
// left running.
func TestNeverReady(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "daemon")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\necho $$ >"+dir+"/pid\nexec sleep 600\n"), 0o755))
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	_, err := process.StartSingle(ctx, process.Holdfast(script), t.TempDir())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	pid, err := os.ReadFile(filepath.Join(dir, "pid"))
	require.NoError(t, err)
	_, err = os.Stat("/proc/" + strings.TrimSpace(string(pid)))
	assert.True(t, errors.Is(err, os.ErrNotExist), "the process is gone")
}

// Programs are told apart by their name, and a missing one says what to do.
func TestFromPath(t *testing.T) {
	_, err := process.FromPath("no/such/daemon")
	require.Error(t, err)
	assert.Contains(t, err.Error(), "make build")
	p, err := process.FromPath(process.TestEtcd(t).Path)
	require.NoError(t, err)
	assert.Equal(t, "etcd", p.Title)
	assert.False(t, p.V3)

	newer := filepath.Join(t.TempDir(), "etcd36")
	require.NoError(t, os.WriteFile(newer, []byte("#!/bin/sh\n"), 0o755))
	p, err = process.FromPath(newer)
	require.NoError(t, err)
	assert.Equal(t, process.Program{Title: "etcd 3.6", Path: newer, V3: true}, p)
}
