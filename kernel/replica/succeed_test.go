package replica

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
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
			c := newCluster(t, row.members, func(cfg *Config) {
				cfg.ElectionTimeout = 2 * time.Second // nobody's patience ends in this test
				logs[cfg.ID] = new(said)
				cfg.Log = logs[cfg.ID]
			})
			lead := c.leader()
			var heirs []int
			for i := range c.live {
				if i != lead {
					heirs = append(heirs, i)
				}
			}
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
	c := newCluster(t, 3, nil)
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
