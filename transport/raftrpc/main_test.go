//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newMux opens port 2380 of the host called id.
func newMux(t *testing.T, m *transport.Memory, id string) *transport.Mux {
	t.Helper()
	l, err := m.Host(id).Listen(":2380")
	require.NoError(t, err)
	mux := transport.NewMux(l)
	t.Cleanup(func() { mux.Close() })
	return mux
}

// testConfig is the configuration of server id behind mux, on the host of the
// same name.
func testConfig(m *transport.Memory, mux *transport.Mux, id string) Config {
	return Config{
		LocalID:      raft.ServerID(id),
		LocalAddr:    raft.ServerAddress(id + ":2380"),
		Listener:     mux.Listener(transport.ProtoRaft),
		AppliedIndex: func() uint64 { return 0 },
		Dial: func(ctx context.Context, addr string) (net.Conn, error) {
			return transport.DialProto(ctx, m.Host(id), addr, transport.ProtoRaft)
		},
	}
}

// newTransport starts server id; change may alter its configuration.
func newTransport(t *testing.T, m *transport.Memory, id string, change func(*Config)) *Transport {
	t.Helper()
	cfg := testConfig(m, newMux(t, m, id), id)
	if change != nil {
		change(&cfg)
	}
	return startTransport(t, cfg)
}

func startTransport(t *testing.T, cfg Config) *Transport {
	t.Helper()
	tr, err := New(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, tr.Close()) })
	return tr
}

// answerFunc stands for raft.
type answerFunc func(raft.RPC) (any, error)

// attachFake gives tr a raft instance that answers with f, and returns its
// handle. It ends with the test, or when the handle is retired.
func attachFake(t testing.TB, tr *Transport, f answerFunc) *handle {
	t.Helper()
	h := tr.Raft().(*handle)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case rpc := <-h.Consumer():
				rpc.Respond(f(rpc))
			case <-h.ctx.Done():
				return
			}
		}
	}()
	t.Cleanup(func() {
		h.cancel()
		<-done
	})
	return h
}

// pair is a server s1 that calls and a server s2 that is called.
type pair struct {
	network *transport.Memory
	caller  *Transport
	h       *handle // the caller's
	called  *Transport
}

func newPair(t *testing.T, change func(*Config), f answerFunc) *pair {
	t.Helper()
	p := &pair{network: transport.NewMemory()}
	p.called = newTransport(t, p.network, "s2", change)
	if f != nil {
		attachFake(t, p.called, f)
	}
	p.caller = newTransport(t, p.network, "s1", change)
	p.h = attachFake(t, p.caller, func(raft.RPC) (any, error) { return nil, errors.New("nobody calls s1") })
	return p
}

func (p *pair) append(req *raft.AppendEntriesRequest) (raft.AppendEntriesResponse, error) {
	var resp raft.AppendEntriesResponse
	err := p.h.AppendEntries("s2", "s2:2380", req, &resp)
	return resp, err
}

// realHeartbeat sends one that is not spared.
func (p *pair) realHeartbeat(term uint64) (raft.AppendEntriesResponse, error) {
	p.caller.Ask(p.caller.Started())
	return p.append(heartbeat(term))
}

// agree answers as a follower would that has nothing to object.
func agree(rpc raft.RPC) (any, error) {
	switch r := rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		return &raft.AppendEntriesResponse{RPCHeader: headerOf("s2"), Term: r.Term, LastLog: verified(r), Success: true}, nil
	case *raft.RequestVoteRequest:
		return &raft.RequestVoteResponse{RPCHeader: headerOf("s2"), Term: r.Term, Granted: true}, nil
	case *raft.RequestPreVoteRequest:
		return &raft.RequestPreVoteResponse{RPCHeader: headerOf("s2"), Term: r.Term, Granted: true}, nil
	case *raft.TimeoutNowRequest:
		return &raft.TimeoutNowResponse{RPCHeader: headerOf("s2")}, nil
	case *raft.InstallSnapshotRequest:
		n, err := io.Copy(io.Discard, rpc.Reader)
		if err != nil {
			return nil, err
		}
		return &raft.InstallSnapshotResponse{RPCHeader: headerOf("s2"), Term: r.Term, Success: n == r.Size}, nil
	}
	return nil, fmt.Errorf("unexpected command %T", rpc.Command)
}

func headerOf(id string) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: 3, ID: []byte(id), Addr: []byte(id + ":2380")}
}

// heartbeat is what raft's heartbeat() sends.
func heartbeat(term uint64) *raft.AppendEntriesRequest {
	return &raft.AppendEntriesRequest{RPCHeader: headerOf("s1"), Term: term, Leader: []byte("s1:2380")}
}

// entries is a request that appends entries with the given data after index
// prev, all of the request's term.
func entries(term, prev uint64, data ...string) *raft.AppendEntriesRequest {
	r := heartbeat(term)
	r.PrevLogEntry = prev
	if prev > 0 {
		r.PrevLogTerm = term
	}
	for i, d := range data {
		r.Entries = append(r.Entries, &raft.Log{Index: prev + 1 + uint64(i), Term: term, Data: []byte(d)})
	}
	return r
}

// rawConn is a connection to s2 of somebody who speaks bytes.
func (p *pair) rawConn(t *testing.T) net.Conn {
	t.Helper()
	c, err := transport.DialProto(t.Context(), p.network.Host("s1"), "s2:2380", transport.ProtoRaft)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

// rawFrame is a complete frame.
func rawFrame(k kind, call uint32, payload []byte) []byte {
	b := append(startFrame(nil, k, call), payload...)
	if err := finishFrame(b, 0); err != nil {
		panic(err)
	}
	return b
}

var toS2 = envelope{target: "s2", patience: 1e9}
