package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"holdfast/httpd"
	"holdfast/kernel/cluster"
	"holdfast/transport"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// fasthttp's clock for the Date header runs for ever, once started.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Its worker pool sleeps up to ten seconds before it sees its end.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// startMember runs a real store of one member and gives its client address and
// its X-Etcd-Index.
func startMember(t *testing.T) (address string, index func() uint64) {
	member, err := cluster.Start(t.Context(), cluster.Config{
		Name: "one", DataDir: t.TempDir(), Network: transport.NewMemory().Host("one"),
		ListenPeer: "one:2380", PeerURL: "http://one:2380", ClientURLs: []string{"http://one:2379"},
		Fatal: func(err error) { panic(err) },
	})
	require.NoError(t, err)
	server := httpd.New(httpd.Config{Replica: member.Replica()})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Shutdown(context.Background()) // a test may have left a poll hanging
		require.NoError(t, <-served)
		require.NoError(t, member.Close())
	})
	address = listener.Addr().String()
	require.Eventually(t, func() bool { return member.Replica().Status().Ready }, 10*time.Second, time.Millisecond)
	return address, func() uint64 {
		answer, err := http.Get("http://" + address + "/v2/keys/")
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		http.DefaultClient.CloseIdleConnections()
		var n uint64
		_, err = fmt.Sscan(answer.Header.Get("X-Etcd-Index"), &n)
		require.NoError(t, err)
		return n
	}
}

// serveText answers each request of each connection with the same bytes, and
// hands over what it was asked.
func serveText(t *testing.T, answer string) (address string, asked chan string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	asked = make(chan string, 100)
	var group sync.WaitGroup
	group.Go(func() {
		for {
			raw, err := listener.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				defer raw.Close()
				in := bufio.NewReader(raw)
				for {
					request, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					var text strings.Builder
					fmt.Fprintf(&text, "%s %s\n", request.Method, request.RequestURI)
					require.NoError(t, request.ParseForm())
					for _, name := range []string{"ttl", "value"} {
						if request.PostForm.Has(name) {
							fmt.Fprintf(&text, "%s=%d bytes\n", name, len(request.PostForm.Get(name)))
						}
					}
					select {
					case asked <- text.String():
					default: // nobody looks
					}
					if _, err := raw.Write([]byte(answer)); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		require.NoError(t, listener.Close())
		group.Wait()
	})
	return listener.Addr().String(), asked
}

// small is a measurement that is over soon.
func small(w Workload, addresses ...string) Options {
	o := Options{
		Workloads: []Workload{w}, Connections: []int{4}, Slices: 2, Slice: 30 * time.Millisecond,
		Timeout: 10 * time.Second, ValueBytes: 20, Keys: 150, HotKeys: 2, Watchers: 5, TTLSeconds: 100, ReadPercent: 50,
	}
	for i, address := range addresses {
		o.Targets = append(o.Targets, Target{Name: string(rune('a' + i)), Addresses: []string{address}})
	}
	return o
}

// flaky is a store that forgets its watchers once: it closes their
// connections instead of sending them the event.
type flaky struct {
	*httptest.Server
	mu      sync.Mutex
	index   int
	changed chan struct{} // closed by the next change
	cut     map[int]bool  // indices whose events get lost
}

func newFlaky(t *testing.T, cut ...int) *flaky {
	f := &flaky{changed: make(chan struct{}), cut: map[int]bool{}}
	for _, index := range cut {
		f.cut[index] = true
	}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.index++
		close(f.changed)
		f.changed = make(chan struct{})
		fmt.Fprintf(w, `{"node":{"modifiedIndex":%d}}`, f.index)
		return
	}
	var from int
	_, _ = fmt.Sscan(r.URL.Query().Get("waitIndex"), &from)
	_ = http.NewResponseController(w).Flush()
	for {
		f.mu.Lock()
		index, changed := f.index, f.changed
		lost := f.cut[from]
		f.mu.Unlock()
		switch {
		case index >= from && lost:
			panic(http.ErrAbortHandler)
		case index >= from:
			fmt.Fprintf(w, `{"node":{"modifiedIndex":%d}}`, from)
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}
