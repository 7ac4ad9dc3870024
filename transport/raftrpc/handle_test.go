//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/transport"
)

// The safety bug hashicorp/raft#695: a heartbeat handled outside raft's main
// loop. Here the handler is never called and heartbeats come out of Consumer.
func TestHeartbeatsIgnoreTheFastPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var consumed atomic.Int64
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			consumed.Add(1)
			return agree(rpc)
		})
		p.called.current.Load().SetHeartbeatHandler(func(raft.RPC) { t.Error("the fast path was used") })
		for range 3 {
			resp, err := p.append(heartbeat(4))
			require.NoError(t, err)
			require.True(t, resp.Success)
		}
		require.EqualValues(t, 3, consumed.Load())
	})
}

func TestHandleShape(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		var h raft.Transport = p.called.Raft()
		_, closes := h.(raft.WithClose)
		require.False(t, closes, "raft would close what its successor needs")
		_, preVotes := h.(raft.WithPreVote)
		require.True(t, preVotes)
		_, err := h.AppendEntriesPipeline("s1", "s1:2380")
		require.ErrorIs(t, err, raft.ErrPipelineReplicationNotSupported)
		require.Equal(t, raft.ServerAddress("s2:2380"), h.LocalAddr())
		require.Equal(t, raft.ServerAddress("s9:1"), h.DecodePeer(h.EncodePeer("s9", "s9:1")))
	})
}

// Every RPC reaches raft with all its fields and its answer comes back.
func TestEveryRPC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen any
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			seen = rpc.Command
			return agree(rpc)
		})
		h := headerOf("s1")

		want := entries(7, 3, "a", "b")
		want.LeaderCommitIndex = 4
		resp, err := p.append(want)
		require.NoError(t, err)
		require.Equal(t, want, seen)
		require.Equal(t, raft.AppendEntriesResponse{RPCHeader: headerOf("s2"), Term: 7, LastLog: 5, Success: true}, resp)

		vote := &raft.RequestVoteRequest{RPCHeader: h, Term: 8, Candidate: []byte("s1:2380"), LastLogIndex: 5, LastLogTerm: 7, LeadershipTransfer: true}
		var voted raft.RequestVoteResponse
		require.NoError(t, p.h.RequestVote("s2", "s2:2380", vote, &voted))
		require.Equal(t, vote, seen)
		require.Equal(t, raft.RequestVoteResponse{RPCHeader: headerOf("s2"), Term: 8, Granted: true}, voted)

		preVote := &raft.RequestPreVoteRequest{RPCHeader: h, Term: 9, LastLogIndex: 5, LastLogTerm: 7}
		var preVoted raft.RequestPreVoteResponse
		require.NoError(t, p.h.RequestPreVote("s2", "s2:2380", preVote, &preVoted))
		require.Equal(t, preVote, seen)
		require.True(t, preVoted.Granted)

		transfer := &raft.TimeoutNowRequest{RPCHeader: h}
		var transferred raft.TimeoutNowResponse
		require.NoError(t, p.h.TimeoutNow("s2", "s2:2380", transfer, &transferred))
		require.Equal(t, transfer, seen)
		require.Equal(t, headerOf("s2"), transferred.RPCHeader)
	})
}

// An error of raft's arrives as its text: raft looks for one of them by it.
func TestRemoteErrorKeepsItsText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, func(raft.RPC) (any, error) {
			return nil, context.DeadlineExceeded
		})
		_, err := p.append(heartbeat(1))
		require.ErrorIs(t, err, ErrRemote)
		require.ErrorContains(t, err, context.DeadlineExceeded.Error())
		require.ErrorContains(t, err, "heartbeat to s2 at s2:2380")
	})
}

// While a large append fills its connection, heartbeats get through on theirs.
func TestHeartbeatsHaveTheirOwnConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		called := newTransport(t, network, "s2", nil)
		attachFake(t, called, agree)
		slow := &slowConns{}
		caller := newTransport(t, network, "s1", func(c *Config) { c.Dial = slow.wrap(c.Dial) })
		h := attachFake(t, caller, agree)

		appended := make(chan error, 1)
		go func() {
			appended <- h.AppendEntries("s2", "s2:2380", entries(1, 0, strings.Repeat("x", 1<<20)), new(raft.AppendEntriesResponse))
		}()
		synctest.Wait() // the append sits in its write
		for range 5 {
			require.NoError(t, h.AppendEntries("s2", "s2:2380", heartbeat(1), new(raft.AppendEntriesResponse)))
		}
		require.Empty(t, appended)
		slow.release()
		require.NoError(t, <-appended)
		require.Len(t, slow.all, 2)
	})
}

// slowConns makes writes of more than a packet wait for release.
type slowConns struct {
	mu   sync.Mutex
	all  []*slowConn
	free chan struct{}
}

type slowConn struct {
	net.Conn
	free chan struct{}
}

func (s *slowConns) wrap(dial func(context.Context, string) (net.Conn, error)) func(context.Context, string) (net.Conn, error) {
	s.free = make(chan struct{})
	return func(ctx context.Context, addr string) (net.Conn, error) {
		c, err := dial(ctx, addr)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		sc := &slowConn{c, s.free}
		s.all = append(s.all, sc)
		return sc, nil
	}
}

func (s *slowConns) release() { close(s.free) }

func (c *slowConn) Write(b []byte) (int, error) {
	if len(b) > 1500 {
		<-c.free
	}
	return c.Conn.Write(b)
}

// A heartbeat into a black hole fails after its own short timeout, entries
// after theirs.
func TestTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		_, err := p.append(heartbeat(1))
		require.NoError(t, err)
		_, err = p.append(entries(1, 0, "a"))
		require.NoError(t, err)
		p.network.Cut("s1", "s2")

		begin := time.Now()
		_, err = p.realHeartbeat(1)
		require.Error(t, err)
		require.InDelta(t, DefaultHeartbeatTimeout, time.Since(begin), float64(time.Millisecond))

		begin = time.Now()
		_, err = p.append(heartbeat(1)) // dials: the old connection is gone
		require.Error(t, err)
		require.InDelta(t, DefaultHeartbeatTimeout, time.Since(begin), float64(time.Millisecond))

		begin = time.Now()
		_, err = p.append(entries(1, 1, "b"))
		require.Error(t, err)
		require.InDelta(t, dialTimeout, time.Since(begin), float64(time.Millisecond), "and nobody hangs in a dial for long")
	})
}

func TestAppendTimeoutGrowsWithTheRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			time.Sleep(time.Hour)
			return agree(rpc)
		})
		begin := time.Now()
		_, err := p.append(entries(1, 0, strings.Repeat("x", 2<<20)))
		require.Error(t, err)
		require.InDelta(t, DefaultAppendTimeout+2*time.Second, time.Since(begin), float64(100*time.Millisecond))
	})
}

// The number of a request is given before a byte of it, or even a connection
// for it, exists; confirmations come for success in the term and nothing else.
func TestNumbersAndConfirmations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		called := newTransport(t, network, "s2", nil)
		answer := raft.AppendEntriesResponse{Success: true}
		attachFake(t, called, func(raft.RPC) (any, error) {
			a := answer
			return &a, nil
		})
		var caller *Transport
		var startedAtDial, startedAtWrite uint64
		caller = newTransport(t, network, "s1", func(c *Config) {
			dial := c.Dial
			c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
				startedAtDial = caller.Started()
				conn, err := dial(ctx, addr)
				return &writeHook{conn, func() { startedAtWrite = caller.Started() }}, err
			}
		})
		h := attachFake(t, caller, agree)
		type confirmation struct {
			peer         raft.ServerID
			term, number uint64
		}
		var got []confirmation
		caller.OnConfirmed(func(peer raft.ServerID, term, number uint64) {
			got = append(got, confirmation{peer, term, number})
		})
		send := func(r *raft.AppendEntriesRequest) error {
			return h.AppendEntries("s2", "s2:2380", r, new(raft.AppendEntriesResponse))
		}

		require.Zero(t, caller.Started())
		answer.Term = 5
		require.NoError(t, send(heartbeat(5)))
		require.EqualValues(t, 1, startedAtDial)
		require.EqualValues(t, 1, startedAtWrite)
		require.NoError(t, send(entries(5, 0, "a")))
		require.EqualValues(t, 2, startedAtWrite)
		require.Equal(t, []confirmation{{"s2", 5, 1}, {"s2", 5, 2}}, got)

		got = nil
		caller.Ask(caller.Started())                 // so that heartbeats are sent
		answer = raft.AppendEntriesResponse{Term: 5} // no success
		require.NoError(t, send(heartbeat(5)))
		answer = raft.AppendEntriesResponse{Term: 6, Success: true} // a higher term
		require.NoError(t, send(heartbeat(5)))
		network.Cut("s1", "s2") // no answer
		require.Error(t, send(heartbeat(5)))
		require.Empty(t, got)
		require.EqualValues(t, 5, caller.Started(), "they are numbered all the same")

		network.HealAll()
		caller.OnConfirmed(nil)
		require.NoError(t, send(heartbeat(6)))
		require.Empty(t, got)
		require.Zero(t, called.Started())
	})
}

type writeHook struct {
	net.Conn
	hook func()
}

func (w *writeHook) Write(b []byte) (int, error) {
	w.hook()
	return w.Conn.Write(b)
}

// More than fits one request is sent in part, and the request says how much:
// raft goes by it.
func TestLargeAppendIsShortened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got *raft.AppendEntriesRequest
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			got = rpc.Command.(*raft.AppendEntriesRequest)
			return agree(rpc)
		})
		mib := strings.Repeat("x", 1<<20)
		req := entries(1, 10, mib, mib, mib, mib, mib, mib)
		resp, err := p.append(req)
		require.NoError(t, err)
		require.Len(t, req.Entries, 3)
		require.Len(t, got.Entries, 3)
		require.EqualValues(t, 13, resp.LastLog)

		req = entries(1, 10, strings.Repeat("y", MaxEntryBytes), "z")
		_, err = p.append(req)
		require.NoError(t, err, "the largest entry goes, alone")
		require.Len(t, req.Entries, 1)
		require.Len(t, got.Entries[0].Data, MaxEntryBytes)

		_, err = p.append(entries(1, 10, strings.Repeat("y", MaxFrameBytes)))
		require.ErrorIs(t, err, ErrTooLarge)
	})
}

// A request for another server is refused, whatever its kind: an address may
// have changed hands.
func TestMisdirected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			t.Errorf("raft got a %T for another server", rpc.Command)
			return agree(rpc)
		})
		var a raft.AppendEntriesResponse
		err := p.h.AppendEntries("s3", "s2:2380", heartbeat(1), &a)
		require.ErrorContains(t, err, ErrWrongServer.Error())
		var v raft.RequestVoteResponse
		err = p.h.RequestVote("s3", "s2:2380", &raft.RequestVoteRequest{Term: 1}, &v)
		require.ErrorContains(t, err, "for s3, but this is s2")
		var i raft.InstallSnapshotResponse
		err = p.h.InstallSnapshot("s3", "s2:2380", install(1, 9, 3), &i, strings.NewReader("abc"))
		require.Error(t, err, "which one depends on how much of the body was out")
		require.EqualValues(t, 3, p.called.Stats().Misdirected)
	})
}
