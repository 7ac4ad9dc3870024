package replica

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/transport"
)

// said keeps what a member logs.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.b.String(), text)
}

const (
	stands   = "standing for election"
	timedOut = "heartbeat timeout reached"
)

// When the leader's process has ended the first voter by id that is left stands
// for election at once, and nobody waits for a timeout; if that one is gone as
// well, the next does.
func TestSuccession(t *testing.T) {
	for _, row := range []struct {
		name    string
		members int
		down    int // of those that would be first
	}{{"of three", 3, 0}, {"of five, the first heir is gone too", 5, 1}} {
		t.Run(row.name, func(t *testing.T) {
			logs := map[uint64]*said{}
			c := newCluster(t, row.members, patient(logs))
			lead := c.leader()
			heirs := c.heirs(lead)
			for _, i := range heirs[:row.down] {
				c.stop(i)
			}
			next := heirs[row.down]
			for _, l := range logs { // the first election was one of patience
				l.mu.Lock()
				l.b.Reset()
				l.mu.Unlock()
			}
			c.stop(lead)
			c.eventually("the heir leads", func() bool { return c.live[next].node().State() == raft.Leader })
			require.True(t, logs[c.peers[next].ID].has(stands))
			for id, l := range logs {
				require.False(t, l.has(timedOut), "member %d", id)
			}
			c.put(c.live[next], "/k", "v")
		})
	}
}

// A leader that only closed a connection is left alone, and so is one that
// does not follow.
func TestNoSuccessionWhileTheLeaderListens(t *testing.T) {
	c := newCluster(t, 3, patient(map[uint64]*said{}))
	lead := c.leader()
	term := c.live[lead].node().CurrentTerm()
	for i, r := range c.live {
		r.connectionEnded(serverID(c.peers[lead].ID))
		r.connectionEnded(serverID(c.peers[(i+1)%3].ID))
		c.eventually("looked", func() bool { return !r.succeeding.Load() })
	}
	c.put(c.live[(lead+1)%3], "/k", "v")
	require.Equal(t, lead, c.leader())
	require.Equal(t, term, c.live[lead].node().CurrentTerm())
}

// heirs gives those of the cluster that do not lead, in the order of their ids.
func (c *trio) heirs(lead int) (list []int) {
	for i := range c.live {
		if i != lead {
			list = append(list, i)
		}
	}
	return list
}

// patient makes nobody's patience end in a test, and keeps what members say.
func patient(logs map[uint64]*said) func(*Config) {
	return func(cfg *Config) {
		cfg.ElectionTimeout = 2 * time.Second
		logs[cfg.ID] = new(said)
		cfg.Log = logs[cfg.ID]
	}
}

// An heir that is slow when the one before it is elected does not depose it.
func TestSlowHeirLeavesTheNewLeaderAlone(t *testing.T) {
	c := newCluster(t, 3, patient(map[uint64]*said{}))
	lead := c.leader()
	heirs := c.heirs(lead)
	first, second := c.live[heirs[0]], c.live[heirs[1]]
	asked := make(chan struct{})
	var once sync.Once
	second.node().RegisterObserver(raft.NewObserver(nil, false, func(o *raft.Observation) bool {
		if _, ok := o.Data.(raft.RequestVoteRequest); ok {
			once.Do(func() {
				close(asked)
				// A sync that takes longer than a turn, and is done well before
				// the candidate gives the vote up (raftrpc.DefaultVoteTimeout).
				time.Sleep(second.cfg.ElectionTimeout / turnsPerElection * 5 / 4)
			})
		}
		return false
	}))
	c.stop(lead)
	<-asked
	c.eventually("elected", func() bool { return first.node().State() == raft.Leader })
	term := first.node().CurrentTerm()
	c.eventually("the second heir is done", func() bool { return !second.succeeding.Load() })
	c.put(second, "/k", "v")
	require.Equal(t, raft.Leader, first.node().State())
	require.Equal(t, term, first.node().CurrentTerm())
}

// An heir whose log may be behind stands in vain; then the next is elected in its
// own turn. Nobody waits for a timeout.
func TestHeirWhoseLogIsBehind(t *testing.T) {
	logs := map[uint64]*said{}
	c := newCluster(t, 3, patient(logs))
	lead := c.leader()
	heirs := c.heirs(lead)
	c.memory.Cut(fmt.Sprintf("n%d", lead), fmt.Sprintf("n%d", heirs[0]))
	c.put(c.live[lead], "/k", "v")
	for _, l := range logs {
		l.mu.Lock()
		l.b.Reset()
		l.mu.Unlock()
	}
	c.stop(lead)
	c.memory.HealAll() // what was under way may arrive, or not
	next := c.leader()
	require.True(t, logs[c.peers[next].ID].has(stands))
	for _, i := range heirs {
		require.False(t, logs[c.peers[i].ID].has(timedOut), "member %d", i)
	}
}

// unreachable is a network on which calls to one address have no answer.
type unreachable struct {
	transport.Network
	addr *atomic.Pointer[string]
}

func (n unreachable) Dial(ctx context.Context, addr string) (net.Conn, error) {
	if a := n.addr.Load(); a != nil && *a == addr {
		return nil, errors.New("no route to host")
	}
	return n.Network.Dial(ctx, addr)
}

// No answer to a call does not say that the leader has ended.
func TestNoSuccessionWithoutARefusal(t *testing.T) {
	var addr atomic.Pointer[string]
	c := newCluster(t, 3, func(cfg *Config) {
		patient(map[uint64]*said{})(cfg)
		cfg.Network = unreachable{cfg.Network, &addr}
	})
	lead := c.leader()
	term := c.live[lead].node().CurrentTerm()
	addr.Store(&c.peers[lead].Addr)
	for _, i := range c.heirs(lead) {
		c.live[i].connectionEnded(serverID(c.peers[lead].ID))
		c.eventually("looked", func() bool { return !c.live[i].succeeding.Load() })
	}
	addr.Store(nil)
	c.put(c.live[lead], "/k", "v")
	require.Equal(t, term, c.live[lead].node().CurrentTerm())
}
