package raftrpc

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
)

// install is a request to install a snapshot of the given last index and size.
func install(term, index uint64, size int64) *raft.InstallSnapshotRequest {
	return &raft.InstallSnapshotRequest{
		RPCHeader: headerOf("s1"), SnapshotVersion: 1, Term: term, Leader: []byte("s1:2380"),
		LastLogIndex: index, LastLogTerm: term, Configuration: configuration, ConfigurationIndex: 1, Size: size,
	}
}

func (p *pair) install(req *raft.InstallSnapshotRequest, data io.Reader) (raft.InstallSnapshotResponse, error) {
	var resp raft.InstallSnapshotResponse
	err := p.h.InstallSnapshot("s2", "s2:2380", req, &resp, data)
	return resp, err
}

// A snapshot of any size arrives whole.
func TestInstallStreams(t *testing.T) {
	for _, size := range []int{0, 1, 1000, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3*chunkBytes + 7} {
		synctest.Test(t, func(t *testing.T) {
			want := make([]byte, size)
			rand.New(rand.NewSource(int64(size))).Read(want)
			var request any
			var got []byte
			p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
				request = rpc.Command
				var err error
				got, err = io.ReadAll(iotest.HalfReader(rpc.Reader))
				return &raft.InstallSnapshotResponse{RPCHeader: headerOf("s2"), Term: 2, Success: true}, err
			})
			req := install(2, 9, int64(size))
			resp, err := p.install(req, bytes.NewReader(want))
			require.NoError(t, err)
			require.Equal(t, raft.InstallSnapshotResponse{RPCHeader: headerOf("s2"), Term: 2, Success: true}, resp)
			require.Equal(t, req, request)
			require.True(t, bytes.Equal(want, got), "%d bytes", size)
			synctest.Wait()
			require.Zero(t, p.called.Stats().Connections, "its connection is not kept")
			require.Empty(t, p.caller.open)
			sent, received := p.caller.Stats().Traffic[ClassInstall], p.called.Stats().Traffic[ClassInstall]
			require.EqualValues(t, 1, received.ReceivedRequests)
			require.Equal(t, sent.SentBytes, received.ReceivedBytes)
			require.Greater(t, sent.SentBytes, uint64(size))
		})
	}
}

// The gate: what brings nothing new is drained and answered by raft's word on
// an empty request of the same term and leader.
func TestInstallGate(t *testing.T) {
	tests := []struct {
		name           string
		applied, index uint64
		answer         raft.AppendEntriesResponse
		passes         bool
	}{
		{"newer", 100, 101, raft.AppendEntriesResponse{}, true},
		{"older", 103, 100, raft.AppendEntriesResponse{Term: 5, Success: true}, false},
		// Equal is not new either: entries after it may be acknowledged and not
		// yet applied, and installing would erase them.
		{"the same again", 100, 100, raft.AppendEntriesResponse{Term: 5, Success: true}, false},
		{"from a leader of the past", 103, 100, raft.AppendEntriesResponse{Term: 6}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var installs int
				var probe *raft.AppendEntriesRequest
				applied := func(c *Config) { c.AppliedIndex = func() uint64 { return tt.applied } }
				p := newPair(t, applied, func(rpc raft.RPC) (any, error) {
					if r, ok := rpc.Command.(*raft.AppendEntriesRequest); ok {
						probe = r
						a := tt.answer
						return &a, nil
					}
					installs++
					return agree(rpc)
				})
				body := strings.Repeat("s", 2*chunkBytes+5)
				resp, err := p.install(install(5, tt.index, int64(len(body))), strings.NewReader(body))
				require.NoError(t, err)
				if tt.passes {
					require.Equal(t, 1, installs)
					require.Nil(t, probe)
					require.Zero(t, p.called.Stats().StaleInstalls)
					return
				}
				require.Zero(t, installs)
				require.Equal(t, heartbeat(5), probe, "same term and leader, no position, no commit index")
				require.Equal(t, tt.answer.Term, resp.Term)
				require.Equal(t, tt.answer.Success, resp.Success)
				require.EqualValues(t, 1, p.called.Stats().StaleInstalls)
			})
		})
	}
}

// The gate looks after everything before it was answered: an append that is
// with raft while an install arrives counts.
func TestInstallGateWaitsForItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var applied atomic.Uint64
		free := make(chan struct{})
		installed := false
		p := newPair(t, func(c *Config) { c.AppliedIndex = applied.Load }, func(rpc raft.RPC) (any, error) {
			switch r := rpc.Command.(type) {
			case *raft.AppendEntriesRequest:
				if len(r.Entries) > 0 {
					<-free
					applied.Store(verified(r))
				}
			case *raft.InstallSnapshotRequest:
				installed = true
			}
			return agree(rpc)
		})
		done := make(chan error, 2)
		go func() {
			_, err := p.append(entries(1, 9, "ten"))
			done <- err
		}()
		synctest.Wait()
		go func() {
			_, err := p.install(install(1, 10, 3), strings.NewReader("abc"))
			done <- err
		}()
		synctest.Wait()
		close(free)
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		require.False(t, installed)
	})
}

// A body that is not what the request declared never ends well: raft's reader
// gets an error, not an end, and the sender does too.
func TestInstallBodyMustMatch(t *testing.T) {
	broken := errors.New("disk on fire")
	tests := []struct {
		name string
		size int64
		data io.Reader
		want error
	}{
		{"short", 1000, strings.NewReader("abc"), ErrSnapshotBody},
		{"short by a byte, in the second chunk", chunkBytes + 100, bytes.NewReader(make([]byte, chunkBytes+99)), ErrSnapshotBody},
		{"long", 1000, zeros{}, ErrSnapshotBody},
		{"unreadable", 1000, iotest.ErrReader(broken), broken},
		{"negative", -1, zeros{}, ErrTooLarge},
		{"too large", MaxSnapshotBytes + 1, zeros{}, ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				read := errors.New("raft was not asked")
				p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
					_, read = io.Copy(io.Discard, rpc.Reader)
					return nil, read
				})
				_, err := p.install(install(1, 9, tt.size), tt.data)
				require.ErrorIs(t, err, tt.want)
				synctest.Wait()
				require.Error(t, read)
			})
		})
	}
}

// Bytes that are not the body's next chunk end the install with an error for
// raft, in bounded time.
func TestInstallBodyFromAHostilePeer(t *testing.T) {
	full := make([]byte, chunkBytes)
	tests := []struct {
		name   string
		frames [][]byte
		want   Faults
	}{
		{"silence", nil, Faults{TimedOut: 1}},
		{"another request", [][]byte{rawFrame(kindChunk, 2, full)}, Faults{BadFrames: 1}},
		{"no chunk", [][]byte{rawFrame(kindAppend, 1, full)}, Faults{BadFrames: 1}},
		{"a small chunk that is not the last", [][]byte{rawFrame(kindChunk, 1, full[:10])}, Faults{BadFrames: 1}},
		{"an empty chunk", [][]byte{rawFrame(kindChunk, 1, nil)}, Faults{BadFrames: 1}},
		{"a chunk beyond the limit", [][]byte{claim(kindChunk, chunkBytes+1)}, Faults{BadFrames: 1}},
		{"a flipped bit", [][]byte{flip(rawFrame(kindChunk, 1, full), 5000)}, Faults{BadFrames: 1}},
		{"the last chunk too large", [][]byte{rawFrame(kindChunk, 1, full), rawFrame(kindChunk, 1, full)}, Faults{BadFrames: 1}},
		{"an end", [][]byte{rawFrame(kindChunk, 1, full), {}}, Faults{Truncated: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var read error
				p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
					_, read = io.Copy(io.Discard, rpc.Reader)
					return nil, read
				})
				begin := time.Now()
				c := p.rawConn(t)
				_, err := c.Write(rawFrame(kindInstall, 1, appendInstallRequest(nil, toS2, install(1, 9, chunkBytes+10))))
				require.NoError(t, err)
				for _, f := range tt.frames {
					if len(f) == 0 {
						c.Close()
						break
					}
					_, _ = c.Write(f) // fails once the server has had enough
				}
				_, _ = io.Copy(io.Discard, c)
				synctest.Wait()
				require.ErrorIs(t, read, ErrSnapshotBody)
				require.LessOrEqual(t, time.Since(begin), 2*DefaultInstallProgressTimeout)
				require.Equal(t, tt.want, p.called.Stats().Faults)
				require.Zero(t, p.called.Stats().Connections)
			})
		})
	}
}

// A receiver that stops reading, and one that never answers, hold the sender
// for a bounded time.
func TestInstallTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		defer close(free)
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			<-free
			return nil, errors.New("too late")
		})
		begin := time.Now()
		_, err := p.install(install(1, 9, 1<<20), zerosOf(1<<20))
		require.Error(t, err)
		require.Equal(t, DefaultInstallProgressTimeout, time.Since(begin))

		begin = time.Now()
		_, err = p.install(install(1, 9, 3), zerosOf(3))
		require.ErrorContains(t, err, ErrBusy.Error(), "the first is still with raft")
		require.Equal(t, DefaultInstallProgressTimeout, time.Since(begin))
	})
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		defer close(free)
		p := newPair(t, nil, func(rpc raft.RPC) (any, error) {
			_, err := io.Copy(io.Discard, rpc.Reader)
			<-free
			return nil, err
		})
		begin := time.Now()
		_, err := p.install(install(1, 9, 3<<20), zerosOf(3<<20))
		require.Error(t, err)
		require.Equal(t, DefaultInstallAnswerTimeout+3*time.Second, time.Since(begin))
	})
}

func zerosOf(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

// raft refuses some installs without reading the body; the sender still gets
// its answer.
func TestInstallRefusedUnread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, nil, func(raft.RPC) (any, error) { return nil, raft.ErrUnsupportedProtocol })
		_, err := p.install(install(1, 9, 1<<20), zerosOf(1<<20))
		require.ErrorIs(t, err, ErrRemote)
		require.ErrorContains(t, err, raft.ErrUnsupportedProtocol.Error())
	})
}

// Retiring the instance that reads a body ends the reading.
func TestRetireEndsAnInstall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read := make(chan error, 1)
		p := newPair(t, nil, nil)
		h := p.called.Raft()
		go func() {
			rpc := <-h.Consumer()
			_, err := io.Copy(io.Discard, rpc.Reader)
			read <- err
			rpc.Respond(nil, err)
		}()
		slow, feed := io.Pipe()
		defer feed.Close()
		failed := make(chan error, 1)
		go func() {
			_, err := p.install(install(1, 9, 1<<20), slow)
			failed <- err
		}()
		synctest.Wait()
		begin := time.Now()
		p.called.Retire()
		require.ErrorIs(t, <-read, ErrSnapshotBody)
		feed.CloseWithError(io.ErrUnexpectedEOF)
		require.Error(t, <-failed)
		require.Zero(t, time.Since(begin))
	})
}
