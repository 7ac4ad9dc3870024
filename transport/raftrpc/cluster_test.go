//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/transport"
)

// This file runs hashicorp/raft itself on the transport.

// listMachine is a state machine that remembers what it was told, in order.
type listMachine struct {
	mu sync.Mutex
	machineState
}

type machineState struct {
	Index uint64
	List  []string
}

func (m *listMachine) state() machineState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return machineState{m.Index, slices.Clone(m.List)}
}

// reset forgets everything, as a restart does.
func (m *listMachine) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.machineState = machineState{}
}

func (m *listMachine) applied() uint64 { return m.state().Index }

func (m *listMachine) Apply(l *raft.Log) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Index = l.Index
	m.List = append(m.List, string(l.Data))
	return nil
}

// StoreConfiguration keeps the index in step with entries that are not commands.
func (m *listMachine) StoreConfiguration(index uint64, _ raft.Configuration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Index = index
}

func (m *listMachine) Snapshot() (raft.FSMSnapshot, error) {
	s := m.state()
	return &s, nil
}

func (m *listMachine) Restore(r io.ReadCloser) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.machineState = machineState{}
	return json.NewDecoder(r).Decode(&m.machineState)
}

func (s *machineState) Persist(sink raft.SnapshotSink) error {
	if err := json.NewEncoder(sink).Encode(s); err != nil {
		return err
	}
	return sink.Close()
}

func (s *machineState) Release() {}

// monotonicStore is a log store that keeps no gaps, as the daemon's.
type monotonicStore struct{ *raft.InmemStore }

func (monotonicStore) IsMonotonic() bool { return true }

// member is a server with a raft of its own.
type member struct {
	id      string
	t       *Transport
	machine *listMachine
	store   monotonicStore
	snaps   *raft.InmemSnapshotStore
	raft    *raft.Raft
}

// newMember prepares a member; change may alter its transport's configuration.
func newMember(t *testing.T, network *transport.Memory, id string, change func(*Config)) *member {
	t.Helper()
	m := &member{id: id, machine: &listMachine{}, store: monotonicStore{raft.NewInmemStore()}, snaps: raft.NewInmemSnapshotStore()}
	m.t = newTransport(t, network, id, func(c *Config) {
		c.AppliedIndex = m.machine.applied
		if change != nil {
			change(c)
		}
	})
	t.Cleanup(m.stop)
	return m
}

func (m *member) config() *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(m.id)
	c.Logger = hclog.NewNullLogger()
	c.MaxAppendEntries = 16
	c.TrailingLogs = 1
	c.SnapshotThreshold = 1 << 40 // only when asked to
	return c
}

func (m *member) start(t *testing.T) {
	t.Helper()
	r, err := raft.NewRaft(m.config(), m.machine, m.store, m.store, m.snaps, m.t.Raft())
	require.NoError(t, err)
	m.raft = r
}

func (m *member) stop() {
	if m.raft != nil {
		m.t.Retire()
		_ = m.raft.Shutdown().Error()
		m.raft = nil
	}
}

// cluster is three members of one membership.
type cluster struct {
	network *transport.Memory
	members []*member
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{network: transport.NewMemory()}
	var membership raft.Configuration
	for i := range 3 {
		id := fmt.Sprintf("s%d", i+1)
		membership.Servers = append(membership.Servers, raft.Server{ID: raft.ServerID(id), Address: raft.ServerAddress(id + ":2380")})
		c.members = append(c.members, newMember(t, c.network, id, nil))
	}
	for _, m := range c.members {
		m.start(t)
	}
	require.NoError(t, c.members[0].raft.BootstrapCluster(membership).Error())
	return c
}

// eventually waits, in the bubble's time, until condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

// leader waits for a leader among the members other than without.
func (c *cluster) leader(t *testing.T, without *member) *member {
	t.Helper()
	var found *member
	eventually(t, "a leader", func() bool {
		i := slices.IndexFunc(c.members, func(m *member) bool {
			return m != without && m.raft.State() == raft.Leader && m.raft.VerifyLeader().Error() == nil
		})
		if i >= 0 {
			found = c.members[i]
		}
		return found != nil
	})
	return found
}

func (c *cluster) followers(leader *member) []*member {
	return slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return m == leader })
}

func (m *member) apply(t *testing.T, commands ...string) {
	t.Helper()
	var last raft.ApplyFuture
	for _, s := range commands {
		last = m.raft.Apply([]byte(s), 0)
	}
	require.NoError(t, last.Error())
}

// agrees waits until all members applied the same, ending in last.
func (c *cluster) agrees(t *testing.T, last string) {
	t.Helper()
	eventually(t, "all members to have applied "+last[:min(10, len(last))], func() bool {
		first := c.members[0].machine.state().List
		return len(first) > 0 && first[len(first)-1] == last && !slices.ContainsFunc(c.members, func(m *member) bool {
			return !slices.Equal(first, m.machine.state().List)
		})
	})
}

// Election, replication, a leader cut off and back, a transfer of leadership.
func TestClusterElectsAndReplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		first := c.leader(t, nil)
		first.apply(t, "a", "b", "c")
		c.agrees(t, "c")

		for _, f := range c.followers(first) {
			c.network.Cut(first.id, f.id)
		}
		second := c.leader(t, first)
		second.apply(t, "d")
		lost := first.raft.Apply([]byte("lost"), 0)
		require.Error(t, lost.Error())
		c.network.HealAll()
		c.agrees(t, "d")

		third := c.followers(second)[0]
		require.NoError(t, second.raft.LeadershipTransferToServer(raft.ServerID(third.id), raft.ServerAddress(third.id+":2380")).Error())
		eventually(t, third.id+" to lead", func() bool { return third.raft.State() == raft.Leader })
		third.apply(t, "e")
		c.agrees(t, "e")

		peers := third.t.PeerStats()
		require.Len(t, peers, 2)
		for _, p := range peers {
			require.NotZero(t, p.Success)
		}
		for _, m := range c.members {
			f := m.t.Stats().Faults
			require.Zero(t, f.BadFrames+f.Misdirected+f.StaleInstalls+f.Refused, m.id)
		}
	})
}

// Confirmations numbered after Started come from a quorum while the leader is
// one, and from nobody once it is cut off.
func TestClusterConfirmsReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		leader := c.leader(t, nil)
		leader.apply(t, "a")
		var mu sync.Mutex
		newest := map[raft.ServerID]uint64{}
		leader.t.OnConfirmed(func(peer raft.ServerID, term, number uint64) {
			mu.Lock()
			defer mu.Unlock()
			newest[peer] = number
		})
		confirmedBy := func(s uint64) (n int) {
			mu.Lock()
			defer mu.Unlock()
			for _, number := range newest {
				if number > s {
					n++
				}
			}
			return n
		}
		s := leader.t.Started()
		require.NoError(t, leader.raft.VerifyLeader().Error())
		eventually(t, "both followers to confirm", func() bool { return confirmedBy(s) == 2 })

		for _, f := range c.followers(leader) {
			c.network.CutOneWay(f.id, leader.id) // requests arrive, answers do not
		}
		s = leader.t.Started()
		time.Sleep(5 * time.Second)
		require.Zero(t, confirmedBy(s))
		require.Greater(t, leader.t.Started(), s)
	})
}

// A raft instance is shut down and rebuilt on the same transport, in process,
// as after an install whose index is below the end of the log.
func TestClusterRebuildsAnInstance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		leader := c.leader(t, nil)
		leader.apply(t, "a")
		c.agrees(t, "a")
		for i := range 3 {
			f := c.followers(leader)[i%2]
			f.stop()
			leader.apply(t, fmt.Sprint("without ", f.id, i))
			f.machine.reset()
			f.start(t)
			leader = c.leader(t, nil)
			last := fmt.Sprint("with ", f.id, i)
			leader.apply(t, last)
			c.agrees(t, last)
		}
	})
}

// A follower too far behind gets a snapshot and then the entries after it.
func TestClusterInstallsSnapshots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		leader := c.leader(t, nil)
		behind := c.followers(leader)[0]
		leader.apply(t, "a")
		c.agrees(t, "a")
		for _, m := range c.followers(behind) {
			c.network.Cut(behind.id, m.id)
		}
		for i := range 100 {
			leader.apply(t, strings.Repeat("x", 10_000)+fmt.Sprint(i))
		}
		require.NoError(t, leader.raft.Snapshot().Error())
		leader.apply(t, "after")
		c.network.HealAll()
		c.agrees(t, "after")
		require.NotZero(t, behind.t.Stats().Traffic[ClassInstall].ReceivedRequests)
		leader.apply(t, "and on")
		c.agrees(t, "and on")
	})
}

// Entries far beyond what one request takes reach a follower that was away:
// raft goes on where the shortened request ended.
func TestClusterCatchesUpWithLargeEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		leader := c.leader(t, nil)
		behind := c.followers(leader)[0]
		for _, m := range c.followers(behind) {
			c.network.Cut(behind.id, m.id)
		}
		for i := range 10 {
			leader.apply(t, fmt.Sprint(i)+strings.Repeat("x", 1_500_000))
		}
		leader.apply(t, "small")
		c.network.HealAll()
		c.agrees(t, "small")
		require.Len(t, behind.machine.state().List, 11)
		require.Zero(t, behind.t.Stats().Traffic[ClassInstall].ReceivedRequests)
	})
}

// An in-process request moves a follower's commit index as a leader's would.
func TestDeliverAdvancesTheCommitIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		leader := c.leader(t, nil)
		leader.apply(t, "a")
		c.agrees(t, "a")
		follower := c.followers(leader)[0]
		c.network.CutOneWay(follower.id, leader.id) // entries arrive, the next commit index comes late
		leader.apply(t, "b")
		index := leader.machine.applied()
		eventually(t, "the entry to arrive", func() bool { return follower.raft.LastIndex() >= index })
		term := leader.raft.CurrentTerm()
		err := follower.t.Deliver(&raft.AppendEntriesRequest{
			RPCHeader: headerOf(leader.id), Term: term, Leader: []byte(leader.id + ":2380"),
			PrevLogEntry: index, PrevLogTerm: term, LeaderCommitIndex: index,
		})
		require.NoError(t, err)
		eventually(t, "b to be applied", func() bool { return follower.machine.applied() == index })
	})
}
