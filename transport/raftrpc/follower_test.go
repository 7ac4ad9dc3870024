package raftrpc

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/raft"
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

// A request that begins below what a follower's snapshot covers is taken from
// there on: raft v1.8.0 alone refuses it, as if those entries were others.
func TestRequestBelowTheSnapshotIsTaken(t *testing.T) {
	for _, blind := range []bool{false, true} {
		for prev, sent := range map[uint64][]string{
			100: {"a"}, 99: {"x", "a", "b"}, 97: {"x", "x", "x", "a"}, 98: {"x"}, 96: nil, 0: slices.Repeat([]string{"x"}, 101),
		} {
			if blind && prev == 0 {
				continue // raft does not look before the first entry
			}
			t.Run(fmt.Sprintf("blind %v, after %d", blind, prev), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					network := transport.NewMemory()
					var follower *member
					follower = newMember(t, network, "s2", func(c *Config) {
						c.AppliedIndex = func() uint64 { return follower.machine.applied() }
						if !blind {
							c.Covered = func() (index, term uint64) { return 100, 2 }
						}
					})
					follower.start(t)
					p := &pair{network: network, called: follower.t, caller: newTransport(t, network, "s1", nil)}
					p.h = attachFake(t, p.caller, agree)
					snapshot, err := json.Marshal(machineState{Index: 100, List: []string{"snapshot"}})
					require.NoError(t, err)
					installed, err := p.install(install(2, 100, int64(len(snapshot))), strings.NewReader(string(snapshot)))
					require.NoError(t, err)
					require.Equal(t, true, installed.Success)

					resp, err := p.append(entries(2, prev, sent...))
					require.NoError(t, err)
					require.Equal(t, !blind || prev == 100, resp.Success)
					last, err := follower.store.LastIndex()
					require.NoError(t, err)
					switch end := prev + uint64(len(sent)); {
					case end <= 100 || !resp.Success:
						require.Zero(t, last)
					default:
						require.Equal(t, end, last)
						first, err := follower.store.FirstIndex()
						require.NoError(t, err)
						require.EqualValues(t, 101, first)
					}
				})
			})
		}
	}
}

// What differs from the snapshot's last entry, or goes on behind it with an older
// term, is left for raft to refuse.
func TestSkipCoveredLeavesWhatCannotBe(t *testing.T) {
	covered := func() (index, term uint64) { return 100, 2 }
	request := func(terms ...uint64) *raft.AppendEntriesRequest {
		r := entries(3, 98)
		r.PrevLogTerm = 1
		for i, term := range terms {
			r.Entries = append(r.Entries, &raft.Log{Index: 99 + uint64(i), Term: term})
		}
		return r
	}
	for _, bad := range [][]uint64{{1, 1}, {1, 3, 3}, {1, 1, 1}} {
		r := request(bad...)
		skipCovered(r, covered)
		require.Equal(t, request(bad...), r)
	}
	r := request(1, 2, 3)
	skipCovered(r, covered)
	require.EqualValues(t, 100, r.PrevLogEntry)
	require.EqualValues(t, 2, r.PrevLogTerm)
	require.Len(t, r.Entries, 1)
}

// An entry of which only the term is known is not sent; and one that comes all
// the same is no entry. A leader meets it if a snapshot cuts its log between two
// entries that it reads: sent as an entry, it would be acknowledged, and the
// command that it stood for would be missing on one member.
func TestTermOnlyIsNeverAnEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		follower := newMember(t, network, "s2", nil)
		follower.start(t)
		p := &pair{network: network, called: follower.t, caller: newTransport(t, network, "s1", nil)}
		p.h = attachFake(t, p.caller, agree)
		req := entries(2, 0, "a", "b")
		req.Entries[1].Type, req.Entries[1].Data = TermOnly, nil
		_, err := p.append(req)
		require.ErrorIs(t, err, ErrTermOnly)
		last, err := follower.store.LastIndex()
		require.NoError(t, err)
		require.Zero(t, last)
		_, _, err = decodeAppendRequest(appendAppendRequest(nil, envelope{target: "s2"}, req))
		require.Error(t, err)
	})
}
