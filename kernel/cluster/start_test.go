package cluster

import (
	"context"
	"fmt"
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

// A member that comes back is who it was, whatever its flags say now, and
// publishes its new name and addresses under its old id.
func TestComesBack(t *testing.T) {
	nw, dir := transport.NewMemory().Host("n1"), t.TempDir()
	m := start(t, config(t, nw, dir, "n1:2380"))
	put(t, m.Member, "/a", "1")
	status := m.Replica().Status()
	m.end(t)

	cfg := config(t, nw, dir, "n1:2380")
	cfg.Name, cfg.Token, cfg.ClientURLs = "renamed", "another", []string{"http://127.0.0.1:9999"}
	cfg.Initial = []Initial{{"renamed", "http://n1:2380"}, {"n2", "http://n2:2380"}}
	m = start(t, cfg)
	require.Equal(t, status.ID, m.ID())
	require.Equal(t, status.ClusterID, m.Replica().Status().ClusterID)
	put(t, m.Member, "/b", "2")
	eventually(t, "published again", func() bool {
		members, _, _ := m.Replica().Cluster()
		return len(members) == 1 && members[0].ID == status.ID && members[0].Name == "renamed" &&
			members[0].ClientURLs[0] == "http://127.0.0.1:9999"
	})
	m.end(t)

	cfg.Existing = true
	m = start(t, cfg)
	require.Equal(t, status.ID, m.ID(), "nobody is asked")
	put(t, m.Member, "/c", "3")
}

// --history-events sets the length of the ring when the cluster is made; later
// it is told that it does not.
func TestHistoryEvents(t *testing.T) {
	nw, dir := transport.NewMemory().Host("n1"), t.TempDir()
	cfg, logged := single(t, nw, dir)
	cfg.HistoryEvents = 7
	m := start(t, cfg)
	put(t, m.Member, "/a", "1")
	_, _, settings := m.Replica().Cluster()
	require.Equal(t, 7, settings.HistoryEvents)
	m.end(t)
	require.False(t, logged.contain("history-events"), "nothing to be told: the flag is in force")

	cfg, logged = single(t, nw, dir)
	cfg.HistoryEvents = 9
	m = start(t, cfg)
	eventually(t, "told", func() bool {
		return logged.contain("settings: --history-events 9 is not in force: the cluster has 7; a flag only seeds it when the cluster is made")
	})
	_, _, settings = m.Replica().Cluster()
	require.Equal(t, 7, settings.HistoryEvents)
	m.end(t)

	cfg, logged = single(t, nw, dir)
	m = start(t, cfg)
	put(t, m.Member, "/a", "2")
	m.end(t)
	require.False(t, logged.contain("history-events"), "no flag, nothing to be told")
}

// Three members, started in any order, elect a leader and all become known;
// then clients are served: seven commands came before their first, as in etcd.
func TestThreeMembers(t *testing.T) {
	for _, order := range [][]int{{1, 2, 3}, {3, 2, 1}, {2, 3, 1}} {
		t.Run(fmt.Sprint(order), func(t *testing.T) {
			c := newTrio(t)
			members := map[int]*running{}
			for n, i := range order {
				if n == 2 {
					// Two are a quorum: the third comes to a cluster that
					// knows of it, and must be let in all the same.
					eventually(t, "a leader of two", func() bool {
						return members[order[0]].Replica().Status().LeaderID != 0
					})
					eventually(t, "the third in the table", func() bool {
						known, _, _ := members[order[0]].Replica().Cluster()
						return len(known) == 3
					})
				}
				members[i] = c.start(i)
			}
			for i := 1; i <= 3; i++ {
				published(t, members[i], "n1", "n2", "n3")
			}
			require.Equal(t, kernel.StoreIndex(8), put(t, members[1].Member, "/a", "1").Event.Index)
			require.Equal(t, kernel.StoreIndex(9), put(t, members[2].Member, "/a", "2").Event.Index)
			require.Equal(t, kernel.StoreIndex(10), put(t, members[3].Member, "/a", "3").Event.Index)
		})
	}
}

// A member may be closed while it waits for a cluster that never comes.
func TestCloseBeforeLeader(t *testing.T) {
	c := newTrio(t)
	m := c.start(1)
	require.Zero(t, m.Replica().Status().LeaderID)
	m.end(t)
}
