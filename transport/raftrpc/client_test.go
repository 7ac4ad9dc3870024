package raftrpc

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/transport"
)

// countDials counts the connections a transport opens.
func countDials(n *atomic.Int64) func(*Config) {
	return func(c *Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			n.Add(1)
			return dial(ctx, addr)
		}
	}
}

func TestConnectionsAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		p := newPair(t, countDials(&dials), agree)
		for i := range 10 {
			_, err := p.append(heartbeat(1))
			require.NoError(t, err)
			_, err = p.append(entries(1, uint64(i), "x"))
			require.NoError(t, err)
		}
		require.EqualValues(t, 2, dials.Load(), "one for heartbeats, one for entries")
		var v raft.RequestVoteResponse
		for range 3 {
			require.NoError(t, p.h.RequestVote("s2", "s2:2380", &raft.RequestVoteRequest{Term: 1}, &v))
		}
		require.EqualValues(t, 5, dials.Load(), "a vote never meets a dead connection")
		synctest.Wait()
		require.Equal(t, 2, p.called.Stats().Connections)

		// After a pause the peer may be about to close them: new ones.
		time.Sleep(DefaultIdleTimeout/2 + time.Second)
		_, err := p.append(heartbeat(1))
		require.NoError(t, err)
		require.EqualValues(t, 6, dials.Load())
		require.Len(t, p.caller.idle, 1)
	})
}

// An answer with raft's error leaves the connection usable.
func TestConnectionSurvivesRemoteErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dials atomic.Int64
		p := newPair(t, countDials(&dials), func(raft.RPC) (any, error) { return nil, errors.New("no") })
		for range 3 {
			_, err := p.append(heartbeat(1))
			require.ErrorIs(t, err, ErrRemote)
		}
		require.EqualValues(t, 1, dials.Load())
	})
}

// A connection that died while idle costs one RPC, which fails and is not sent
// again; the next one dials.
func TestStaleConnectionFailsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled atomic.Int64
		count := func(rpc raft.RPC) (any, error) {
			handled.Add(1)
			return agree(rpc)
		}
		network := transport.NewMemory()
		mux := newMux(t, network, "s2")
		first := startTransport(t, testConfig(network, mux, "s2"))
		attachFake(t, first, count)
		caller := newTransport(t, network, "s1", nil)
		p := &pair{network: network, caller: caller, h: attachFake(t, caller, agree)}
		_, err := p.append(entries(1, 0, "a"))
		require.NoError(t, err)
		_, err = p.realHeartbeat(1)
		require.NoError(t, err)

		require.NoError(t, first.Close()) // s2 restarts
		second := startTransport(t, testConfig(network, mux, "s2"))
		attachFake(t, second, count)

		_, err = p.append(entries(1, 1, "b"))
		require.Error(t, err)
		require.EqualValues(t, 2, handled.Load(), "not sent again behind raft's back")
		_, err = p.append(entries(1, 1, "b"))
		require.NoError(t, err)
		_, err = p.realHeartbeat(1)
		require.NoError(t, err, "the failure closed the other idle connection to the peer as well")
		require.EqualValues(t, 4, handled.Load())
	})
}

// An answer that is late, for another request or of another kind is not taken
// for the one waited for.
func TestAnswersArePaired(t *testing.T) {
	yes := appendAppendResponse(nil, &raft.AppendEntriesResponse{Term: 1, Success: true})
	tests := []struct {
		name   string
		answer []byte
		want   error
	}{
		{"right", rawFrame(kindAppend|answerBit, 1, yes), nil},
		{"another call", rawFrame(kindAppend|answerBit, 2, yes), ErrFrame},
		{"another kind", rawFrame(kindVote|answerBit, 1, yes), ErrFrame},
		{"a request", rawFrame(kindAppend, 1, yes), ErrFrame},
		{"trailing byte", rawFrame(kindAppend|answerBit, 1, append(yes, 0)), ErrFrame},
		{"cut short", rawFrame(kindAppend|answerBit, 1, yes)[:20], io.ErrUnexpectedEOF},
		{"nothing", nil, io.ErrUnexpectedEOF},
		{"flipped bit", flip(rawFrame(kindAppend|answerBit, 1, yes), headerBytes+1), ErrFrame},
		{"too long", append([]byte{frameVersion, byte(kindAppend | answerBit), 0, 0, 1, 0, 0, 0, 255, 255, 255, 255}, 0, 0, 0, 0), ErrFrame},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := transport.NewMemory()
				l, err := network.Host("s2").Listen(":2380")
				require.NoError(t, err)
				defer l.Close()
				go func() {
					c, err := l.Accept()
					if err != nil {
						return
					}
					defer c.Close()
					_, _ = io.ReadFull(c, make([]byte, 8+headerBytes)) // preamble and header will do
					_, _ = c.Write(tt.answer)
				}()
				caller := newTransport(t, network, "s1", nil)
				h := attachFake(t, caller, agree)
				var resp raft.AppendEntriesResponse
				err = h.AppendEntries("s2", "s2:2380", heartbeat(1), &resp)
				if tt.want == nil {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, tt.want)
				require.False(t, resp.Success)
				require.Empty(t, caller.idle, "the connection is not used again")
			})
		})
	}
}

func flip(b []byte, i int) []byte {
	b[i] ^= 1
	return b
}

// Close ends an RPC that waits for its answer, one that waits in a dial, and
// everything after.
func TestCloseEndsOutboundRPCs(t *testing.T) {
	for name, end := range map[string]func(*Transport){
		"close":  func(tr *Transport) { tr.Close() },
		"retire": func(tr *Transport) { tr.Retire() },
		"raft":   func(tr *Transport) { tr.Raft() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
					time.Sleep(time.Hour)
					return agree(rpc)
				})
				p.network.Cut("s1", "s3")
				want := ErrNoRaft
				if name == "close" {
					want = ErrClosed
				}
				failed := make(chan error, 3)
				go func() {
					_, err := p.append(entries(1, 0, "a"))
					failed <- err
				}()
				go func() {
					failed <- p.h.AppendEntries("s3", "s3:2380", heartbeat(1), new(raft.AppendEntriesResponse))
				}()
				go func() {
					failed <- p.h.InstallSnapshot("s2", "s2:2380", install(1, 9, 1<<40), new(raft.InstallSnapshotResponse), zeros{})
				}()
				synctest.Wait()
				begin := time.Now()
				end(p.caller)
				errs := []error{<-failed, <-failed, <-failed}
				require.Zero(t, time.Since(begin))
				for _, err := range errs {
					if !errors.Is(err, ErrTooLarge) {
						require.ErrorIs(t, err, want)
					}
				}
				_, err := p.append(heartbeat(1))
				require.ErrorIs(t, err, want)
			})
		})
	}
}

// Idle connections are bounded however many peers there were.
func TestIdleConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		for i := range maxIdleConns + 10 {
			a, b := net.Pipe()
			defer b.Close()
			require.True(t, p.caller.track(a, false))
			l := newLink(a)
			l.class, l.addr = ClassAppend, raft.ServerAddress(rune('a'+i))
			p.caller.putAside(l, time.Now())
		}
		require.Len(t, p.caller.idle, maxIdleConns)
		require.Len(t, p.caller.open, maxIdleConns)
	})
}

// zeros is an endless snapshot.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
