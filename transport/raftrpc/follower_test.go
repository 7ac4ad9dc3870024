package raftrpc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"holdfast/transport"
)

// This file shows what a raft v1.8.0 follower does to itself without the
// transport's guards.

// A duplicate of an install rewinds a raft v1.8.0 follower and erases what it
// acknowledged since. The gate prevents that; blinded, it shows that the test
// would see it.
func TestDuplicateInstallDoesNotRewind(t *testing.T) {
	for _, blind := range []bool{false, true} {
		for _, commit := range []uint64{100, 103} {
			t.Run(fmt.Sprintf("blind %v, commit %d", blind, commit), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := transport.NewMemory()
					follower := newMember(t, network, "s2", func(c *Config) {
						if blind {
							c.AppliedIndex = func() uint64 { return 0 }
						}
					})
					follower.start(t)
					p := &pair{network: network, called: follower.t, caller: newTransport(t, network, "s1", nil)}
					p.h = attachFake(t, p.caller, agree)

					snapshot, err := json.Marshal(machineState{Index: 100, List: []string{"snapshot"}})
					require.NoError(t, err)
					send := func() {
						resp, err := p.install(install(2, 100, int64(len(snapshot))), strings.NewReader(string(snapshot)))
						require.NoError(t, err)
						require.Equal(t, true, resp.Success)
						require.EqualValues(t, 2, resp.Term)
					}
					send()
					req := entries(2, 100, "a", "b", "c")
					req.LeaderCommitIndex = commit
					resp, err := p.append(req)
					require.NoError(t, err)
					require.True(t, resp.Success, "101 to 103 are acknowledged")
					eventually(t, "the commit index to be applied", func() bool { return follower.machine.applied() == commit })

					send() // the same again
					last, err := follower.store.LastIndex()
					require.NoError(t, err)
					if blind {
						require.EqualValues(t, 100, follower.machine.applied())
						require.Zero(t, last, "this is what the gate is for")
						return
					}
					require.Equal(t, commit, follower.machine.applied())
					require.EqualValues(t, 103, last)
					resp, err = p.append(entries(2, 103, "d"))
					require.NoError(t, err)
					require.True(t, resp.Success)
				})
			})
		}
	}
}

// Without the clamp, raft commits a tail that another leader left behind.
func TestStaleTailIsNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		follower := newMember(t, network, "s2", nil)
		follower.start(t)
		p := &pair{network: network, called: follower.t, caller: newTransport(t, network, "s1", nil)}
		p.h = attachFake(t, p.caller, agree)
		tail := entries(2, 0, "a", "stale", "stale")
		_, err := p.append(tail)
		require.NoError(t, err)

		// A leader of term 3 whose entry 2 differs checks entry 1 only.
		req := entries(3, 1)
		req.PrevLogTerm = 2
		req.LeaderCommitIndex = 3
		resp, err := p.append(req)
		require.NoError(t, err)
		require.True(t, resp.Success)
		synctest.Wait()
		require.Equal(t, []string{"a"}, follower.machine.state().List)
	})
}
