package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"holdfast/transport"
	"holdfast/transport/raftrpc"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Who looks on changes nothing: the run is the same, step by step. What it sees is what the report counts.
func TestRecordingOnlyLooksOn(t *testing.T) {
	o := toyOptions(6, "good")
	o.Record = true
	blind, err := Run(t.Context(), o)
	require.NoError(t, err)
	rec := &Recording{}
	o.Record, o.Against, o.Recording = false, blind.Trace, rec
	seen, err := Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, blind.Line(), seen.Line())
	assert.Nil(t, seen.Diverged)

	assert.Equal(t, []string{"m1", "m2", "m3"}, rec.Members)
	assert.Len(t, rec.History, seen.OK+seen.Failed+seen.Unknown)
	assert.NotEmpty(t, rec.Messages)
	require.NotNil(t, rec.Run)
	require.Len(t, rec.Faults, 2)
	isolate, kill := rec.Faults[0], rec.Faults[1]
	assert.Equal(t, "isolate", isolate.Kind)
	assert.Equal(t, []int64{3e9}, isolate.Hits)
	assert.Equal(t, int64(4_500_000_000), isolate.End)
	assert.Equal(t, []int64{6e9}, kill.Hits)
	killed := 0
	for _, a := range rec.Acts {
		if a.What == "killed" {
			killed++
			assert.Equal(t, "m1", a.Who)
		}
	}
	assert.Equal(t, seen.Counts.Kills, killed)
	for _, m := range rec.Messages {
		assert.True(t, m.Arrived == 0 || m.Arrived > m.Sent && m.Arrived >= m.Due, "%+v", m)
	}
}

// A recording of a run that is there already is begun anew.
func TestRecordingBeginsAnew(t *testing.T) {
	rec := &Recording{Members: []string{"old"}, MessagesLeftOut: 7}
	rec.begin([]*machine{{name: "m1"}})
	assert.Equal(t, []string{"m1"}, rec.Members)
	assert.Zero(t, rec.MessagesLeftOut)
}

// A fault that waits for its moment has no effect before it comes; a number that is not known is nobody's.
func TestRecordingOfAnArmedFault(t *testing.T) {
	rec := &Recording{}
	rec.struck(Fault{ID: 3, Kind: "aimed-kill", At: 10}, "1 host calls after it works on /log/")
	assert.Empty(t, rec.Faults[0].Hits)
	rec.hit(3, 25)
	rec.hit(4, 30)
	rec.mended(4, 40)
	assert.Equal(t, []int64{25}, rec.Faults[0].Hits)
	assert.Zero(t, rec.Faults[0].End)
}

// caught is a connection that keeps what is written to it and never answers.
type caught struct {
	net.Conn
	wrote []byte
}

func (c *caught) Write(b []byte) (int, error)      { c.wrote = append(c.wrote, b...); return len(b), nil }
func (c *caught) Read([]byte) (int, error)         { return 0, errors.New("nobody there") }
func (c *caught) Close() error                     { return nil }
func (c *caught) SetDeadline(time.Time) error      { return nil }
func (c *caught) SetReadDeadline(time.Time) error  { return nil }
func (c *caught) SetWriteDeadline(time.Time) error { return nil }
func (c *caught) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *caught) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// asked is what the members' own transport writes for one call, after the preamble.
func asked(t *testing.T, call func(raft.Transport) error) []byte {
	t.Helper()
	l, err := transport.NewMemory().Host("a").Listen("a:1")
	require.NoError(t, err)
	c := &caught{}
	tr, err := raftrpc.New(raftrpc.Config{
		LocalID: "s1", LocalAddr: "a:1", Listener: l, AppliedIndex: func() uint64 { return 0 },
		Dial: func(context.Context, string) (net.Conn, error) { return c, nil },
	})
	require.NoError(t, err)
	require.Error(t, call(tr.Raft()))
	require.NoError(t, tr.Close())
	require.NotEmpty(t, c.wrote)
	return append([]byte("HFST\x01\x01\x00\x00"), c.wrote...)
}

// readAll reads a stream that comes in pieces of a size, and gives all frames that begin in it but the preamble.
func readAll(b []byte, size int) (frames []Frame, s *stream) {
	end := &socket{peer: &socket{}}
	for len(b) > 0 {
		n := min(size, len(b))
		f := end.in.read(end, b[:n])
		if b = b[n:]; f.Kind != "" && f.Kind != FrameHello {
			frames = append(frames, f)
		}
	}
	return frames, end.in.words
}

// What the members' transport writes is read for what it is, in one piece or in many.
func TestFramesOfRaft(t *testing.T) {
	head := raft.RPCHeader{ProtocolVersion: 3, ID: []byte("s1"), Addr: []byte("a:1")}
	for want, call := range map[Frame]func(raft.Transport) error{
		{Kind: FrameAppend, Term: 7, Index: 300, Entries: 2, Commit: 299}: func(r raft.Transport) error {
			return r.AppendEntries("s2", "b:1", &raft.AppendEntriesRequest{
				RPCHeader: head, Term: 7, PrevLogEntry: 300, PrevLogTerm: 6, LeaderCommitIndex: 299,
				Entries: []*raft.Log{{Index: 301, Term: 7, Data: make([]byte, 500)}, {Index: 302, Term: 7}},
			}, &raft.AppendEntriesResponse{})
		},
		{Kind: FrameVote, Term: 9, Index: 12}: func(r raft.Transport) error {
			return r.RequestVote("s2", "b:1", &raft.RequestVoteRequest{RPCHeader: head, Term: 9, LastLogIndex: 12, LastLogTerm: 8}, &raft.RequestVoteResponse{})
		},
		{Kind: FramePreVote, Term: 9, Index: 12}: func(r raft.Transport) error {
			return r.(raft.WithPreVote).RequestPreVote("s2", "b:1", &raft.RequestPreVoteRequest{RPCHeader: head, Term: 9, LastLogIndex: 12, LastLogTerm: 8}, &raft.RequestPreVoteResponse{})
		},
		{Kind: FrameTimeoutNow}: func(r raft.Transport) error {
			return r.TimeoutNow("s2", "b:1", &raft.TimeoutNowRequest{RPCHeader: head}, &raft.TimeoutNowResponse{})
		},
	} {
		b := asked(t, call)
		frames, s := readAll(b, len(b))
		if assert.Len(t, frames, 1) {
			assert.Equal(t, want, frames[0])
		}
		assert.False(t, s.lost)
		for _, size := range []int{1, 7, 16, 33} {
			frames, s = readAll(b, size)
			if assert.Len(t, frames, 1, "%s in pieces of %d", want.Kind, size) {
				assert.Equal(t, want.Kind, frames[0].Kind)
			}
			assert.Zero(t, s.skip)
			assert.Empty(t, s.head)
		}
	}
}

// An answer is read in the protocol that its asker chose. Forwarded requests are told apart by their kind, several at once
// counted, and what is none of the protocols is not guessed at.
func TestFramesOfOthers(t *testing.T) {
	dialled := &socket{peer: &socket{}}
	back := dialled.peer
	back.peer = dialled
	assert.Equal(t, FrameHello, dialled.in.read(dialled, []byte("HFST\x02\x01\x00\x00")).Kind)
	one := func(kind byte, body int) []byte {
		return append(append(binary.BigEndian.AppendUint32(nil, uint32(9+body)), kind), make([]byte, 8+body)...)
	}
	assert.Equal(t, Frame{Kind: FramePropose, More: 1}, dialled.in.read(dialled, append(one(1, 30), one(2, 0)...)))
	assert.Equal(t, FrameForwarded, back.in.read(back, one(16, 3)).Kind)

	frames, s := readAll([]byte("GET / HTTP/1.1\r\n\r\n"), 5)
	assert.Equal(t, []Frame{{Kind: FrameUnknown}}, frames)
	assert.True(t, s.lost)
	assert.Equal(t, Frame{Kind: FrameUnknown}, raftFrame(99, nil))
}

// Whatever bytes members say to each other, and in whatever pieces, reading them ends, and keeps nothing but a head.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("HFST\x01\x01\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00abcdefghi"), 3)
	f.Add([]byte("HFST\x02\x01\x00\x00\x00\x00\x00\x09\x01abcdefgh"), 1)
	f.Add([]byte("HFST\x01\x01\x00\x00\x01\x84\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff"), 100)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		_, s := readAll(b, max(size, 1))
		if s != nil {
			assert.Less(t, len(s.head), raftHeadBytes)
			assert.GreaterOrEqual(t, s.skip, 0)
		}
	})
}
