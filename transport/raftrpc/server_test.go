package raftrpc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/transport"
)

// claim is a header that announces more than follows.
func claim(k kind, length uint32) []byte {
	b := startFrame(nil, k, 1)
	binary.LittleEndian.PutUint32(b[8:], length)
	return b
}

// Whatever a peer sends that is not a request ends its connection, is counted,
// reaches raft never, and costs next to no memory.
func TestHostileBytes(t *testing.T) {
	beat := appendAppendRequest(nil, toS2, heartbeat(1))
	good := rawFrame(kindAppend, 1, beat)
	with := func(i int, b byte) []byte {
		f := bytes.Clone(good)
		f[i] = b
		return f
	}
	tests := []struct {
		name  string
		bytes []byte
		want  Faults
	}{
		{"version", with(0, 2), Faults{BadFrames: 1}},
		{"kind 0", with(1, 0), Faults{BadFrames: 1}},
		{"unknown kind", with(1, 99), Faults{BadFrames: 1}},
		{"reserved", with(2, 1), Faults{BadFrames: 1}},
		{"an answer", rawFrame(kindAppend|answerBit, 1, beat), Faults{BadFrames: 1}},
		{"an error", rawFrame(kindError, 1, nil), Faults{BadFrames: 1}},
		{"a chunk of no snapshot", rawFrame(kindChunk, 1, beat), Faults{BadFrames: 1}},
		{"checksum", with(len(good)-1, 99), Faults{BadFrames: 1}},
		{"call outside the checksum", with(4, 99), Faults{BadFrames: 1}},
		{"length of 4 GiB", claim(kindAppend, math.MaxUint32), Faults{BadFrames: 1}},
		{"length just above the limit", claim(kindAppend, MaxFrameBytes+1), Faults{BadFrames: 1}},
		{"length above a vote's limit", claim(kindVote, maxSmallBytes+1), Faults{BadFrames: 1}},
		{"largest length and no bytes", claim(kindAppend, MaxFrameBytes), Faults{TimedOut: 1}},
		{"largest length and some bytes", append(claim(kindAppend, MaxFrameBytes), make([]byte, 1000)...), Faults{TimedOut: 1}},
		{"trailing bytes", rawFrame(kindAppend, 1, append(bytes.Clone(beat), 0)), Faults{BadFrames: 1}},
		{"too few bytes", rawFrame(kindAppend, 1, beat[:len(beat)-1]), Faults{BadFrames: 1}},
		{"vote with an append's payload", rawFrame(kindVote, 1, appendAppendRequest(nil, toS2, entries(1, 0, "x"))), Faults{BadFrames: 1}},
		{"empty install", rawFrame(kindInstall, 1, nil), Faults{BadFrames: 1}},
		{"half a header", good[:9], Faults{TimedOut: 1}},
		{"half a payload", good[:len(good)-3], Faults{TimedOut: 1}},
		{"nothing", nil, Faults{TimedOut: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
					t.Errorf("raft got a %T", rpc.Command)
					return nil, errors.New("no")
				})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				c := p.rawConn(t)
				_, err := c.Write(tt.bytes)
				require.NoError(t, err)
				begin := time.Now()
				_, err = c.Read(make([]byte, 1))
				require.ErrorIs(t, err, io.EOF)
				require.LessOrEqual(t, time.Since(begin), DefaultIdleTimeout)
				synctest.Wait()
				runtime.ReadMemStats(&after)
				require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
				s := p.called.Stats()
				require.Equal(t, tt.want, s.Faults)
				require.Zero(t, s.Connections)
				require.Zero(t, p.called.inboundBytes.Load())
			})
		})
	}
}

// A connection that ends inside a frame is counted, one that ends between two
// is not.
func TestConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		c := p.rawConn(t)
		_, err := c.Write(rawFrame(kindAppend, 1, appendAppendRequest(nil, toS2, heartbeat(1))))
		require.NoError(t, err)
		synctest.Wait()
		c.Close()
		synctest.Wait()
		require.Zero(t, p.called.Stats().Faults)

		c = p.rawConn(t)
		_, err = c.Write(claim(kindAppend, 100))
		require.NoError(t, err)
		c.Close()
		synctest.Wait()
		require.Equal(t, Faults{Truncated: 1}, p.called.Stats().Faults)
	})
}

// A healthy peer whose connection was closed for being idle does not notice.
func TestIdlePeersAreRedialled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		for range 3 {
			_, err := p.append(heartbeat(1))
			require.NoError(t, err)
			time.Sleep(2 * DefaultIdleTimeout)
			require.Zero(t, p.called.Stats().Connections)
		}
	})
}

func TestInboundConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		for range maxInboundConns {
			p.rawConn(t)
			synctest.Wait()
		}
		require.Equal(t, maxInboundConns, p.called.Stats().Connections)
		_, err := p.rawConn(t).Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		s := p.called.Stats()
		require.EqualValues(t, 1, s.Refused)
		require.Equal(t, maxInboundConns, s.Connections)

		time.Sleep(DefaultIdleTimeout + time.Second) // the silent ones are dropped
		_, err = p.append(heartbeat(1))
		require.NoError(t, err)
	})
}

// All connections together hold a bounded number of bytes.
func TestInboundBytesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, agree)
		p.called.inboundBytes.Store(maxInboundBytes - 1000)
		_, err := p.append(entries(1, 0, strings.Repeat("x", 2000)))
		require.Error(t, err)
		require.Equal(t, Faults{BadFrames: 1}, p.called.Stats().Faults)
		_, err = p.append(heartbeat(1))
		require.NoError(t, err, "what fits goes on")
		synctest.Wait()
		require.EqualValues(t, maxInboundBytes-1000, p.called.inboundBytes.Load())
	})
}

// One request of a connection is with raft at a time; the next is not even
// read.
func TestOneRequestInFlightPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		handled := 0
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			handled++
			<-free
			return agree(rpc)
		})
		c := p.rawConn(t)
		beat := rawFrame(kindAppend, 1, appendAppendRequest(nil, toS2, heartbeat(1)))
		_, err := c.Write(bytes.Repeat(beat, 100))
		require.NoError(t, err)
		synctest.Wait()
		require.Equal(t, 1, handled)
		require.EqualValues(t, 1, p.called.Stats().Traffic[ClassHeartbeat].ReceivedRequests)
		close(free)
		answer := make([]byte, 100*len(rawFrame(kindAppend|answerBit, 1, appendAppendResponse(nil, &raft.AppendEntriesResponse{RPCHeader: headerOf("s2"), Term: 1, Success: true}))))
		_, err = io.ReadFull(c, answer)
		require.NoError(t, err)
		require.Equal(t, 100, handled)
	})
}

// Entries received belong to raft: the next frame does not touch them.
func TestReceivedEntriesAreOwned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept []*raft.Log
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			kept = append(kept, rpc.Command.(*raft.AppendEntriesRequest).Entries...)
			return agree(rpc)
		})
		for i := range 5 {
			req := entries(1, uint64(i), strings.Repeat(string(rune('a'+i)), 1000))
			_, err := p.append(req)
			require.NoError(t, err)
			clear(req.Entries[0].Data)
		}
		for i, l := range kept {
			require.Equal(t, strings.Repeat(string(rune('a'+i)), 1000), string(l.Data))
		}
	})
}

// A flood of bad connections writes a line a second and says how many it left
// out.
func TestComplaintsAreRateLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		p := newPair(t, func(c *Config) {
			if c.LocalID == "s2" {
				c.Logf = func(format string, args ...any) { lines = append(lines, format) }
			}
		}, agree)
		for range 50 {
			c := p.rawConn(t)
			_, err := c.Write(claim(99, 0))
			require.NoError(t, err)
			synctest.Wait()
		}
		require.Len(t, lines, 1)
		time.Sleep(logEvery)
		_, err := p.rawConn(t).Write(claim(99, 0))
		require.NoError(t, err)
		synctest.Wait()
		require.Len(t, lines, 2)
	})
}

// An error of the listener that is not its end does not end the transport.
func TestAcceptErrorsAreSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := transport.NewMemory()
		called := newTransport(t, network, "s2", func(c *Config) {
			c.Listener = &flakyListener{Listener: c.Listener, failures: 8}
		})
		attachFake(t, called, agree)
		caller := newTransport(t, network, "s1", nil)
		h := attachFake(t, caller, agree)
		require.NoError(t, h.AppendEntries("s2", "s2:2380", entries(1, 0, "x"), new(raft.AppendEntriesResponse)))
	})
}

type flakyListener struct {
	net.Listener
	failures int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, os.ErrDeadlineExceeded
	}
	return l.Listener.Accept()
}

func TestConfigIsChecked(t *testing.T) {
	network := transport.NewMemory()
	good := testConfig(network, newMux(t, network, "s1"), "s1")
	for field, change := range map[string]func(*Config){
		"LocalID":      func(c *Config) { c.LocalID = "" },
		"LocalAddr":    func(c *Config) { c.LocalAddr = raft.ServerAddress(strings.Repeat("x", maxNameBytes+1)) },
		"Listener":     func(c *Config) { c.Listener = nil },
		"Dial":         func(c *Config) { c.Dial = nil },
		"AppliedIndex": func(c *Config) { c.AppliedIndex = nil },
	} {
		c := good
		change(&c)
		_, err := New(c)
		require.ErrorContains(t, err, field)
	}
	c, err := good.complete()
	require.NoError(t, err)
	require.Equal(t, DefaultHeartbeatTimeout, c.HeartbeatTimeout)
	require.Equal(t, DefaultIdleTimeout, c.IdleTimeout)
}

// Any bytes at all, sent to a server: no panic, and the connection ends.
func FuzzServe(f *testing.F) {
	f.Add(rawFrame(kindAppend, 1, appendAppendRequest(nil, toS2, entries(1, 0, "a"))))
	f.Add(rawFrame(kindVote, 7, appendVoteRequest(nil, toS2, &raft.RequestVoteRequest{Term: 3})))
	body := rawFrame(kindInstall, 1, appendInstallRequest(nil, toS2, install(1, 9, 3)))
	f.Add(append(body, rawFrame(kindChunk, 1, []byte("abc"))...))
	f.Add(claim(kindAppend, MaxFrameBytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 60<<10 {
			return // more than the in-memory connection buffers
		}
		synctest.Test(t, func(t *testing.T) {
			p := newPair(t, nil, agree)
			c := p.rawConn(t)
			_, err := c.Write(b)
			require.NoError(t, err)
			c.Close()
			synctest.Wait()
			require.Zero(t, p.called.Stats().Connections)
			require.Zero(t, p.called.inboundBytes.Load())
		})
	})
}
