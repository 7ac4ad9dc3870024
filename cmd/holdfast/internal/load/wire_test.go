package load

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What goes over the wire, workload by workload.
func TestRequests(t *testing.T) {
	address, asked := serveText(t, "HTTP/1.1 200 OK\r\nContent-Length: 44\r\n\r\n"+`{"action":"x","node":{"modifiedIndex":  412}}`[:44])
	o := Options{Timeout: time.Second, ValueBytes: 12, Keys: 1, HotKeys: 1, TTLSeconds: 7}
	for w, want := range map[Workload][]string{
		Put:       {"PUT /v2/keys/dir/d000000/k00000000\nvalue=12 bytes\n"},
		Get:       {"GET /v2/keys/dir/d000000/k00000000\n"},
		QuorumGet: {"GET /v2/keys/dir/d000000/k00000000?quorum=true\n"},
		TTL:       {"PUT /v2/keys/dir/ttl/k00000000\nttl=1 bytes\nvalue=12 bytes\n"},
		List:      {"GET /v2/keys/dir/d000000?recursive=true\n"},
		CAS: {
			"GET /v2/keys/dir/d000000/k00000000\n",
			"PUT /v2/keys/dir/d000000/k00000000?prevIndex=0\nvalue=12 bytes\n",
		},
	} {
		c := newClient(address, keyspace{"dir"}, &o, 1)
		_, err := c.operation(w)
		require.NoError(t, err, w)
		for _, request := range want {
			assert.Equal(t, request, <-asked, w)
		}
		c.close()
	}
	assert.Equal(t, "/v2/keys/dir/d099999/k09999999", string(keyspace{"dir"}.appendKey(nil, MaxKeys-1)))
}

// A swap goes on from the version that the answer shows, won or lost.
func TestSwapLearns(t *testing.T) {
	o := Options{Timeout: time.Second, Keys: 1, HotKeys: 1}
	for _, step := range []struct {
		answer string
		won    bool
		known  uint64
		fails  string
	}{
		{"200 OK\r\nContent-Length: 20\r\n\r\n\"modifiedIndex\":77,..", true, 77, ""},
		{"412 No\r\nContent-Length: 22\r\n\r\n{\"cause\":\"[5 != 81]\"} ", false, 81, ""},
		{"412 No\r\nContent-Length: 0\r\n\r\n", false, 0, ""},
		{"404 No\r\nContent-Length: 4\r\n\r\ngone", false, 0, "status 404: gone"},
	} {
		address, asked := serveText(t, "HTTP/1.1 "+step.answer)
		c := newClient(address, keyspace{"dir"}, &o, 1)
		c.known[0] = 5
		won, err := c.operation(CAS)
		assert.Contains(t, <-asked, "?prevIndex=5\n")
		assert.Equal(t, step.won, won)
		assert.Equal(t, step.known, c.known[0])
		if step.fails != "" {
			assert.EqualError(t, err, step.fails)
		} else {
			assert.NoError(t, err)
		}
		c.close()
	}
}

func TestReadAnswer(t *testing.T) {
	for _, row := range []struct {
		answer string
		keep   int
		body   string // or, after "error: ", what the error says
		last   bool
	}{
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 100, "hello", false},
		{"HTTP/1.1 200 OK\ncontent-LENGTH:5\n\nhello", 3, "hel", false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: Close\r\n\r\nhello", 0, "", true},
		{"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 5, "hello", true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\nA\r\nlo, store!\r\n0\r\n\r\n", 8, "hello, s", false},
		{"HTTP/1.1 200 OK\r\n\r\n", 0, "error: neither a length nor chunks", false},
		{"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", 0, "error: is no length", false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 9, "error: unexpected EOF", false},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 0, "error: EOF", false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 0, "error: is no length of a chunk", false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n", 0, "error: is no length of a chunk", false},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n", 0, "error: stands behind a chunk", false},
		{"HTTP/1.1 two OK\r\n\r\n", 0, "error: has no HTTP status", false},
		{"GET / HTTP/1.1\r\n\r\n", 0, "error: is no HTTP status line", false},
		{"", 0, "error: the server closed the connection", false},
		{"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", bufferBytes), 0, "error: a line longer than", false},
		{"HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", maxHeadLines), 0, "error: more than 200 header lines", false},
	} {
		h, body, err := readText([]byte(row.answer), row.keep)
		if cause, wrong := strings.CutPrefix(row.body, "error: "); wrong {
			assert.ErrorContains(t, err, cause, row.answer)
			continue
		}
		require.NoError(t, err, row.answer)
		assert.Equal(t, row.body, string(body), row.answer)
		assert.Equal(t, head{h.status, h.length, h.chunked, row.last}, h)
		assert.Equal(t, 200, h.status)
	}
}

func readText(answer []byte, keep int) (head, []byte, error) {
	c := newConn("")
	c.in.Reset(bytes.NewReader(answer))
	h, err := c.readHead()
	if err == nil {
		err = c.readBody(h, keep)
	}
	return h, c.kept, err
}

// No answer, however broken, does more than fail, and no more of it is kept
// than was asked for.
func FuzzReadAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), 3)
	f.Add([]byte("HTTP/1.1 412 No\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nhel\r\n7fffffff\r\nlo"), 100)
	f.Fuzz(func(t *testing.T, answer []byte, keep int) {
		keep = min(max(keep, 0), 1000)
		_, body, _ := readText(answer, keep)
		if len(body) > keep {
			t.Fatalf("kept %d bytes of %d", len(body), keep)
		}
	})
}

// A connection that the server closed after its answer is made anew.
func TestConnectionClose(t *testing.T) {
	server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
	})}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	defer func() {
		require.NoError(t, server.Close())
		<-done
	}()
	c := newClient(listener.Addr().String(), keyspace{"dir"}, &Options{Timeout: time.Second, Keys: 1, HotKeys: 1}, 0)
	for range 3 {
		_, err := c.operation(Get)
		require.NoError(t, err)
	}
	c.close()
	_, err = c.operation(Get)
	assert.ErrorIs(t, err, errClosed)
}

// The bare server gives the bytes that the store gave, the date apart.
func TestBareAnswersAsTheStore(t *testing.T) {
	address, index := startMember(t)
	answer, err := CaptureAnswer(address, 300, time.Second)
	require.NoError(t, err)
	assert.Contains(t, string(answer.body), `"modifiedIndex":4,`)
	assert.Equal(t, uint64(5), index(), "the key is removed")

	put, err := http.NewRequest(http.MethodPut, "http://"+address+"/v2/keys/x", nil)
	require.NoError(t, err)
	fresh, err := http.DefaultClient.Do(put)
	require.NoError(t, err)
	require.NoError(t, fresh.Body.Close())
	store := dumpHead(t, "http://"+address+"/v2/keys/x")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- ServeBare(ctx, listener, answer) }()
	bare := dumpHead(t, "http://"+listener.Addr().String()+"/v2/keys/x")
	http.DefaultClient.CloseIdleConnections()
	stop()
	require.NoError(t, <-served)
	assert.Equal(t, store, bare)

	_, err = CaptureAnswer(listener.Addr().String(), 300, time.Second)
	assert.ErrorContains(t, err, "put a key: connect")
}

// dumpHead is the head of the answer to a GET, digits left out.
func dumpHead(t *testing.T, url string) string {
	answer, err := http.Get(url)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := httputil.DumpResponse(answer, false)
	require.NoError(t, err)
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, string(text))
}
