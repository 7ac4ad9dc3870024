//go:build !wasip1

package raftrpc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"

	"holdfast/transport"
)

// tcpPair is two servers on the operating system's TCP.
func tcpPair(t testing.TB, f answerFunc) (caller *handle, called *Transport, addr raft.ServerAddress) {
	t.Helper()
	start := func(id string) *Transport {
		l, err := transport.TCP().Listen("127.0.0.1:0")
		require.NoError(t, err)
		mux := transport.NewMux(l)
		tr, err := New(Config{
			LocalID: raft.ServerID(id), LocalAddr: raft.ServerAddress(l.Addr().String()),
			Listener:     mux.Listener(transport.ProtoRaft),
			AppliedIndex: func() uint64 { return 0 },
			Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				return transport.DialProto(ctx, transport.TCP(), addr, transport.ProtoRaft)
			},
		})
		require.NoError(t, err)
		t.Cleanup(func() {
			require.NoError(t, tr.Close())
			require.NoError(t, mux.Close())
		})
		return tr
	}
	called = start("s2")
	attachFake(t, called, f)
	return start("s1").Raft().(*handle), called, called.cfg.LocalAddr
}

// The same on real sockets: every kind of RPC, a snapshot of several chunks,
// one refused unread, and a peer that went away.
func TestOverTCP(t *testing.T) {
	snapshot := bytes.Repeat([]byte("snapshot"), 200_000)
	var got []byte
	h, called, addr := tcpPair(t, func(rpc raft.RPC) (any, error) {
		r, ok := rpc.Command.(*raft.InstallSnapshotRequest)
		if !ok {
			return agree(rpc)
		}
		if r.Term == 9 {
			return nil, errors.New("not from you")
		}
		var err error
		got, err = io.ReadAll(rpc.Reader)
		return &raft.InstallSnapshotResponse{Term: r.Term, Success: true}, err
	})
	var a raft.AppendEntriesResponse
	require.NoError(t, h.AppendEntries("s2", addr, heartbeat(1), &a))
	require.NoError(t, h.AppendEntries("s2", addr, entries(1, 0, string(snapshot)), &a))
	require.True(t, a.Success)
	var v raft.RequestVoteResponse
	require.NoError(t, h.RequestVote("s2", addr, &raft.RequestVoteRequest{Term: 2}, &v))
	require.True(t, v.Granted)
	var i raft.InstallSnapshotResponse
	require.NoError(t, h.InstallSnapshot("s2", addr, install(2, 9, int64(len(snapshot))), &i, bytes.NewReader(snapshot)))
	require.True(t, i.Success)
	require.True(t, bytes.Equal(snapshot, got))
	err := h.InstallSnapshot("s2", addr, install(9, 9, int64(len(snapshot))), &i, bytes.NewReader(snapshot))
	require.ErrorContains(t, err, "not from you")
	require.Zero(t, called.Stats().Faults)

	require.NoError(t, called.Close())
	require.Error(t, h.AppendEntries("s2", addr, entries(1, 1), &a), "and the next heartbeat is not spared")
	err = h.AppendEntries("s2", addr, heartbeat(1), &a)
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the preamble finds nobody, which shows at once")
}

func BenchmarkAppend64KiBOverTCP(b *testing.B) {
	h, _, addr := tcpPair(b, agree)
	req := benchmarkRequest()
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for b.Loop() {
		if err := h.AppendEntries("s2", addr, req, new(raft.AppendEntriesResponse)); err != nil {
			b.Fatal(err)
		}
	}
}
