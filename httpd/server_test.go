package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"holdfast/kernel"
	"holdfast/transport"
)

// What is over a limit gets an answer that says which.
func TestLimits(t *testing.T) {
	f := newFixture(t, Limits{})
	for _, c := range []struct {
		name, method, target, body string
		headers                    []string
		status                     int
		want                       string
	}{
		{"long URI", "GET", "/v2/keys/" + strings.Repeat("k", MaxURIBytes), "", nil, 414, "414 URI too long"},
		{"long head", "GET", "/v2/keys/k", "", []string{"X-A: " + strings.Repeat("a", MaxHeadBytes)}, 431, "431 request line and headers are longer than 16384 bytes"},
		{"long line", "GET", "/v2/keys/" + strings.Repeat("k", MaxHeadBytes), "", nil, 431, "431 request line"},
		{"large body", "PUT", "/v2/keys/k", "value=" + strings.Repeat("v", MaxBodyBytes), nil, 413,
			`{"errorCode":210,"message":"Invalid POST form","cause":"the body is longer than 4194304 bytes","index":0}`},
		{"large value", "PUT", "/v2/keys/k", "value=" + strings.Repeat("v", kernel.MaxValueBytes+1), nil, 413,
			`{"errorCode":209,"message":"Invalid field","cause":"\"value\" is longer than 1048576 bytes","index":0}`},
		{"large prevValue", "PUT", "/v2/keys/k", "prevValue=" + strings.Repeat("v", kernel.MaxValueBytes+1), nil, 413, `\"prevValue\" is longer than`},
		{"deep key", "PUT", "/v2/keys" + strings.Repeat("/k", kernel.MaxDepth+1), "", nil, 413, "the key is longer than 16384 bytes or deeper than 512 names"},
		{"long ttl", "PUT", "/v2/keys/k", "ttl=3153600001", nil, 400,
			`{"errorCode":202,"message":"The given TTL in POST form is not a number","cause":"\"ttl\" is more than 3153600000 seconds","index":0}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := f.dial()
			go func() { _, _ = io.WriteString(conn, request(c.method, c.target, c.body, c.headers...)) }()
			resp, body := conn.answer(c.method)
			require.Equal(t, c.status, resp.StatusCode)
			require.Contains(t, body, c.want)
		})
	}
	resp, _ := f.dial().ask("PUT", "/v2/keys/k", "value="+strings.Repeat("%61", kernel.MaxValueBytes))
	require.Equal(t, 201, resp.StatusCode, "the largest value, all of it escaped, is within the limits")
	resp, body := f.dial().ask("GET", "/v2/keys/k", "")
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, body, `"`+strings.Repeat("a", kernel.MaxValueBytes)+`"`)
}

func TestSlowRequests(t *testing.T) {
	f := newFixture(t, Limits{HeadTimeout: 50 * time.Millisecond, BodyTimeout: 50 * time.Millisecond})
	for _, start := range []string{"GET /v2/ke", "PUT /v2/keys/k HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nval",
		"PUT /v2/keys/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\nval", "PUT /v2/keys/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nva"} {
		c := f.dial()
		c.send(start)
		resp, body := c.answer("GET")
		require.Equal(t, 408, resp.StatusCode)
		require.Contains(t, body, "408 request not complete in time: 50ms for its head, 50ms more for a long body")
		require.True(t, c.closed())
	}
}

func TestIdleConnections(t *testing.T) {
	f := newFixture(t, Limits{IdleTimeout: 50 * time.Millisecond})
	f.put("/k", "v")
	c := f.dial()
	c.ask("GET", "/v2/keys/k", "")
	require.True(t, c.closed())
	c = f.dial()
	c.ask("GET", "/v2/keys/k?wait=true&waitIndex=4", "")
	require.True(t, c.closed(), "behind a poll, too")
}

// What fasthttp answers by itself arrives on a connection that has been idle for
// longer than an answer may take.
func TestRefusalsAfterIdling(t *testing.T) {
	const patience = 50 * time.Millisecond
	f := newFixture(t, Limits{WriteTimeout: patience, HeadTimeout: patience})
	f.put("/k", "v")
	// In memory a write that has room passes whatever its deadline.
	ln, err := transport.TCP().Listen("127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(ln) }()
	for _, c := range []struct {
		name, request string
		status        int
	}{
		{"unreadable", "GET /v2/keys HTTP/1.1\r\nHost: h\r\nno header\r\n\r\n", 400},
		{"long head", "GET /v2/keys/" + strings.Repeat("k", MaxHeadBytes), 431},
		{"slow head", "GET /v2/ke", 408},
		{"slow body", "PUT /v2/keys/k HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nval", 408},
		{"body to be asked for", "PUT /v2/keys/k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n", 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := net.Dial("tcp", ln.Addr().String())
			require.NoError(t, err)
			defer raw.Close()
			conn := &conn{raw, t, bufio.NewReader(raw)}
			resp, _ := conn.ask("GET", "/v2/keys/k", "")
			require.Equal(t, 200, resp.StatusCode)
			time.Sleep(2 * patience) // the deadline of that answer is to pass
			go func() { _, _ = io.WriteString(conn, c.request) }()
			require.Equal(t, c.status, conn.head("GET").StatusCode)
		})
		if c.status != 100 && c.name != "unreadable" {
			continue // what comes behind a watch is read whole
		}
		t.Run(c.name+", behind a watch", func(t *testing.T) {
			raw, err := net.Dial("tcp", ln.Addr().String())
			require.NoError(t, err)
			defer raw.Close()
			conn := &conn{raw, t, bufio.NewReader(raw)}
			resp, _ := conn.ask("GET", "/v2/keys/k?wait=true&waitIndex=1", "")
			require.Equal(t, 200, resp.StatusCode)
			time.Sleep(2 * patience)
			go func() { _, _ = io.WriteString(conn, c.request) }()
			require.Equal(t, c.status, conn.head("GET").StatusCode)
		})
	}
	require.NoError(t, f.server.Shutdown(context.Background()))
	require.NoError(t, <-served)
}

// One connection too many is told so, watches count, and a place that becomes
// free can be taken.
func TestTooManyConnections(t *testing.T) {
	f := newFixture(t, Limits{MaxConns: 3})
	conns := []*conn{f.dial(), f.dial(), f.dial()}
	for i, c := range conns {
		c.send(request("GET", fmt.Sprintf("/v2/keys/k?wait=true&stream=%t", i == 0), ""))
		c.head("GET")
	}
	for range 3 {
		c := f.dial()
		resp, body := c.answer("GET")
		require.Equal(t, 503, resp.StatusCode)
		require.Equal(t, "too many connections; try again later\n", body)
		require.True(t, c.closed())
	}
	require.NoError(t, conns[0].Close())
	f.eventually("a free place", func() bool {
		c := f.dial()
		defer c.Close()
		_, _ = io.WriteString(c, request("GET", "/v2/keys/", "", "Connection: close")) // it may be refused
		answer, _ := io.ReadAll(c)
		return strings.HasPrefix(string(answer), "HTTP/1.1 200 OK")
	})
}

// A panic costs its request, and the log has it.
func TestPanics(t *testing.T) {
	f := newFixture(t, Limits{})
	broken := New(Config{Replica: f.replica, Logf: f.server.logf})
	broken.http.Handler = broken.guarded(func(*fasthttp.RequestCtx) { panic("planted") }, &broken.requests)
	ln, err := f.network.Host("server").Listen("server:1")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- broken.Serve(ln) }()
	raw, err := f.network.Host("client").Dial(context.Background(), "server:1")
	require.NoError(t, err)
	_, err = io.WriteString(raw, request("GET", "/", ""))
	require.NoError(t, err)
	answer, err := io.ReadAll(raw)
	require.NoError(t, err)
	require.Contains(t, string(answer), "500 Internal Server Error")
	require.Contains(t, <-f.logged, "planted")
	require.NoError(t, broken.Shutdown(context.Background()))
	require.NoError(t, <-served)
	require.False(t, f.server.answerTaken(&taken{}, func(*taken) bool { panic("planted too") }))
	require.Contains(t, <-f.logged, "planted too")
}

// flakyListener fails now and then, as accept does without file descriptors.
type flakyListener struct {
	net.Listener
	fails int
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.fails--; l.fails >= 0 {
		return nil, fmt.Errorf("accept: too many open files")
	}
	return l.Listener.Accept()
}

func TestAcceptErrorsPass(t *testing.T) {
	f := newFixture(t, Limits{})
	ln, err := f.network.Host("server").Listen("server:1")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- f.server.Serve(&flakyListener{ln, 3}) }()
	raw, err := f.network.Host("client").Dial(context.Background(), "server:1")
	require.NoError(t, err)
	_, err = io.WriteString(raw, request("GET", "/version", "", "Connection: close"))
	require.NoError(t, err)
	answer, err := io.ReadAll(raw)
	require.NoError(t, err)
	require.Contains(t, string(answer), `{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}`)
	require.Contains(t, string(answer), "X-Holdfast-Version: 0.0.0-test")
	require.NoError(t, f.server.Shutdown(context.Background()))
	require.NoError(t, <-served)
}

func TestServeAfterShutdown(t *testing.T) {
	f := newFixture(t, Limits{})
	require.NoError(t, f.server.Shutdown(context.Background()))
	ln, err := f.network.Host("server").Listen("server:1")
	require.NoError(t, err)
	require.NoError(t, f.server.Serve(ln))
	_, err = ln.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// The ops port: alive, ready, and digests that move with the state.
func TestOps(t *testing.T) {
	f := newFixture(t, Limits{})
	ask := func(method, target string) (int, string) {
		var ctx fasthttp.RequestCtx
		ctx.Request.Header.SetMethod(method)
		ctx.Request.SetRequestURI(target)
		f.server.OpsHandler(&ctx)
		return ctx.Response.StatusCode(), string(ctx.Response.Body())
	}
	status, body := ask("GET", "/healthz")
	require.Equal(t, 200, status)
	require.Equal(t, "ok\n", body)
	status, _ = ask("GET", "/readyz")
	require.Equal(t, 200, status)
	before := f.replica.Status().Applied
	f.put("/k", "v")
	status, body = ask("GET", fmt.Sprintf("/debug/kernel?index=%d", before))
	require.Equal(t, 200, status)
	require.Regexp(t, fmt.Sprintf(`^\{"index":%d,"history_hash":"[0-9a-f]{16}","applied":\d+\}\n$`, before), body)
	status, body = ask("GET", "/debug/kernel")
	require.Equal(t, 200, status)
	require.Regexp(t, `^\{"index":\d+,"history_hash":"[0-9a-f]{16}","state_hash":"[0-9a-f]+","applied":\d+\}\n$`, body)
	for target, want := range map[string]int{
		"/debug/kernel?index=x": 400, "/debug/kernel?index=0": 400, "/debug/kernel?index=": 400,
		"/debug/kernel?index=999999": 404, "/nowhere": 404,
	} {
		status, _ := ask("GET", target)
		require.Equal(t, want, status, target)
	}
	status, _ = ask("POST", "/healthz")
	require.Equal(t, 405, status)
	require.NoError(t, f.replica.Close())
	status, _ = ask("GET", "/healthz")
	require.Equal(t, 503, status)
	status, _ = ask("GET", "/readyz")
	require.Equal(t, 503, status)
}

// What is no HTTP request is answered as net/http answers it for etcd: without
// the headers that etcd's handlers set, which a request does not reach. The
// answers are those of etcd 3.4.23 but for what is said below.
func TestUnreadable(t *testing.T) {
	f := newFixture(t, Limits{})
	for _, request := range []string{
		"GET /v2/keys/%zz HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /v2/keys/%zz HTTP/1.0\r\n\r\n",
		"OPTIONS /v2/keys/%zz HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET v2/keys HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /v2/keys/a\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
		"GET /v2/keys HTTP/1.1\r\nHost: h\r\nno header\r\n\r\n",
		// Here etcd says more: ": missing required Host header".
		"GET /v2/keys HTTP/1.1\r\n\r\n",
		// Here etcd's headers are there, and no body.
		"GET * HTTP/1.1\r\nHost: h\r\n\r\n",
		// Here etcd closes the connection without a word.
		"GET /v2/keys/a?prevValue=a b HTTP/1.1\r\nHost: h\r\n\r\n",
		"PUT /v2/keys/a?value=a b HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc",
		"GET /v2/keys\r\n\r\n",
	} {
		t.Run(request, func(t *testing.T) {
			conn := f.dial()
			conn.send(request)
			resp, body := conn.answer("GET")
			require.Equal(t, 400, resp.StatusCode)
			require.Equal(t, "400 Bad Request", body)
			require.True(t, resp.Close)
			require.True(t, conn.closed())
			resp.Header.Del("Date")
			resp.Header.Del("Content-Length") // etcd's body ends with the connection
			require.Equal(t, http.Header{"Content-Type": {typeText}}, resp.Header)
		})
	}
}

// OPTIONS of the server as a whole is answered below etcd's handlers too.
func TestOptionsAsterisk(t *testing.T) {
	f := newFixture(t, Limits{})
	resp, body := f.dial().ask("OPTIONS", "*", "")
	require.Equal(t, 200, resp.StatusCode)
	require.Empty(t, body)
	require.NotContains(t, resp.Header, "Access-Control-Allow-Origin")
}
