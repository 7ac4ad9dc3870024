//lint:file-ignore SA1019 raft v1.8.0 itself still sends and reads the fields Leader and Candidate.

package raftrpc

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// configuration is a valid encoded membership.
var configuration = raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{
	{Suffrage: raft.Voter, ID: "s1", Address: "s1:2380"},
	{Suffrage: raft.Nonvoter, ID: "s2", Address: "s2:2380"},
}})

func drawBytes(t *rapid.T, name string, limit int) []byte {
	b := rapid.SliceOfN(rapid.Byte(), 0, limit).Draw(t, name)
	if len(b) == 0 {
		return nil // the wire does not tell nil from empty
	}
	return b
}

func drawHeader(t *rapid.T) raft.RPCHeader {
	return raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersion(rapid.IntRange(0, 255).Draw(t, "protocol")),
		ID:              drawBytes(t, "id", 40),
		Addr:            drawBytes(t, "addr", 40),
	}
}

func drawEnvelope(t *rapid.T) envelope {
	return envelope{
		target:   raft.ServerID(rapid.String().Draw(t, "target")),
		patience: time.Duration(rapid.IntRange(0, 60000).Draw(t, "ms")) * time.Millisecond,
	}
}

var u64 = rapid.Uint64()

func drawAppend(t *rapid.T) *raft.AppendEntriesRequest {
	r := &raft.AppendEntriesRequest{
		RPCHeader:         drawHeader(t),
		Leader:            drawBytes(t, "leader", 40),
		PrevLogEntry:      rapid.Uint64Max(math.MaxUint64-100).Draw(t, "prev"),
		PrevLogTerm:       rapid.Uint64Max(1000).Draw(t, "prev term"),
		LeaderCommitIndex: u64.Draw(t, "commit"),
	}
	term := r.PrevLogTerm
	for i := range rapid.IntRange(0, 5).Draw(t, "entries") {
		term += rapid.Uint64Max(3).Draw(t, "newer")
		l := &raft.Log{
			Index: r.PrevLogEntry + 1 + uint64(i), Term: term,
			Type: rapid.SampledFrom([]raft.LogType{raft.LogCommand, raft.LogNoop, raft.LogBarrier, raft.LogConfiguration}).Draw(t, "type"),
			Data: drawBytes(t, "data", 100), Extensions: drawBytes(t, "extensions", 20),
		}
		if l.Type == raft.LogConfiguration {
			l.Data = configuration
		}
		if rapid.Bool().Draw(t, "timed") {
			l.AppendedAt = time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
		}
		r.Entries = append(r.Entries, l)
	}
	r.Term = term + rapid.Uint64Max(3).Draw(t, "term")
	return r
}

// Every message comes out of the wire as it went in.
func TestCodecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, h := drawEnvelope(t), drawHeader(t)
		a, b, c := u64.Draw(t, "a"), u64.Draw(t, "b"), u64.Draw(t, "c")
		yes, no := rapid.Bool().Draw(t, "yes"), rapid.Bool().Draw(t, "no")
		some := drawBytes(t, "some", 40)
		same := func(wantEnvelope, gotEnvelope envelope, want, got any, err error) {
			require.NoError(t, err)
			require.Equal(t, wantEnvelope, gotEnvelope)
			require.Equal(t, want, got)
		}

		ar := drawAppend(t)
		ge, gar, err := decodeAppendRequest(appendAppendRequest(nil, e, ar))
		same(e, ge, ar, gar, err)
		vr := &raft.RequestVoteRequest{RPCHeader: h, Term: a, Candidate: some, LastLogIndex: b, LastLogTerm: c, LeadershipTransfer: yes}
		ge, gvr, err := decodeVoteRequest(appendVoteRequest(nil, e, vr))
		same(e, ge, vr, gvr, err)
		pr := &raft.RequestPreVoteRequest{RPCHeader: h, Term: a, LastLogIndex: b, LastLogTerm: c}
		ge, gpr, err := decodePreVoteRequest(appendPreVoteRequest(nil, e, pr))
		same(e, ge, pr, gpr, err)
		tr := &raft.TimeoutNowRequest{RPCHeader: h}
		ge, gtr, err := decodeTimeoutNowRequest(appendTimeoutNowRequest(nil, e, tr))
		same(e, ge, tr, gtr, err)
		ir := &raft.InstallSnapshotRequest{
			RPCHeader: h, SnapshotVersion: 1, Term: a, Leader: some, LastLogIndex: b, LastLogTerm: c, Peers: some,
			Configuration: configuration, ConfigurationIndex: a, Size: rapid.Int64Range(0, MaxSnapshotBytes).Draw(t, "size"),
		}
		ge, gir, err := decodeInstallRequest(appendInstallRequest(nil, e, ir))
		same(e, ge, ir, gir, err)

		none := envelope{}
		aa, gaa := raft.AppendEntriesResponse{RPCHeader: h, Term: a, LastLog: b, Success: yes, NoRetryBackoff: no}, raft.AppendEntriesResponse{}
		same(none, none, aa, decoded(&gaa, decodeAppendResponse(appendAppendResponse(nil, &aa), &gaa)), nil)
		va, gva := raft.RequestVoteResponse{RPCHeader: h, Term: a, Peers: some, Granted: yes}, raft.RequestVoteResponse{}
		same(none, none, va, decoded(&gva, decodeVoteResponse(appendVoteResponse(nil, &va), &gva)), nil)
		pa, gpa := raft.RequestPreVoteResponse{RPCHeader: h, Term: a, Granted: yes}, raft.RequestPreVoteResponse{}
		same(none, none, pa, decoded(&gpa, decodePreVoteResponse(appendPreVoteResponse(nil, &pa), &gpa)), nil)
		ta, gta := raft.TimeoutNowResponse{RPCHeader: h}, raft.TimeoutNowResponse{}
		same(none, none, ta, decoded(&gta, decodeTimeoutNowResponse(appendTimeoutNowResponse(nil, &ta), &gta)), nil)
		ia, gia := raft.InstallSnapshotResponse{RPCHeader: h, Term: a, Success: yes}, raft.InstallSnapshotResponse{}
		same(none, none, ia, decoded(&gia, decodeInstallResponse(appendInstallResponse(nil, &ia), &gia)), nil)
	})
}

// decoded returns what was decoded, or the error, which equals nothing wanted.
func decoded[T any](v *T, err error) any {
	if err != nil {
		return err
	}
	return *v
}

// What would break an invariant raft takes for granted does not get through.
func TestAppendRequestsRefused(t *testing.T) {
	change := func(f func(r *raft.AppendEntriesRequest)) []byte {
		r := entries(5, 10, "a", "b")
		f(r)
		return appendAppendRequest(nil, toS2, r)
	}
	tests := []struct {
		name    string
		payload []byte
		want    string
	}{
		{"gap after the previous index", change(func(r *raft.AppendEntriesRequest) { r.PrevLogEntry = 9 }), "entry 11 follows entry 9"},
		{"gap between entries", change(func(r *raft.AppendEntriesRequest) { r.Entries[1].Index = 13 }), "entry 13 follows entry 11"},
		{"same entry twice", change(func(r *raft.AppendEntriesRequest) { r.Entries[1].Index = 11 }), "entry 11 follows entry 11"},
		{"index wraps", change(func(r *raft.AppendEntriesRequest) { r.PrevLogEntry = math.MaxUint64; r.Entries[0].Index = 0 }), "entry 0 follows"},
		{"term falls", change(func(r *raft.AppendEntriesRequest) { r.Entries[1].Term = 4 }), "term 4 after term 5"},
		{"term below the previous", change(func(r *raft.AppendEntriesRequest) { r.Entries[0].Term = 4 }), "term 4 after term 5"},
		{"term above the leader's", change(func(r *raft.AppendEntriesRequest) { r.Entries[1].Term = 6 }), "from a leader of term 5"},
		{"type unknown", change(func(r *raft.AppendEntriesRequest) { r.Entries[0].Type = 6 }), "type 6"},
		{"type deprecated", change(func(r *raft.AppendEntriesRequest) { r.Entries[0].Type = raft.LogAddPeerDeprecated }), "type 2"},
		{"membership raft would panic on", change(func(r *raft.AppendEntriesRequest) {
			r.Entries[0].Type, r.Entries[0].Data = raft.LogConfiguration, []byte("\xff\xff")
		}), "configuration"},
		{"leader's address too long", change(func(r *raft.AppendEntriesRequest) { r.Leader = make([]byte, maxNameBytes+1) }), "leader"},
		{"trailing byte", append(change(func(*raft.AppendEntriesRequest) {}), 0), "1 bytes too many"},
		{"count beyond the bytes", claimEntries(1000), "1000 entries in 0 bytes"},
		{"count beyond the limit", append(claimEntries(1025), make([]byte, 100000)...), "1025 entries"},
		{"count beyond everything", claimEntries(math.MaxUint64), "entries in"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := decodeAppendRequest(tt.payload)
			require.ErrorIs(t, err, ErrFrame)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, _, err := decodeAppendRequest(change(func(*raft.AppendEntriesRequest) {}))
	require.NoError(t, err, "unchanged, it is fine")
}

// claimEntries is a request that announces n entries and ends there.
func claimEntries(n uint64) []byte {
	b := appendAppendRequest(nil, toS2, heartbeat(1))
	return binary.AppendUvarint(b[:len(b)-1], n)
}

func TestInstallRequestsRefused(t *testing.T) {
	good := raft.InstallSnapshotRequest{SnapshotVersion: 1, Term: 1, LastLogIndex: 1, Configuration: configuration, Size: 1}
	tests := []struct {
		name   string
		change func(r *raft.InstallSnapshotRequest)
		want   string
	}{
		{"size beyond the limit", func(r *raft.InstallSnapshotRequest) { r.Size = MaxSnapshotBytes + 1 }, "size"},
		{"negative size", func(r *raft.InstallSnapshotRequest) { r.Size = -1 }, "size"},
		{"membership raft would panic on", func(r *raft.InstallSnapshotRequest) { r.Configuration = []byte{0xc1} }, "configuration"},
		{"no membership", func(r *raft.InstallSnapshotRequest) { r.Configuration = nil }, "configuration"},
		{"membership too large", func(r *raft.InstallSnapshotRequest) { r.Configuration = make([]byte, maxConfigurationBytes+1) }, "configuration"},
		{"version too large", func(r *raft.InstallSnapshotRequest) { r.SnapshotVersion = 256 }, "snapshot version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := good
			tt.change(&r)
			_, _, err := decodeInstallRequest(appendInstallRequest(nil, toS2, &r))
			require.ErrorIs(t, err, ErrFrame)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, _, err := decodeInstallRequest(appendInstallRequest(nil, toS2, &good))
	require.NoError(t, err)
}

// Flags are zero or one, and patience is bounded whatever the peer says.
func TestSmallFields(t *testing.T) {
	b := appendPreVoteResponse(nil, &raft.RequestPreVoteResponse{})
	b[len(b)-1] = 2
	require.ErrorIs(t, decodePreVoteResponse(b, new(raft.RequestPreVoteResponse)), ErrFrame)

	b = binary.AppendUvarint(appendBytes(nil, []byte("s2")), math.MaxUint64)
	e := (&decoder{b: b}).envelope()
	require.Equal(t, envelope{"s2", maxPatience}, e)
}

// A response that does not decode leaves the caller's as it was.
func TestBadResponseChangesNothing(t *testing.T) {
	resp := raft.AppendEntriesResponse{Term: 7, Success: true}
	require.Error(t, decodeAppendResponse([]byte{3, 0, 0, 9, 9}, &resp))
	require.Equal(t, raft.AppendEntriesResponse{Term: 7, Success: true}, resp)
}

// Bytes taken from a payload cannot be appended to without leaving it.
func TestEntriesDoNotOverlap(t *testing.T) {
	_, r, err := decodeAppendRequest(appendAppendRequest(nil, toS2, entries(1, 0, "first", "second")))
	require.NoError(t, err)
	_ = append(r.Entries[0].Data, strings.Repeat("x", 10)...) // few enough to fit the payload
	require.Equal(t, "second", string(r.Entries[1].Data))
}

func TestFitEntries(t *testing.T) {
	sized := func(sizes ...int) []*raft.Log {
		var all []*raft.Log
		for _, n := range sizes {
			all = append(all, &raft.Log{Data: make([]byte, n)})
		}
		return all
	}
	const mib = 1 << 20
	require.Equal(t, 0, fitEntries(nil))
	require.Equal(t, 3, fitEntries(sized(1, 2, 3)))
	require.Equal(t, 3, fitEntries(sized(mib, mib, mib, mib, mib)))
	require.Equal(t, 1, fitEntries(sized(10*mib, 1)))
	require.Equal(t, 1, fitEntries(sized(1, 10*mib)))
	require.Equal(t, maxEntries, fitEntries(sized(make([]int, maxEntries+5)...)))
}

// fuzzDecoder checks that a decoder never panics, and that what it accepts
// means the same after another round.
func fuzzDecoder[T any](f *testing.F, decode func([]byte) (envelope, *T, error), encode func([]byte, envelope, *T) []byte, seeds ...*T) {
	for _, s := range seeds {
		f.Add(encode(nil, toS2, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, v, err := decode(b)
		if err != nil {
			require.ErrorIs(t, err, ErrFrame)
			return
		}
		again, w, err := decode(encode(nil, e, v))
		require.NoError(t, err)
		require.Equal(t, e, again)
		require.Equal(t, v, w)
	})
}

func FuzzDecodeAppendRequest(f *testing.F) {
	timed := entries(3, 9, "x", "yy")
	timed.Entries[0].AppendedAt = time.Unix(1, 2)
	timed.Entries[1].Type, timed.Entries[1].Data = raft.LogConfiguration, configuration
	fuzzDecoder(f, decodeAppendRequest, appendAppendRequest, heartbeat(1), entries(1, 0, "a"), timed)
}

func FuzzDecodeVoteRequest(f *testing.F) {
	fuzzDecoder(f, decodeVoteRequest, appendVoteRequest, &raft.RequestVoteRequest{RPCHeader: headerOf("s1"), Term: 300})
}

func FuzzDecodePreVoteRequest(f *testing.F) {
	fuzzDecoder(f, decodePreVoteRequest, appendPreVoteRequest, &raft.RequestPreVoteRequest{RPCHeader: headerOf("s1"), Term: 300})
}

func FuzzDecodeTimeoutNowRequest(f *testing.F) {
	fuzzDecoder(f, decodeTimeoutNowRequest, appendTimeoutNowRequest, &raft.TimeoutNowRequest{RPCHeader: headerOf("s1")})
}

func FuzzDecodeInstallRequest(f *testing.F) {
	fuzzDecoder(f, decodeInstallRequest, appendInstallRequest,
		&raft.InstallSnapshotRequest{RPCHeader: headerOf("s1"), SnapshotVersion: 1, Configuration: configuration, Size: 1 << 20})
}

// fuzzResponse is fuzzDecoder for answers.
func fuzzResponse[T any](f *testing.F, decode func([]byte, *T) error, encode func([]byte, *T) []byte, seed *T) {
	fuzzDecoder(f,
		func(b []byte) (envelope, *T, error) {
			v := new(T)
			return envelope{}, v, decode(b, v)
		},
		func(b []byte, _ envelope, v *T) []byte { return encode(b, v) },
		seed)
}

func FuzzDecodeAppendResponse(f *testing.F) {
	fuzzResponse(f, decodeAppendResponse, appendAppendResponse, &raft.AppendEntriesResponse{RPCHeader: headerOf("s2"), LastLog: 1 << 40, Success: true})
}

func FuzzDecodeVoteResponse(f *testing.F) {
	fuzzResponse(f, decodeVoteResponse, appendVoteResponse, &raft.RequestVoteResponse{RPCHeader: headerOf("s2"), Peers: []byte("p"), Granted: true})
}

func FuzzDecodePreVoteResponse(f *testing.F) {
	fuzzResponse(f, decodePreVoteResponse, appendPreVoteResponse, &raft.RequestPreVoteResponse{RPCHeader: headerOf("s2"), Granted: true})
}

func FuzzDecodeTimeoutNowResponse(f *testing.F) {
	fuzzResponse(f, decodeTimeoutNowResponse, appendTimeoutNowResponse, &raft.TimeoutNowResponse{RPCHeader: headerOf("s2")})
}

func FuzzDecodeInstallResponse(f *testing.F) {
	fuzzResponse(f, decodeInstallResponse, appendInstallResponse, &raft.InstallSnapshotResponse{RPCHeader: headerOf("s2"), Success: true})
}

// One entry of 64 KiB, the size of a busy batch.
func benchmarkRequest() *raft.AppendEntriesRequest {
	r := entries(7, 1<<40, string(bytes.Repeat([]byte{'v'}, 64<<10)))
	r.Entries[0].AppendedAt = time.Unix(1.7e9, 5)
	return r
}

func BenchmarkEncodeAppend64KiB(b *testing.B) {
	r := benchmarkRequest()
	buf := make([]byte, 0, 128<<10)
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendAppendRequest(startFrame(buf[:0], kindAppend, 1), toS2, r)
		if err := finishFrame(buf, 0); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeAppend64KiB(b *testing.B) {
	raw := rawFrame(kindAppend, 1, appendAppendRequest(nil, toS2, benchmarkRequest()))
	r := bytes.NewReader(nil)
	b.SetBytes(64 << 10)
	b.ReportAllocs()
	for b.Loop() {
		r.Reset(raw)
		var head [headerBytes]byte
		_, _ = r.Read(head[:])
		h, err := parseHeader(&head)
		if err != nil {
			b.Fatal(err)
		}
		payload, err := readPayload(r, h.length, func(int) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		if err := checkSum(&head, h, payload); err != nil {
			b.Fatal(err)
		}
		if _, _, err := decodeAppendRequest(payload); err != nil {
			b.Fatal(err)
		}
	}
}
