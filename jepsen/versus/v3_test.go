package versus

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"holdfast/jepsen/process"
)

// serveV3 serves HTTP/2 without TLS, as etcd does, and gives a client, which hangs
// up before the server closes.
func serveV3(t *testing.T, h http.HandlerFunc) (*v3, string) {
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	a := newV3()
	t.Cleanup(a.hangUp)
	return a, s.URL
}

func frameOf(message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + message
}

// answer gives frames and a status in the trailer, "" for none.
func answer(frames, status, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = io.WriteString(w, frames)
		if status != "" {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
			w.Header().Set(http.TrailerPrefix+"Grpc-Message", text)
		}
	}
}

// A put is the bytes that etcd's own client sends.
func TestPutOnTheWire(t *testing.T) {
	var path, kind, body string
	a, url := serveV3(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		path, kind, body = r.URL.Path, r.Header.Get("Content-Type"), hex.EncodeToString(b)
		answer(frameOf(""), "0", "")(w, r)
	})
	require.NoError(t, a.put(t.Context(), url, "/k", "vw"))
	assert.Equal(t, "/etcdserverpb.KV/Put", path)
	assert.Equal(t, "application/grpc", kind)
	assert.Equal(t, "0000000008"+"0a022f6b"+"12027677", body)
}

// Nothing but a whole answer with status 0 acknowledges a write.
func TestRefusedAndBroken(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   string
	}{
		{"status in the trailer", answer("", "14", "etcdserver: no leader"), `gRPC status "14": etcdserver: no leader`},
		{"status in the header", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Grpc-Status", "14")
			w.Header().Set("Grpc-Message", "raft proposal%20dropped")
		}, `gRPC status "14": raft proposal dropped`},
		{"no status", answer(frameOf("x"), "", ""), `gRPC status ""`},
		{"no gRPC", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "HTTP status 404"},
		{"cut in the head", answer("\x00\x00", "0", ""), "unexpected EOF"},
		{"cut in the message", answer(frameOf("abc")[:6], "0", ""), "unexpected EOF"},
		{"compressed", answer("\x01\x00\x00\x00\x00", "0", ""), "compressed"},
		{"too long", answer("\x00\xff\xff\xff\xff", "0", ""), "the limit is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, url := serveV3(t, c.answer)
			err := a.put(t.Context(), url, "/k", "v")
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// Who leads is who names itself.
func TestWhoLeads(t *testing.T) {
	status := func(member, leader uint64) string {
		header := protowire.AppendVarint(protowire.AppendTag(nil, 2, protowire.VarintType), member)
		b := appendBytes(appendBytes(nil, 1, header), 2, []byte("3.6.0"))
		return frameOf(string(protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), leader)))
	}
	for _, c := range []struct {
		name, frames string
		leads, fails bool
	}{
		{"itself", status(7, 7), true, false},
		{"another", status(7, 8), false, false},
		{"nobody", status(0, 0), false, false},
		{"no message", frameOf("\xff"), false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, url := serveV3(t, answer(c.frames, "0", ""))
			leads, err := a.leads(t.Context(), &process.Member{ClientURL: url})
			assert.Equal(t, c.fails, err != nil, "%v", err)
			assert.Equal(t, c.leads, leads)
		})
	}
}

// A snapshot is the blobs in their order, and only a whole one counts.
func TestSnapshotOfEtcd(t *testing.T) {
	blob := func(content string) string { return frameOf(string(appendBytes(nil, 3, []byte(content)))) }
	page, sum := strings.Repeat("p", snapshotPage), strings.Repeat("s", snapshotSum)
	for _, c := range []struct {
		name, frames, status string
		fails                bool
	}{
		{"whole", blob(page+page) + blob(sum), "0", false},
		{"without its sum", blob(page + page), "0", true},
		{"nothing", "", "0", true},
		{"broken off", blob(page) + blob(sum), "13", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, url := serveV3(t, answer(c.frames, c.status, ""))
			var out strings.Builder
			err := a.snapshot(t.Context(), url, &out)
			if assert.Equal(t, c.fails, err != nil, "%v", err); !c.fails {
				assert.Equal(t, page+page+sum, out.String())
			}
		})
	}
}

// Every key is loaded once: in transactions, and the last ones singly.
func TestLoadOfEtcd(t *testing.T) {
	var mu sync.Mutex
	values, requests := map[string]string{}, map[string]int{}
	put := func(request []byte) {
		var key string
		assert.NoError(t, fields(request, func(field protowire.Number, _ uint64, content []byte) {
			if field == 1 {
				key = string(content)
				assert.NotContains(t, values, key)
				return
			}
			values[key] = string(content)
		}))
	}
	a, url := serveV3(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		mu.Lock()
		defer mu.Unlock()
		requests[r.URL.Path]++
		if r.URL.Path == "/etcdserverpb.KV/Put" {
			put(body[5:])
		} else {
			assert.NoError(t, fields(body[5:], func(_ protowire.Number, _ uint64, op []byte) {
				assert.NoError(t, fields(op, func(_ protowire.Number, _ uint64, request []byte) { put(request) }))
			}))
		}
		answer(frameOf(""), "0", "")(w, r)
	})
	a.singly = 10
	require.NoError(t, a.load(t.Context(), url, putsPerTxn+15))
	assert.Equal(t, map[string]int{"/etcdserverpb.KV/Txn": 2, "/etcdserverpb.KV/Put": 10}, requests)
	require.Len(t, values, putsPerTxn+15)
	distinct := map[string]bool{}
	for i := range putsPerTxn + 15 {
		assert.Equal(t, valueAt(i), values[keyAt(i)])
		distinct[valueAt(i)] = true
	}
	assert.Len(t, distinct, putsPerTxn+15)
	assert.Len(t, valueAt(0), valueBytes)
}

// The first write that fails ends a loading.
func TestLoadFails(t *testing.T) {
	a, url := serveV3(t, answer("", "8", "etcdserver: mvcc: database space exceeded"))
	err := a.load(t.Context(), url, 100)
	require.Error(t, err)
	assert.Contains(t, err.Error(), "space exceeded")
	assert.NotErrorIs(t, err, context.Canceled)
}
