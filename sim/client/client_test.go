package client

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen"
	"holdfast/transport"
)

// What the host asks for is what the clients read.
func TestArgs(t *testing.T) {
	cfg := Config{
		Endpoints: []string{"http://10.0.0.1:2379", "http://10.0.0.2:2379"}, Seed: 1<<64 - 1,
		Epoch: time.Unix(0, 1_700_000_000_000_000_001), End: time.Unix(1_700_000_060, 5),
		Workloads: []Workload{{Name: "register", Clients: 4, Keys: 6, PauseNanos: 7}, {Name: "watch", Clients: 2}}, FinalRead: true,
	}
	args := cfg.Args()
	require.Len(t, args, 1)
	assert.NotContains(t, args[0], "+0", "the host's time zone shows")
	got, err := ParseArgs(args)
	require.NoError(t, err)
	cfg.Epoch, cfg.End = cfg.Epoch.UTC(), cfg.End.UTC()
	assert.Equal(t, cfg, got)

	for _, bad := range [][]string{nil, {"a", "b"}, {"{"}, {`{"seed":-1}`}} {
		_, err := ParseArgs(bad)
		assert.Error(t, err, bad)
	}
}

// All workloads work at one time with processes of their own, and one more asks
// every member what they have left; even if nobody ever answers.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		epoch := time.Now()
		cfg := Config{
			Endpoints: []string{"http://m1:2379", "http://m2:2379"}, Seed: 1, Epoch: epoch, End: epoch.Add(300 * time.Millisecond),
			PatientUntil: epoch.Add(time.Second), FinalRead: true,
		}
		for _, w := range All() {
			w.PauseNanos, w.Keys = int64(20*time.Millisecond), 1
			cfg.Workloads = append(cfg.Workloads, w)
		}
		var out bytes.Buffer
		require.NoError(t, Run(transport.NewMemory().Host("c1"), cfg, &out))
		h, err := jepsen.ReadHistory(&out)
		require.NoError(t, err)
		members, processes := map[string]bool{}, map[int]bool{}
		for i := range h {
			if processes[h[i].Process] = true; h[i].Process >= cfg.Clients() {
				require.Equal(t, cfg.Clients(), h[i].Process)
				members[h[i].Member] = true
			}
		}
		assert.Len(t, processes, cfg.Clients()+1)
		assert.Len(t, members, 2)
	})
}

func TestRunRefuses(t *testing.T) {
	now := time.Now()
	network := transport.NewMemory().Host("c1")
	require.Error(t, Run(network, Config{Endpoints: []string{"http://m1:2379"}, Epoch: now, End: now}, io.Discard))
	require.ErrorContains(t, Run(network, Config{
		Endpoints: []string{"http://m1:2379"}, Epoch: now, End: now, Workloads: []Workload{{Name: "leisure", Clients: 1}},
	}, io.Discard), "leisure")
	require.Error(t, Run(network, Config{Epoch: now, End: now, Workloads: []Workload{{Name: "register", Clients: 1}}}, io.Discard))
}
