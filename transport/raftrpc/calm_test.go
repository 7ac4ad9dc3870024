package raftrpc

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// A heartbeat is not sent to a peer that has just followed in a request to append. It is sent when that is
// too long ago, was of another term, was refused, or came before somebody asked for a real one.
func TestHeartbeatsAreSpared(t *testing.T) {
	const window = DefaultHeartbeatTimeout / calmShare
	for _, c := range []struct {
		name   string
		before func(p *pair)
		term   uint64
		spared bool
	}{
		{"only a heartbeat was answered", func(*pair) {}, 4, false},
		{"just followed", func(p *pair) { p.mustAppend(entries(4, 3, "a")) }, 4, true},
		{"followed without entries", func(p *pair) { p.mustAppend(entries(4, 3)) }, 4, true},
		{"followed as long ago as may be", func(p *pair) {
			p.mustAppend(entries(4, 3, "a"))
			time.Sleep(window - 1)
		}, 4, true},
		{"followed too long ago", func(p *pair) {
			p.mustAppend(entries(4, 3, "a"))
			time.Sleep(window)
		}, 4, false},
		{"no heartbeat since it did not answer", func(p *pair) {
			p.caller.calm.forget("s2")
			p.mustAppend(entries(4, 3, "a"))
		}, 4, false},
		{"no heartbeat for so long that its connection ends", func(p *pair) {
			time.Sleep(DefaultIdleTimeout / beatShare)
			p.mustAppend(entries(4, 3, "a"))
		}, 4, false},
		{"followed in an earlier term", func(p *pair) { p.mustAppend(entries(3, 2, "a")) }, 4, false},
		{"refused the entries", func(p *pair) { p.mustAppend(entries(4, refusedPrev, "a")) }, 4, false},
		{"answered with a higher term", func(p *pair) { p.mustAppend(entries(4, higherPrev, "a")) }, 4, false},
		{"asked since", func(p *pair) {
			p.mustAppend(entries(4, 3, "a"))
			p.caller.Ask(p.caller.Started())
		}, 4, false},
		{"asked before, and followed since", func(p *pair) {
			p.caller.Ask(p.caller.Started())
			p.mustAppend(entries(4, 3, "a"))
		}, 4, true},
		{"asked for an older one since", func(p *pair) {
			p.caller.Ask(p.caller.Started())
			p.mustAppend(entries(4, 3, "a"))
			p.caller.Ask(0)
		}, 4, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var heartbeats atomic.Int64
				p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
					if isHeartbeat(rpc.Command.(*raft.AppendEntriesRequest)) {
						heartbeats.Add(1)
					}
					return followSome(rpc)
				})
				p.mustAppend(heartbeat(4))
				c.before(p)
				already, started := heartbeats.Load(), p.caller.Started()
				resp, err := p.append(heartbeat(c.term))
				require.NoError(t, err)
				require.True(t, resp.Success)
				require.Equal(t, c.term, resp.Term)
				if c.spared {
					require.Equal(t, already, heartbeats.Load())
					require.Equal(t, started, p.caller.Started(), "no number for what was not sent: it confirms nothing")
				} else {
					require.Equal(t, already+1, heartbeats.Load())
				}
			})
		})
	}
}

// A raft instance that is retired is told so, also where a heartbeat would be spared.
func TestRetiredHandleSparesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		p.mustAppend(heartbeat(4))
		p.mustAppend(entries(4, 3, "a"))
		p.caller.Retire()
		_, err := p.append(heartbeat(4))
		require.ErrorIs(t, err, ErrNoRaft)
	})
}

// Requests of followSome that a follower does not follow, by their previous index.
const (
	refusedPrev = 90
	higherPrev  = 91
)

func followSome(rpc raft.RPC) (any, error) {
	r := rpc.Command.(*raft.AppendEntriesRequest)
	switch r.PrevLogEntry {
	case refusedPrev:
		return &raft.AppendEntriesResponse{RPCHeader: headerOf("s2"), Term: r.Term, LastLog: 2}, nil
	case higherPrev:
		return &raft.AppendEntriesResponse{RPCHeader: headerOf("s2"), Term: r.Term + 1, LastLog: 2, Success: true}, nil
	}
	return agree(rpc)
}

// mustAppend is for requests that are answered, whatever the answer.
func (p *pair) mustAppend(req *raft.AppendEntriesRequest) {
	if _, err := p.append(req); err != nil {
		panic(err)
	}
}

// What is remembered of peers is bounded, and an older request does not hide a newer one.
func TestCalmRemembersTheNewestOfSome(t *testing.T) {
	var c calm
	cfg := Config{HeartbeatTimeout: calmShare, IdleTimeout: time.Hour}
	began := time.Unix(9, 0)
	for i := range maxTrackedPeers + 1 {
		c.followed(raft.ServerID(rune('A'+i)), false, 4, 1, began)
	}
	require.Len(t, c.peers, maxTrackedPeers)
	now := began.Add(time.Second)
	c.followed("A", true, 4, 5, now)
	c.followed("A", false, 4, 7, now)
	c.followed("A", false, 4, 6, began)
	require.True(t, c.spares("A", 4, now, &cfg))
	require.False(t, c.spares("B", 4, now, &cfg))
	c.forget("A")
	require.False(t, c.spares("A", 4, now, &cfg))
}
