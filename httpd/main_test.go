package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/kernel"
	"holdfast/kernel/replica"
	"holdfast/transport"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for the Date header runs for ever, once started.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Its worker pool sleeps up to ten seconds before it sees its end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// fixture is a server with a real single-member replica behind it, reached
// over an in-memory network.
type fixture struct {
	t       testing.TB
	network *transport.Memory
	replica *replica.Replica
	server  *Server
	served  chan error
	logged  chan string
}

const clientAddr = "server:2379"

func newFixture(t testing.TB, limits Limits) *fixture {
	f := &fixture{t: t, network: transport.NewMemory(), served: make(chan error, 1), logged: make(chan string, 100)}
	f.replica = openReplica(t, f.network.Host("server"), t.TempDir())
	f.server = New(Config{Replica: f.replica, Build: "0.0.0-test", Limits: limits, Logf: func(format string, args ...any) {
		select {
		case f.logged <- fmt.Sprintf(format, args...):
		default:
		}
	}})
	ln, err := f.network.Host("server").Listen(clientAddr)
	require.NoError(t, err)
	go func() { f.served <- f.server.Serve(ln) }()
	t.Cleanup(func() {
		_ = f.server.Shutdown(context.Background()) // a test may have left a request hanging
		require.NoError(t, <-f.served)
	})
	return f
}

// openReplica starts a single member as the agent does: the first three
// commands make the member known, as in etcd.
func openReplica(t testing.TB, network transport.Network, dir string) *replica.Replica {
	ln, err := network.Listen("server:2380")
	require.NoError(t, err)
	mux := transport.NewMux(ln)
	raft := filepath.Join(dir, "raft")
	require.NoError(t, os.MkdirAll(raft, 0o755))
	r, err := replica.Open(replica.Config{
		ID: 0xbeef, ClusterID: 0xc1, Name: "one", Dir: raft, Network: network, Mux: mux, Addr: ln.Addr().String(),
		Voters:          []replica.Peer{{ID: 0xbeef, Addr: ln.Addr().String()}},
		ElectionTimeout: 50 * time.Millisecond, Tick: 100 * time.Millisecond,
		Fatal: func(err error) { panic(err) },
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.NoError(t, mux.Close())
	})
	member := kernel.Member{ID: 0xbeef, Name: "one", PeerURLs: []string{"http://server:2380"}, ClientURLs: []string{"http://" + clientAddr}}
	for _, c := range []kernel.Command{
		{Op: kernel.OpMemberAdd, Member: member}, {Op: kernel.OpMemberAttributes, Member: member},
		{Op: kernel.OpClusterVersion, Value: "3.4.0"},
	} {
		wire, err := kernel.AppendCommand(nil, &c)
		require.NoError(t, err)
		a, err := r.ProposeSetup(context.Background(), wire)
		require.NoError(t, err)
		require.Nil(t, a.Err)
	}
	require.Eventually(t, func() bool { return r.Status().Ready }, 10*time.Second, time.Millisecond)
	return r
}

// conn is a raw connection to the server.
type conn struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func (f *fixture) dial() *conn {
	c, err := f.network.Host("client").Dial(context.Background(), clientAddr)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = c.Close() })
	require.NoError(f.t, c.SetDeadline(time.Now().Add(20*time.Second)))
	return &conn{c, f.t, bufio.NewReader(c)}
}

func (c *conn) send(text string) {
	_, err := io.WriteString(c, text)
	require.NoError(c.t, err)
}

// head reads the head of an answer to a method.
func (c *conn) head(method string) *http.Response {
	resp, err := http.ReadResponse(c.br, &http.Request{Method: method})
	require.NoError(c.t, err)
	return resp
}

// ask sends a request and reads the whole answer.
func (c *conn) ask(method, target, body string, headers ...string) (*http.Response, string) {
	c.send(request(method, target, body, headers...))
	return c.answer(method)
}

func (c *conn) answer(method string) (*http.Response, string) {
	resp := c.head(method)
	content, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	return resp, string(content)
}

// closed tells that the server has closed the connection.
func (c *conn) closed() bool {
	_, err := c.br.ReadByte()
	return err != nil
}

func request(method, target, body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: h\r\n", method, target)
	if body != "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
		if len(headers) == 0 {
			headers = []string{"Content-Type: " + formType}
		}
	}
	for _, h := range headers {
		b.WriteString(h + "\r\n")
	}
	b.WriteString("\r\n" + body)
	return b.String()
}

// put sets a key, past HTTP.
func (f *fixture) put(key, value string) kernel.StoreIndex {
	wire, err := kernel.AppendCommand(nil, &kernel.Command{Op: kernel.OpSet, Path: key, Value: value})
	require.NoError(f.t, err)
	a, err := f.replica.Propose(context.Background(), wire)
	require.NoError(f.t, err)
	require.Nil(f.t, a.Err)
	return a.Event.Index
}

// eventually waits for a condition.
func (f *fixture) eventually(what string, holds func() bool) {
	require.Eventually(f.t, holds, 10*time.Second, time.Millisecond, what)
}
