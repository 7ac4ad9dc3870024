package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/urfave/cli/v3"
)

// optionsOf parses an agent's command line without running the agent.
func optionsOf(t *testing.T, args ...string) agentOptions {
	t.Helper()
	var options agentOptions
	app := newApp(nil, io.Discard, io.Discard)
	agent := app.Command("agent")
	agent.Action = func(_ context.Context, cmd *cli.Command) (err error) {
		options, err = parseAgentOptions(cmd)
		return err
	}
	require.NoError(t, app.Run(context.Background(), append([]string{"holdfast", "agent"}, args...)))
	return options
}

// Without flags the agent is a complete single member on loopback.
func TestAgentDefaults(t *testing.T) {
	assert.Equal(t, agentOptions{
		Name: "default", DataDir: "holdfast.data",
		ListenClientURLs: []string{"http://127.0.0.1:2379"}, AdvertiseClientURLs: []string{"http://127.0.0.1:2379"},
		ListenPeerURL: "http://127.0.0.1:2380", InitialAdvertisePeerURL: "http://127.0.0.1:2380",
		ListenOpsURLs:       []string{"http://127.0.0.1:4200"},
		InitialClusterState: "new", InitialClusterToken: "holdfast-cluster",
		HeartbeatInterval: 100 * time.Millisecond, ElectionTimeout: 500 * time.Millisecond,
		SnapshotCount: 100_000,
	}, optionsOf(t))
}

// Every flag arrives, with one dash or two; advertised addresses follow the
// listened ones unless they are given.
func TestAgentFlags(t *testing.T) {
	assert.Equal(t, agentOptions{
		Name: "n1", DataDir: "d",
		ListenClientURLs:    []string{"http://0.0.0.0:1", "http://[::1]:2"},
		AdvertiseClientURLs: []string{"http://node1.example.org:1"},
		ListenPeerURL:       "http://10.0.0.1:3", InitialAdvertisePeerURL: "http://10.0.0.1:3",
		ListenOpsURLs:       []string{"http://localhost:4"},
		InitialCluster:      []initialMember{{"n2", "http://10.0.0.2:3"}, {"n1", "http://10.0.0.1:3"}},
		InitialClusterState: "existing", InitialClusterToken: "t",
		HeartbeatInterval: 20 * time.Millisecond, ElectionTimeout: 200 * time.Millisecond,
		SnapshotCount: 1000, HistoryEvents: 5,
	}, optionsOf(t, "-name", "n1", "--data-dir=d", "-listen-client-urls=http://0.0.0.0:1/, http://[::1]:2",
		"--advertise-client-urls", "http://node1.example.org:1", "--listen-peer-urls", "http://10.0.0.1:3",
		"--listen-ops-urls", "http://localhost:4", "--initial-cluster", "n2=http://10.0.0.2:3,n1=http://10.0.0.1:3",
		"--initial-cluster-state", "existing", "--initial-cluster-token", "t", "--heartbeat-interval", "20",
		"--election-timeout", "200", "--snapshot-count", "1000", "--history-events", "5"))
}

// The command line wins over the environment, the environment over the file,
// the file over defaults; a list in the file is a list.
func TestAgentSources(t *testing.T) {
	file := filepath.Join(t.TempDir(), "holdfast.yaml")
	require.NoError(t, os.WriteFile(file, []byte("name: file\ndata-dir: file\nheartbeat-interval: 50\n"+
		"initial-cluster-token: file\nlisten-client-urls:\n  - http://127.0.0.1:1\n  - http://127.0.0.1:2\n"), 0o600))
	t.Setenv("HOLDFAST_NAME", "environment")
	t.Setenv("HOLDFAST_DATA_DIR", "environment")
	options := optionsOf(t, "--config", file, "--name", "flag")
	assert.Equal(t, "flag", options.Name)
	assert.Equal(t, "environment", options.DataDir)
	assert.Equal(t, "file", options.InitialClusterToken)
	assert.Equal(t, 50*time.Millisecond, options.HeartbeatInterval)
	assert.Equal(t, []string{"http://127.0.0.1:1", "http://127.0.0.1:2"}, options.ListenClientURLs)
	assert.Equal(t, 500*time.Millisecond, options.ElectionTimeout)
}
