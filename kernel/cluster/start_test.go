package cluster

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/kernel/replica"
	"holdfast/transport"
)

func config(t *testing.T, nw transport.Network, dir, addr string) Config {
	return Config{
		Name: "default", DataDir: dir, Network: nw, ListenPeer: addr, PeerURL: "http://" + addr,
		ClientURLs: []string{"http://127.0.0.1:2379"}, Token: "t",
		Fatal: func(err error) { t.Errorf("fatal: %v", err) }, Log: os.Stderr,
	}
}

func put(t *testing.T, m *Member, path, value string) replica.Answer {
	t.Helper()
	c, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpSet, Path: path, Value: value})
	require.NoError(t, err)
	deadline := time.Now().Add(20 * time.Second)
	for {
		a, err := m.Replica().Propose(context.Background(), c)
		if err == nil {
			return a
		}
		require.ErrorIs(t, err, replica.ErrNotReady)
		require.True(t, time.Now().Before(deadline), "not ready in time")
		time.Sleep(5 * time.Millisecond)
	}
}

// A fresh single member gives a client's first write index 4, and a restarted
// one has everything it answered.
func TestSingleMember(t *testing.T) {
	nw := transport.NewMemory().Host("n1")
	dir := filepath.Join(t.TempDir(), "data")
	m, err := Start(context.Background(), config(t, nw, dir, "n1:2380"))
	require.NoError(t, err)
	begin := time.Now()
	require.Equal(t, kernel.StoreIndex(4), put(t, m, "/a", "1").Event.Index)
	t.Logf("start to first write: %v", time.Since(begin))
	begin = time.Now()
	for range 200 {
		put(t, m, "/a", "2")
	}
	t.Logf("a write: %v", time.Since(begin)/200)
	require.NoError(t, m.Close())

	m, err = Start(context.Background(), config(t, nw, dir, "n1:2380"))
	require.NoError(t, err)
	a := put(t, m, "/b", "3")
	require.Equal(t, kernel.StoreIndex(205), a.Event.Index)
	v, err := m.Replica().Linearizable(context.Background())
	require.NoError(t, err)
	n, refused := v.Get("/a")
	require.Nil(t, refused)
	require.Equal(t, "2", n.Value)
	require.NoError(t, m.Close())
}
