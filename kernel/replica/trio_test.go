package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/transport"
)

// limit is how long a test waits for what must come.
const limit = 30 * time.Second

// trio is a cluster of in-process members on an in-memory network, with real
// logs on disk.
type trio struct {
	t      *testing.T
	memory *transport.Memory
	dir    string
	peers  []Peer
	tune   func(*Config)
	live   []*Replica // nil: down
	muxes  []*transport.Mux
}

func newCluster(t *testing.T, n int, tune func(*Config)) *trio {
	c := &trio{t: t, memory: transport.NewMemory(), dir: t.TempDir(), tune: tune, live: make([]*Replica, n), muxes: make([]*transport.Mux, n)}
	for i := range n {
		c.peers = append(c.peers, Peer{ID: uint64(i + 1), Addr: fmt.Sprintf("n%d:2380", i)})
	}
	for i := range n {
		c.start(i)
	}
	t.Cleanup(func() {
		for i := range n {
			c.stop(i)
		}
	})
	c.setUp()
	return c
}

func (c *trio) start(i int) {
	c.t.Helper()
	nw := c.memory.Host(fmt.Sprintf("n%d", i))
	ln, err := nw.Listen(c.peers[i].Addr)
	require.NoError(c.t, err)
	dir := filepath.Join(c.dir, fmt.Sprint(i))
	require.NoError(c.t, os.MkdirAll(dir, 0o700))
	c.muxes[i] = transport.NewMux(ln)
	cfg := Config{
		ID: c.peers[i].ID, ClusterID: 99, Dir: dir, Network: nw, Mux: c.muxes[i], Addr: c.peers[i].Addr, Voters: c.peers,
		ElectionTimeout: 250 * time.Millisecond, Tick: 50 * time.Millisecond,
		Fatal: func(err error) { c.t.Errorf("member %d: fatal: %v", i, err) },
	}
	if c.tune != nil {
		c.tune(&cfg)
	}
	c.live[i], err = Open(cfg)
	require.NoError(c.t, err)
}

func (c *trio) stop(i int) {
	if r := c.live[i]; r != nil {
		c.live[i] = nil
		require.NoError(c.t, r.Close())
		require.NoError(c.t, c.muxes[i].Close())
	}
}

// setUp brings the cluster to where it serves clients.
func (c *trio) setUp() {
	c.t.Helper()
	command, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpClusterVersion, Value: "3.4.0"})
	require.NoError(c.t, err)
	c.eventually("set up", func() bool {
		_, err := c.live[0].ProposeSetup(context.Background(), command)
		return err == nil
	})
	for _, r := range c.live {
		c.eventually("ready", func() bool { return r.ready() == nil })
	}
}

func (c *trio) eventually(what string, f func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for !f() {
		require.True(c.t, time.Now().Before(deadline), "%s: not in time", what)
		time.Sleep(2 * time.Millisecond)
	}
}

// leader gives the index of the member that leads, among those that are up.
func (c *trio) leader() int {
	c.t.Helper()
	found := -1
	c.eventually("a leader", func() bool {
		for i, r := range c.live {
			if r != nil && r.node().State() == raft.Leader {
				found = i
			}
		}
		return found >= 0
	})
	return found
}

func set(path, value string) []byte {
	c, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpSet, Path: path, Value: value})
	if err != nil {
		panic(err)
	}
	return c
}

// put writes until it is acknowledged; what is unknown is written again, with
// the same value.
func (c *trio) put(r *Replica, path, value string) Answer {
	c.t.Helper()
	var answer Answer
	c.eventually("a write", func() bool {
		a, err := r.Propose(context.Background(), set(path, value))
		if err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrNotReady) {
			require.ErrorIs(c.t, err, ErrNoLeader)
		}
		answer = a
		return err == nil
	})
	require.Nil(c.t, answer.Err)
	return answer
}

func value(v View, path string) string {
	n, refused := v.Get(path)
	if refused != nil {
		return "refused: " + refused.Error()
	}
	return n.Value
}
