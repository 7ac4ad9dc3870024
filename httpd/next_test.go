package httpd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

// abandoned waits until the server holds nothing more for any client.
func (f *fixture) abandoned() {
	f.eventually("all is given up", func() bool {
		f.server.mu.Lock()
		defer f.server.mu.Unlock()
		return f.server.clientLinks == 0 && f.server.takenNow == 0
	})
	require.Zero(f.t, f.replica.Watchers())
	stats := f.server.Stats()
	require.Zero(f.t, stats.LongPolls+stats.Streams)
}

// watchFrom asks for the events of a key from an index on.
func watchFrom(key string, index kernel.StoreIndex, headers ...string) string {
	return request("GET", fmt.Sprintf("/v2/keys%s?wait=true&waitIndex=%d", key, index), "", headers...)
}

// The next requests may come at any moment around the event: before it, while it is
// written, behind it. Each is answered, in order, whether it is a watch or not.
func TestNextRequestAtAnyMoment(t *testing.T) {
	f := newFixture(t, Limits{})
	const clients, rounds = 8, 100
	var group sync.WaitGroup
	for n := range clients {
		key, c := fmt.Sprintf("/k%d", n), f.dial()
		index := f.put(key, "before")
		puts := make(chan int, rounds)
		group.Go(func() {
			for i := range puts {
				f.put(key, strconv.Itoa(i))
			}
		})
		group.Go(func() {
			defer close(puts)
			c.send(watchFrom(key, index+1))
			for i := range rounds {
				resp := c.head("GET")
				puts <- i
				c.send(request("GET", "/v2/keys"+key, ""))
				body, err := io.ReadAll(resp.Body)
				assert.NoError(t, err)
				e := parseEvent(t, string(body))
				assert.Equal(t, strconv.Itoa(i), e.Node.Value)
				_, text := c.answer("GET")
				assert.Contains(t, text, fmt.Sprintf(`"value":"%d"`, i))
				c.send(watchFrom(key, kernel.StoreIndex(e.Node.ModifiedIndex+1)))
			}
			assert.NoError(t, c.Close())
		})
	}
	group.Wait()
	f.abandoned()
}

// Clients that hang up while events are on their way leave nothing behind.
func TestHangUpDuringDelivery(t *testing.T) {
	f := newFixture(t, Limits{})
	stop := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				f.put("/k", fmt.Sprint(i))
			}
		}
	})
	for _, query := range []string{"wait=true", "wait=true&stream=true", "wait=true&stream=true&waitIndex=4"} {
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				for range 50 {
					c := f.dial()
					c.send(request("GET", "/v2/keys/k?"+query, ""))
					c.head("GET")
					assert.NoError(t, c.Close())
				}
			})
		}
		clients.Wait()
	}
	close(stop)
	writer.Wait()
	f.abandoned()
}

// A client that reads late finds every event, whole and once, though they did not
// all fit into what lies between.
func TestLateReaderMissesNothing(t *testing.T) {
	f := newFixture(t, Limits{WriteTimeout: time.Hour})
	c := f.dial()
	c.send(request("GET", "/v2/keys/k?wait=true&stream=true", ""))
	lines := bufio.NewReader(c.head("GET").Body)
	const events = 500
	padding := strings.Repeat("x", 1000)
	for i := range events {
		f.put("/k", fmt.Sprint(i, padding))
	}
	for i := range events {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i, padding), parseEvent(t, line).Node.Value)
	}
	require.Equal(t, 1, f.replica.Watchers())
}

// A client that reads nothing holds up nobody else, and what waits for it is
// bounded, whatever its version of HTTP and however long the events.
func TestSlowReaderBesideFastOnes(t *testing.T) {
	for _, row := range []struct {
		version       string
		bytes, events int
	}{{"1.1", 1000, 3 * replica.MaxWatchBacklog / 2}, {"1.0", 1000, 3 * replica.MaxWatchBacklog / 2}, {"1.1", 300_000, 20}, {"1.0", 300_000, 20}} {
		t.Run(fmt.Sprint(row.version, " ", row.bytes), func(t *testing.T) {
			f := newFixture(t, Limits{WriteTimeout: time.Hour})
			stream := func(version string) (*conn, *http.Response) {
				c := f.dial()
				c.send("GET /v2/keys/k?wait=true&stream=true HTTP/" + version + "\r\nHost: x\r\n\r\n")
				return c, c.head("GET")
			}
			var slow []*conn
			for range 20 {
				c, _ := stream(row.version)
				slow = append(slow, c)
			}
			_, resp := stream("1.1")
			lines := bufio.NewReader(resp.Body)
			value := strings.Repeat("x", row.bytes)
			for range row.events {
				f.put("/k", value)
				line, err := lines.ReadString('\n')
				require.NoError(t, err)
				require.Equal(t, value, parseEvent(t, line).Node.Value)
			}
			if row.events > replica.MaxWatchBacklog {
				require.Equal(t, 1, f.replica.Watchers(), "the slow ones were ended")
			}
			for _, c := range slow {
				require.NoError(t, c.Close())
			}
			f.eventually("the connections of the slow are gone", func() bool { return f.server.Stats().Client.Conns == 1 })
		})
	}
}

// A shutdown in the midst of events ends each body behind a whole event.
func TestShutdownDuringDelivery(t *testing.T) {
	f := newFixture(t, Limits{})
	var clients, writer sync.WaitGroup
	for i := range 50 {
		c, query := f.dial(), []string{"wait=true", "wait=true&stream=true"}[i%2]
		c.send(request("GET", "/v2/keys/k?"+query, ""))
		resp := c.head("GET")
		clients.Go(func() {
			body, err := io.ReadAll(resp.Body)
			assert.NoError(t, err)
			for _, line := range strings.SplitAfter(strings.TrimSuffix(string(body), "\n"), "\n") {
				if line != "" {
					parseEvent(t, line)
				}
			}
			assert.True(t, c.closed())
		})
	}
	began, stop := make(chan struct{}), make(chan struct{})
	writer.Go(func() {
		for i := 0; ; i++ {
			f.put("/k", fmt.Sprint(i))
			if i == 20 {
				close(began)
			}
			select {
			case <-stop:
				return
			default:
			}
		}
	})
	<-began
	require.NoError(t, f.server.Shutdown(context.Background()), "nothing had to be cut off")
	clients.Wait()
	close(stop)
	writer.Wait()
	f.abandoned()
}

// stopper is a connection on which the server is stopped while it is written.
type stopper struct {
	*told
	stop         func()
	closed, torn bool
}

func (c *stopper) Write(p []byte) (int, error) {
	c.stop()
	c.torn = c.closed
	return len(p), nil
}

func (c *stopper) Close() error {
	c.closed = true
	return nil
}

// A shutdown that comes while the end of a watch is written waits for it; then
// nothing is to be answered, and the connection is closed.
func TestShutdownDuringTheEnd(t *testing.T) {
	f := newFixture(t, Limits{})
	bare := &stopper{told: new(told), stop: f.server.beginStop}
	p := onBare(bare)
	w, err := f.replica.Watch("/k", false, false, 0)
	require.NoError(t, err)
	p.server, p.watcher, p.taken.link.server, p.taken.link.count = f.server, w, f.server, new(int)
	var refused uint64
	require.True(t, f.server.remember(p.taken.link, 1, &refused))
	p.taken.link.asked.Store(true)
	require.True(t, p.Receive(nil, true, true))
	require.False(t, bare.torn)
	require.True(t, bare.closed)
}

// What follows a watch on its connection is answered as on a connection of its own.
func TestWhatFollowsAWatch(t *testing.T) {
	f := newFixture(t, Limits{})
	for i := range kernel.DefaultHistoryEvents + 10 {
		f.put("/old", fmt.Sprint(i))
	}
	long := "X-Long: " + strings.Repeat("l", 3000)
	for _, row := range []struct {
		name, method, text string
		again              bool // the connection goes on
	}{
		{"a read", "GET", request("GET", "/v2/keys/old", ""), true},
		{"a read with wait and quorum", "GET", request("GET", "/v2/keys/old?wait=true&quorum=true", ""), true},
		{"a write", "PUT", request("PUT", "/v2/keys/new", "value=x"), true},
		{"a watch of the past", "GET", watchFrom("/old", 1000), true},
		{"a watch of the past with escapes", "GET", request("GET", "/v2/keys/%6fld?wait=%74rue&waitIndex=1000", ""), true},
		{"a watch with a long head", "GET", watchFrom("/old", 1000, long), true},
		{"a watch with a head longer than is tried", "GET", watchFrom("/old", 1000, long, long), true},
		{"a watch, the last", "GET", watchFrom("/old", 1000, "Connection: close"), false},
		{"a watch over HTTP/1.0", "GET", strings.Replace(watchFrom("/old", 1000), "HTTP/1.1", "HTTP/1.0", 1), false},
		{"a watch with a body", "GET", strings.Replace(watchFrom("/old", 1000, "Content-Length: 3"), "\r\n\r\n", "\r\n\r\nabc", 1), true},
		{"a watch that expects", "GET", watchFrom("/old", 1000, "Expect: nothing"), true},
		{"a watch of what is outdated", "GET", watchFrom("/old", 5), true},
		{"a faulty watch", "GET", request("GET", "/v2/keys/old?wait=maybe", ""), true},
		{"a watch with a faulty index", "GET", request("GET", "/v2/keys/old?wait=true&waitIndex=x", ""), true},
		{"a watch of a path that is not clean", "GET", request("GET", "/v2/keys//old?wait=true", ""), true},
		{"another path", "GET", request("GET", "/v2/keysold?wait=true", ""), true},
		{"no request", "GET", "GET /v2/keys/old?wait=true\r\n\r\n", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			fresh := f.dial()
			fresh.send(row.text)
			want, wantBody := fresh.answer(row.method)
			if row.method == "PUT" {
				fresh.send(row.text) // it answers otherwise the second time
				want, wantBody = fresh.answer(row.method)
			}
			for _, split := range []int{0, 1, 20, len(row.text) - 1} {
				c := f.dial()
				c.send(request("GET", "/v2/keys/w?wait=true", ""))
				resp := c.head("GET")
				f.put("/w", "x")
				_, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				c.send(row.text[:split])
				c.send(row.text[split:])
				got, body := c.answer(row.method)
				require.Equal(t, want.StatusCode, got.StatusCode)
				require.Equal(t, want.Proto, got.Proto)
				require.Equal(t, want.TransferEncoding, got.TransferEncoding)
				require.Equal(t, steady(want.Header), steady(got.Header))
				if row.method != "PUT" && !strings.Contains(wantBody, `"errorCode"`) {
					require.Equal(t, wantBody, body)
				}
				if row.again {
					_, text := c.ask("GET", "/v2/keys/w", "")
					require.Contains(t, text, `"action":"get"`)
				} else {
					require.True(t, c.closed())
				}
			}
		})
	}
}

// steady is a head with the values of those headers left out that go on.
func steady(h http.Header) http.Header {
	h = h.Clone()
	for _, name := range []string{"X-Etcd-Index", "X-Raft-Index", "Date"} {
		if h.Get(name) != "" {
			h.Set(name, "a value")
		}
	}
	return h
}

// Watches that follow each other count as requests, each.
func TestFollowingWatchesAreCounted(t *testing.T) {
	f := newFixture(t, Limits{})
	index := f.put("/k", "v")
	c := f.dial()
	for range 10 {
		c.send(watchFrom("/k", index))
		c.answer("GET")
	}
	require.EqualValues(t, 10, f.server.Stats().Client.Requests[0][1])
}

// While a watch lasts its connection may be silent for as long as it likes; behind
// it, for as long as between two requests.
func TestSilenceAroundAWatch(t *testing.T) {
	const idle = time.Minute
	bare := new(told)
	p := onBare(bare)
	p.server.limits.IdleTimeout, p.server.deadlineSlack = idle, time.Second
	look := func() bool {
		over, again := p.look()
		require.False(t, again)
		return !over
	}
	require.True(t, look())
	require.True(t, look())
	require.Equal(t, 1, bare.reads, "told once")
	p.taken.read.set = longAgo // it has passed
	require.True(t, look())
	require.Equal(t, 2, bare.reads)
	p.woken = true // and was not asleep
	require.True(t, look())
	require.Equal(t, 3, bare.reads)

	p.over, p.again, p.endedAt = true, true, time.Now().Add(-idle/2)
	require.True(t, look())
	require.Equal(t, 4, bare.reads, "sooner than it was told")
	require.WithinDuration(t, p.endedAt.Add(idle), p.taken.read.set, 0)
	p.endedAt = time.Now().Add(-idle)
	require.False(t, look())
}

// A panic while an event is written costs the connection only.
func TestPanicDuringDelivery(t *testing.T) {
	f := newFixture(t, Limits{})
	c, other := f.dial(), f.dial()
	for _, c := range []*conn{c, other} {
		c.send(request("GET", "/v2/keys/k?wait=true", ""))
		c.head("GET")
	}
	var first *poll
	f.server.mu.Lock()
	for _, l := range f.server.sortedLinks() {
		if p := l.poll.Load(); p != nil && first == nil {
			first = p
		}
	}
	f.server.mu.Unlock()
	require.True(t, first.Receive([]*replica.Notice{nil}, true, false))
	require.Contains(t, <-f.logged, "panic while serving a request")
	require.True(t, c.closed())
	require.Equal(t, 1, f.replica.Watchers())
	f.put("/k", "v")
	f.eventually("the other has its event", func() bool { return f.replica.Watchers() == 0 })
	require.False(t, other.closed())
}
