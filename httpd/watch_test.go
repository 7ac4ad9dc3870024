package httpd

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/kernel/replica"
)

type sentEvent struct {
	Action string
	Node   struct {
		Key, Value    string
		ModifiedIndex uint64
	}
}

func parseEvent(t *testing.T, line string) sentEvent {
	var e sentEvent
	require.NoError(t, json.Unmarshal([]byte(line), &e), line)
	return e
}

// The head of a long poll is there before any event; the poll ends with the
// first event, and the connection serves the next request, as often as wanted.
func TestPollsOnOneConnection(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	for i := range 50 {
		c.send(request("GET", "/v2/keys/k?wait=true", ""))
		resp := c.head("GET")
		require.Equal(t, 200, resp.StatusCode)
		require.Equal(t, strconv.Itoa(3+i), resp.Header.Get("X-Etcd-Index"))
		require.Equal(t, "c1", resp.Header.Get("X-Etcd-Cluster-Id"))
		require.Equal(t, "*", resp.Header.Get("Access-Control-Allow-Origin"))
		require.NotEmpty(t, resp.Header.Get("X-Raft-Index"))
		require.NotEmpty(t, resp.Header.Get("X-Raft-Term"))
		require.Equal(t, "application/json", resp.Header.Get("Content-Type"))
		require.Equal(t, []string{"chunked"}, resp.TransferEncoding)
		require.Equal(t, 1, f.replica.Watchers())
		index := f.put("/k", fmt.Sprint(i))
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		e := parseEvent(t, string(body))
		require.Equal(t, uint64(index), e.Node.ModifiedIndex)
		require.Equal(t, fmt.Sprint(i), e.Node.Value)
		require.Equal(t, 0, f.replica.Watchers())
		_, text := c.ask("GET", "/v2/keys/k", "")
		require.Contains(t, text, fmt.Sprintf(`"value":"%d"`, i))
	}
}

// Old events come at once, several polls can be pipelined, and the requests
// behind a poll wait for it and lose nothing.
func TestPipelinedPolls(t *testing.T) {
	f := newFixture(t, Limits{})
	first := f.put("/k", "0")
	f.put("/k", "1")
	c := f.dial()
	c.send(request("GET", "/v2/keys/k", "") +
		request("GET", fmt.Sprintf("/v2/keys/k?wait=true&waitIndex=%d", first), "") +
		request("GET", fmt.Sprintf("/v2/keys/k?wait=true&waitIndex=%d", first+1), "") +
		request("GET", "/v2/keys/k?wait=true", "") +
		request("PUT", "/v2/keys/other", "value=x") +
		request("GET", "/v2/keys/other", ""))
	_, body := c.answer("GET")
	require.Contains(t, body, `"get"`)
	for _, want := range []string{"0", "1"} {
		_, body = c.answer("GET")
		require.Equal(t, want, parseEvent(t, body).Node.Value)
	}
	resp := c.head("GET")
	view, err := f.replica.Local()
	require.NoError(t, err)
	_, refused := view.Get("/other")
	require.NotNil(t, refused, "what lies behind a poll waits for it")
	f.put("/k", "2")
	poll, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, "2", parseEvent(t, string(poll)).Node.Value)
	resp, _ = c.answer("PUT")
	require.Equal(t, 201, resp.StatusCode)
	_, body = c.answer("GET")
	require.Contains(t, body, `"value":"x"`)
}

// A client that hangs up is noticed: its watcher goes, though nothing happens
// that it waits for.
func TestHangUpIsNoticed(t *testing.T) {
	f := newFixture(t, Limits{})
	for _, query := range []string{"wait=true", "wait=true&stream=true", "wait=true&recursive=true&waitIndex=1000"} {
		var conns []*conn
		for range 20 {
			c := f.dial()
			c.send(request("GET", "/v2/keys/k?"+query, ""))
			c.head("GET")
			conns = append(conns, c)
		}
		require.Equal(t, 20, f.replica.Watchers())
		for i, c := range conns {
			require.NoError(t, c.Close())
			f.eventually("the watcher is gone", func() bool { return f.replica.Watchers() == 19-i })
		}
	}
}

// A stream with an old waitIndex replays the ring and then follows, without a
// gap and without anything twice.
func TestStreamReplaysThenFollows(t *testing.T) {
	f := newFixture(t, Limits{})
	first := f.put("/d/k", "0")
	const replayed, total = 20, 200
	for i := 1; i < replayed; i++ {
		f.put("/d/k", fmt.Sprint(i))
		f.put("/elsewhere", "x")
	}
	c := f.dial()
	c.send(request("GET", fmt.Sprintf("/v2/keys/d?wait=true&stream=true&recursive=true&waitIndex=%d", first), ""))
	resp := c.head("GET")
	go func() {
		for i := replayed; i < total; i++ {
			f.put("/d/k", fmt.Sprint(i))
		}
	}()
	lines := bufio.NewScanner(resp.Body)
	for i := range total {
		require.True(t, lines.Scan())
		require.Equal(t, fmt.Sprint(i), parseEvent(t, lines.Text()).Node.Value)
	}
	require.Equal(t, 1, f.replica.Watchers())
}

// quorum makes a read of it even with wait, as in etcd.
func TestQuorumBeatsWait(t *testing.T) {
	f := newFixture(t, Limits{})
	f.put("/k", "v")
	_, body := f.dial().ask("GET", "/v2/keys/k?quorum=true&wait=true", "")
	require.Contains(t, body, `"action":"get"`)
}

func TestPollOverHTTP10(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	c.send("GET /v2/keys/k?wait=true HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	resp := c.head("GET")
	require.Empty(t, resp.TransferEncoding)
	f.put("/k", "v")
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err, "the end of the connection ends the answer")
	require.Equal(t, "v", parseEvent(t, string(body)).Node.Value)
}

func TestPollWithConnectionClose(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	c.send(request("GET", "/v2/keys/k?wait=true", "", "Connection: close"))
	resp := c.head("GET")
	require.True(t, resp.Close)
	f.put("/k", "v")
	_, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.True(t, c.closed())
}

// A reader that never reads loses its connection when its time is up; the
// others do not notice.
func TestReaderThatNeverReads(t *testing.T) {
	f := newFixture(t, Limits{WriteTimeout: 100 * time.Millisecond})
	c := f.dial()
	c.send(request("GET", "/v2/keys/k?wait=true&stream=true", ""))
	c.head("GET")
	value := strings.Repeat("x", 10_000)
	f.eventually("the watcher is gone", func() bool {
		f.put("/k", value)
		return f.replica.Watchers() == 0
	})
	f.eventually("its connection is gone", func() bool {
		f.server.mu.Lock()
		defer f.server.mu.Unlock()
		return f.server.clientLinks == 0 && f.server.takenNow == 0
	})
	require.Zero(t, f.server.Stats().Streams)
}

// onBare is a stream on a connection that is looked at from below.
func onBare(bare net.Conn) *poll {
	server := &Server{limits: Limits{}.complete()}
	return &poll{server: server, stream: true, chunked: true, taken: &taken{link: &link{Conn: bare, server: server}}}
}

func largeEvents(n int) []*replica.Notice {
	events := make([]*replica.Notice, n)
	for i := range events {
		events[i] = &replica.Notice{Event: &kernel.Event{
			Action: kernel.ActionSet, Node: &kernel.Node{Path: "/k", Value: strings.Repeat("v", 10_000)},
		}}
	}
	return events
}

// A stream with many large events to send holds no copy of all of them.
func TestStreamGathersLittle(t *testing.T) {
	bare := &widest{told: new(told)}
	p, events := onBare(bare), largeEvents(1000)
	require.NoError(t, p.compose(events, false))
	_, err := p.write(true)
	require.NoError(t, err)
	require.Greater(t, bare.total, 10_000_000)
	require.Greater(t, bare.largest, 10_000, "small ones go together")
	require.Less(t, bare.largest, maxPooled+20_000)
	for _, e := range events {
		require.Nil(t, e, "what is written is let go of")
	}
}

// A watch that ends while much is being sent ends behind what was sent; and a client
// that is slow has so long for all of it, not for each piece.
func TestStreamEndsBetweenPieces(t *testing.T) {
	bare := &widest{told: new(told)}
	p, events := onBare(bare), largeEvents(100)
	p.ending.Store(true)
	done, err := p.advance(events, false, true)
	require.NoError(t, err)
	require.True(t, done && p.over)
	require.Less(t, bare.total, maxPooled+20_000)
	require.NotNil(t, events[99])

	more := func() { p.out = &buffer{[]byte("more")} }
	until := time.Now().Add(time.Second)
	more()
	require.NoError(t, p.flushUntil(until))
	require.Equal(t, until, bare.deadline, "sooner than the time for a piece")
	more()
	require.NoError(t, p.flushUntil(time.Now().Add(time.Hour)))
	require.WithinRange(t, bare.deadline, until, time.Now().Add(DefaultWriteTimeout))
}

// widest notes how long writes are.
type widest struct {
	*told
	total, largest int
	deadline       time.Time
}

func (c *widest) SetWriteDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *widest) Write(p []byte) (int, error) {
	c.total += len(p)
	c.largest = max(c.largest, len(p))
	return len(p), nil
}

// A client cannot pile up requests behind a watch that does not end.
func TestTooMuchBehindAPoll(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	c.send(request("GET", "/v2/keys/k?wait=true", ""))
	c.head("GET")
	for range 2 * maxPipelined / 1000 {
		if _, err := io.WriteString(c, strings.Repeat("x", 1000)); err != nil {
			break // cut off already
		}
	}
	f.eventually("the watcher is gone", func() bool { return f.replica.Watchers() == 0 })
	require.True(t, c.closed())
}

// A shutdown ends polls and streams with a complete answer, empty if nothing
// happened, and lets a request finish.
func TestShutdownEndsWatches(t *testing.T) {
	f := newFixture(t, Limits{})
	var heads []*http.Response
	var conns []*conn
	for _, query := range []string{"wait=true", "wait=true&stream=true"} {
		for range 5 {
			c := f.dial()
			c.send(request("GET", "/v2/keys/k?"+query, ""))
			heads = append(heads, c.head("GET"))
			conns = append(conns, c)
		}
	}
	silent, idle, idleAfterPoll := f.dial(), f.dial(), f.dial()
	idle.ask("GET", "/v2/keys/", "")
	idleAfterPoll.send(request("GET", "/v2/keys/other?wait=true", ""))
	resp := idleAfterPoll.head("GET")
	f.put("/other", "x")
	_, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	began := time.Now()
	require.NoError(t, f.server.Shutdown(context.Background()), "nothing had to be cut off")
	require.Less(t, time.Since(began), ShutdownTimeout)
	for i, resp := range heads {
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Empty(t, body)
		require.True(t, conns[i].closed())
	}
	for _, c := range []*conn{silent, idle, idleAfterPoll} {
		require.True(t, c.closed())
	}
	require.Equal(t, 0, f.replica.Watchers())
	_, err = f.network.Host("client").Dial(context.Background(), clientAddr)
	require.Error(t, err, "nobody listens any more")
}

// What does not end in time is cut off, and the error says so.
func TestShutdownCutsOff(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	c.send("PUT /v2/keys/k HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nval") // and no more
	f.eventually("the server reads it", func() bool {
		f.server.mu.Lock()
		defer f.server.mu.Unlock()
		for l := range f.server.links {
			return l.asked.Load()
		}
		return false
	})
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	require.ErrorContains(t, f.server.Shutdown(ctx), "1 connections had to be cut off")
	_, _ = io.Copy(io.Discard, c.br)
	require.True(t, c.closed())
}

// The end of the replica ends watches as a shutdown does.
func TestReplicaStopsEndsWatches(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	c.send(request("GET", "/v2/keys/k?wait=true&stream=true", ""))
	resp := c.head("GET")
	require.NoError(t, f.replica.Close())
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Empty(t, body)
	resp, text := c.ask("GET", "/v2/keys/k", "")
	require.Equal(t, 500, resp.StatusCode)
	require.Equal(t, `{"errorCode":300,"message":"Raft Internal Error","cause":"member is stopping: nothing was done","index":0}`+"\n", text)
	resp, text = c.ask("PUT", "/v2/keys/k", "value=x")
	require.Equal(t, 500, resp.StatusCode)
	require.Contains(t, text, `"errorCode":300`)
}

// A takeover that fasthttp does not come to leaves no watcher behind.
func TestAbandonedTakeover(t *testing.T) {
	f := newFixture(t, Limits{})
	w, err := f.replica.Watch("/k", false, false, 0)
	require.NoError(t, err)
	f.server.beginTaken()
	undo := func() {
		w.Close()
		f.server.endTaken()
	}
	near, far := f.dial(), f.dial()
	c := &session{link: &link{Conn: near, server: f.server, count: new(int)}}
	c.abandoned.Store(&undo)
	require.Equal(t, 1, f.replica.Watchers())
	require.NoError(t, c.Close())
	require.Equal(t, 0, f.replica.Watchers())
	require.Equal(t, 0, f.server.takenNow)
	require.NoError(t, far.Close())
}

func TestOutdatedWatch(t *testing.T) {
	f := newFixture(t, Limits{})
	for i := range kernel.DefaultHistoryEvents + 10 {
		f.put("/k", fmt.Sprint(i))
	}
	resp, body := f.dial().ask("GET", "/v2/keys/k?wait=true&waitIndex=5", "")
	require.Equal(t, 400, resp.StatusCode)
	require.Equal(t, "1013", resp.Header.Get("X-Etcd-Index"))
	require.Equal(t, `{"errorCode":401,"message":"The event in requested index is outdated and cleared",`+
		`"cause":"the requested history has been cleared [14/5]","index":1013}`+"\n", body)
}
