package jepsen_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen"
)

// newClient is a client of one endpoint that is closed with the test.
func newClient(t *testing.T, endpoint string) *jepsen.Client {
	now := int64(0)
	c := &jepsen.Client{
		Process: 3, Endpoint: endpoint, Timeout: 5 * time.Second, Now: func() int64 { now++; return now },
	}
	t.Cleanup(c.Close)
	return c
}

// Each kind is the request that its comment promises, whatever key and value
// are made of.
func TestRequests(t *testing.T) {
	const get, put, del = "GET /v2/keys/k", "PUT /v2/keys/k", "DELETE /v2/keys/k"
	for _, c := range []struct {
		o    jepsen.Operation
		line string
		body string
	}{
		{jepsen.Operation{Op: jepsen.Read}, get + "?quorum=true", ""},
		{jepsen.Operation{Op: jepsen.LocalRead}, get, ""},
		{jepsen.Operation{Op: jepsen.List}, get + "?quorum=true&recursive=true&sorted=true", ""},
		{jepsen.Operation{Op: jepsen.LocalList}, get + "?recursive=true&sorted=true", ""},
		{jepsen.Operation{Op: jepsen.Write, Arg: "a b&c=é"}, put, "value=a+b%26c%3D%C3%A9"},
		{jepsen.Operation{Op: jepsen.Write, Arg: "v", TTL: 5}, put, "value=v&ttl=5"},
		{jepsen.Operation{Op: jepsen.Create, Arg: "v", TTL: 5}, put, "value=v&prevExist=false&ttl=5"},
		{jepsen.Operation{Op: jepsen.Update, Arg: "v"}, put, "value=v&prevExist=true"},
		{jepsen.Operation{Op: jepsen.CAS, Arg: "v", Prev: "u"}, put, "value=v&prevValue=u"},
		{jepsen.Operation{Op: jepsen.CAS, Arg: "v", Prev: "u", PrevIndex: 7}, put, "value=v&prevValue=u&prevIndex=7"},
		{jepsen.Operation{Op: jepsen.Refresh, TTL: 3}, put, "refresh=true&prevExist=true&ttl=3"},
		{jepsen.Operation{Op: jepsen.Delete}, del, ""},
		{jepsen.Operation{Op: jepsen.CAD, Prev: "u"}, del + "?prevValue=u", ""},
		{jepsen.Operation{Op: jepsen.CAD, PrevIndex: 7}, del + "?prevIndex=7", ""},
		{jepsen.Operation{Op: jepsen.InOrder, Arg: "v"}, "POST /v2/keys/k", "value=v"},
		{jepsen.Operation{Op: jepsen.MakeDir, TTL: 2}, put, "dir=true&prevExist=false&ttl=2"},
		{jepsen.Operation{Op: jepsen.RemoveDir}, del + "?dir=true", ""},
		{jepsen.Operation{Op: jepsen.RemoveAll}, del + "?recursive=true", ""},
		{jepsen.Operation{Op: jepsen.Watch}, get + "?wait=true", ""},
		{jepsen.Operation{Op: jepsen.Watch, WaitIndex: 9, Recursive: true}, get + "?wait=true&recursive=true&waitIndex=9", ""},
		{jepsen.Operation{Op: jepsen.Stream, WaitIndex: 9}, get + "?wait=true&stream=true&waitIndex=9", ""},
		{jepsen.Operation{Op: jepsen.Read, Key: "/é x?y"}, "GET /v2/keys/%C3%A9%20x%3Fy?quorum=true", ""},
	} {
		var line, body, host string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			line, body, host = r.Method+" "+r.RequestURI, string(b), r.Host
			_, _ = io.WriteString(w, `{"action":"x","node":{"key":"/k"}}`)
		}))
		if c.o.Key == "" {
			c.o.Key = "/k"
		}
		cl := newClient(t, srv.URL+"/")
		o := cl.Do(context.Background(), c.o)
		cl.Close()
		srv.Close()
		assert.Equal(t, jepsen.OK, o.Outcome, o.Error)
		assert.Equal(t, c.line, line)
		assert.Equal(t, c.body, body)
		assert.Equal(t, strings.TrimPrefix(srv.URL, "http://"), host)
		assert.Equal(t, 3, o.Process)
		assert.Equal(t, srv.URL+"/", o.Member)
	}
}

// What cannot be asked is not sent.
func TestRefusesToAsk(t *testing.T) {
	for _, c := range []struct {
		endpoint string
		o        jepsen.Operation
	}{
		{"http://127.0.0.1:1", jepsen.Operation{Op: "jump", Key: "/k"}},
		{"http://127.0.0.1:1", jepsen.Operation{Op: jepsen.CAS, Key: "/k", Arg: "v"}},
		{"http://127.0.0.1:1", jepsen.Operation{Op: jepsen.CAD, Key: "/k"}},
		{"http://127.0.0.1:1", jepsen.Operation{Op: jepsen.Write, Key: "k"}},
		{"https://127.0.0.1:1", jepsen.Operation{Op: jepsen.Write, Key: "/k"}},
		{"http://", jepsen.Operation{Op: jepsen.Write, Key: "/k"}},
		{"http://127.0.0.1:1/v2", jepsen.Operation{Op: jepsen.Write, Key: "/k"}},
	} {
		cl := newClient(t, c.endpoint)
		cl.Dial = func(context.Context, string) (net.Conn, error) {
			t.Errorf("%+v: dials", c.o)
			return nil, io.EOF
		}
		o := cl.Do(context.Background(), c.o)
		assert.Equal(t, jepsen.Fail, o.Outcome)
		assert.NotEmpty(t, o.Error)
	}
}

func text(s string) *string { return &s }

// All that an answer tells is recorded, refusals included.
func TestAnswers(t *testing.T) {
	type op = jepsen.Operation
	const node = `"node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":5,"ttl":3}`
	const prev = `,"prevNode":{"key":"/k","value":"u","modifiedIndex":6,"createdIndex":5}`
	for _, c := range []struct {
		name   string
		status int
		body   string
		ask    op
		want   op
	}{
		{"read", 200, `{"action":"get",` + node + `}`, op{Op: jepsen.Read},
			op{Outcome: jepsen.OK, Action: "get", Result: "v", ModifiedIndex: 7, CreatedIndex: 5, TTLLeft: 3, EtcdIndex: 9}},
		{"read of a directory", 200, `{"action":"get","node":{"key":"/k","dir":true,"nodes":[{"key":"/k/a"}],"modifiedIndex":7,"createdIndex":7}}`,
			op{Op: jepsen.Read}, op{Outcome: jepsen.OK, Action: "get", Dir: true, ModifiedIndex: 7, CreatedIndex: 7, EtcdIndex: 9}},
		{"absent", 404, `{"errorCode":100,"message":"Key not found","cause":"/k","index":9}`, op{Op: jepsen.LocalRead},
			op{Outcome: jepsen.OK, Missing: true, ErrorCode: 100, EtcdIndex: 9}},
		{"list", 200, `{"action":"get","node":{"dir":true,"nodes":[{"key":"/a","dir":true,"nodes":[{"key":"/a/z","value":"1","modifiedIndex":8,"createdIndex":4,"ttl":2}],` +
			`"modifiedIndex":4,"createdIndex":4},{"key":"/a!","value":"2","modifiedIndex":6,"createdIndex":6}]}}`, op{Op: jepsen.List, Key: "/"},
			op{Outcome: jepsen.OK, Action: "get", Dir: true, EtcdIndex: 9, Nodes: []jepsen.Node{
				{Key: "/a", Dir: true, ModifiedIndex: 4, CreatedIndex: 4}, {Key: "/a!", Value: "2", ModifiedIndex: 6, CreatedIndex: 6},
				{Key: "/a/z", Value: "1", ModifiedIndex: 8, CreatedIndex: 4, TTLLeft: 2}}}},
		{"list that is not sorted", 200, `{"action":"get","node":{"dir":true,"nodes":[{"key":"/a","dir":true,"nodes":[{"key":"/a/z"},{"key":"/a/y"}]},{"key":"/b"}]}}`,
			op{Op: jepsen.List, Key: "/"}, op{Outcome: jepsen.OK, Action: "get", Dir: true, EtcdIndex: 9, Unsorted: true, Nodes: []jepsen.Node{
				{Key: "/a", Dir: true}, {Key: "/a/y"}, {Key: "/a/z"}, {Key: "/b"}}}},
		{"list of a key", 200, `{"action":"get",` + node + `}`, op{Op: jepsen.LocalList},
			op{Outcome: jepsen.OK, Action: "get", Result: "v", ModifiedIndex: 7, CreatedIndex: 5, TTLLeft: 3, EtcdIndex: 9}},
		{"write", 200, `{"action":"set",` + node + prev + `}`, op{Op: jepsen.Write, Arg: "v"},
			op{Outcome: jepsen.OK, Action: "set", Result: "u", ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 6, TTLLeft: 3, EtcdIndex: 9}},
		{"swap", 200, `{"action":"compareAndSwap",` + node + prev + `}`, op{Op: jepsen.CAS, Arg: "v", Prev: "u"},
			op{Outcome: jepsen.OK, Action: "compareAndSwap", Result: "u", ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 6, TTLLeft: 3, EtcdIndex: 9}},
		{"refresh", 200, `{"action":"update","node":{"key":"/k","value":"u","modifiedIndex":7,"createdIndex":5,"ttl":3}` + prev + `}`, op{Op: jepsen.Refresh, TTL: 3},
			op{Outcome: jepsen.OK, Action: "update", Result: "u", ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 6, TTLLeft: 3, EtcdIndex: 9}},
		{"a refresh changes the value", 200, `{"action":"update",` + node + prev + `}`, op{Op: jepsen.Refresh, TTL: 3},
			op{Outcome: jepsen.OK, Action: "update", Result: "u", Shown: text("v"), ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 6, TTLLeft: 3, EtcdIndex: 9}},
		{"another value", 200, `{"action":"compareAndSwap",` + node + prev + `}`, op{Op: jepsen.CAS, Arg: "w", Prev: "u"},
			op{Outcome: jepsen.OK, Action: "compareAndSwap", Result: "u", Shown: text("v"), ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 6, TTLLeft: 3, EtcdIndex: 9}},
		{"no value, no key", 201, `{"action":"create","node":{"modifiedIndex":7}}`, op{Op: jepsen.Create, Arg: "w"},
			op{Outcome: jepsen.OK, Action: "create", Shown: text(""), Node: "/", ModifiedIndex: 7, EtcdIndex: 9}},
		{"what is gone has a value", 200, `{"action":"delete",` + node + prev + `}`, op{Op: jepsen.Delete},
			op{Outcome: jepsen.OK, Action: "delete", Result: "u", Shown: text("v"), ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 6, TTLLeft: 3, EtcdIndex: 9}},
		{"created, and says that it was there", 200, `{"action":"create","node":{"key":"/k","value":"w","modifiedIndex":7}}`, op{Op: jepsen.Create, Arg: "w"},
			op{Outcome: jepsen.OK, Status: 200, Action: "create", ModifiedIndex: 7, EtcdIndex: 9}},
		{"replaced, and says that it was not there", 201, `{"action":"set",` + node + prev + `}`, op{Op: jepsen.Write, Arg: "v"},
			op{Outcome: jepsen.OK, Status: 201, Action: "set", Result: "u", ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 6, TTLLeft: 3, EtcdIndex: 9}},
		{"absent, and forbidden", 403, `{"errorCode":100,"message":"Key not found","cause":"/k","index":9}`, op{Op: jepsen.Read},
			op{Outcome: jepsen.OK, Status: 403, Missing: true, ErrorCode: 100, EtcdIndex: 9}},
		{"in order", 201, `{"action":"create","node":{"key":"/k/00007","value":"v","modifiedIndex":7,"createdIndex":7}}`, op{Op: jepsen.InOrder, Arg: "v"},
			op{Outcome: jepsen.OK, Action: "create", Node: "/k/00007", ModifiedIndex: 7, CreatedIndex: 7, EtcdIndex: 9}},
		{"delete", 200, `{"action":"delete","node":{"key":"/k","dir":true,"modifiedIndex":7,"createdIndex":5},"prevNode":{"key":"/k","dir":true,"modifiedIndex":5,"createdIndex":5}}`,
			op{Op: jepsen.RemoveAll}, op{Outcome: jepsen.OK, Action: "delete", Dir: true, ModifiedIndex: 7, CreatedIndex: 5, PrevModified: 5, EtcdIndex: 9}},
		{"met a value", 412, `{"errorCode":101,"message":"Compare failed","cause":"[u != w]","index":9}`, op{Op: jepsen.CAD, Prev: "u"},
			op{Outcome: jepsen.Fail, ErrorCode: 101, Error: "Compare failed", Result: "w", EtcdIndex: 9}},
		{"met an index", 412, `{"errorCode":101,"message":"Compare failed","cause":"[4 != 6]","index":9}`, op{Op: jepsen.CAS, PrevIndex: 4, Arg: "v"},
			op{Outcome: jepsen.Fail, ErrorCode: 101, Error: "Compare failed", PrevModified: 6, EtcdIndex: 9}},
		{"met a value and an index", 412, `{"errorCode":101,"message":"Compare failed","cause":"[u != w] [4 != 6]","index":9}`, op{Op: jepsen.CAS, Prev: "u", PrevIndex: 4, Arg: "v"},
			op{Outcome: jepsen.Fail, ErrorCode: 101, Error: "Compare failed", Result: "w", PrevModified: 6, EtcdIndex: 9}},
		{"met of both a value", 412, `{"errorCode":101,"message":"Compare failed","cause":"[u != w]","index":9}`, op{Op: jepsen.CAD, Prev: "u", PrevIndex: 4},
			op{Outcome: jepsen.Fail, ErrorCode: 101, Error: "Compare failed", Result: "w", EtcdIndex: 9}},
		{"met of both an index", 412, `{"errorCode":101,"message":"Compare failed","cause":"[4 != 6]","index":9}`, op{Op: jepsen.CAD, Prev: "u", PrevIndex: 4},
			op{Outcome: jepsen.Fail, ErrorCode: 101, Error: "Compare failed", PrevModified: 6, EtcdIndex: 9}},
		{"exists", 412, `{"errorCode":105,"message":"Key already exists","cause":"/k","index":9}`, op{Op: jepsen.Create, Arg: "v"},
			op{Outcome: jepsen.Fail, ErrorCode: 105, Error: "Key already exists", EtcdIndex: 9}},
		{"missing", 404, `{"errorCode":100,"message":"Key not found","cause":"/k","index":9}`, op{Op: jepsen.Refresh, TTL: 1},
			op{Outcome: jepsen.Fail, Missing: true, ErrorCode: 100, Error: "Key not found", EtcdIndex: 9}},
		{"history cleared", 400, `{"errorCode":401,"message":"The event in requested index is outdated and cleared","cause":"…","index":9}`, op{Op: jepsen.Watch, WaitIndex: 2},
			op{Outcome: jepsen.Fail, ErrorCode: 401, Error: "The event in requested index is outdated and cleared", EtcdIndex: 9}},
		{"polled", 200, `{"action":"set",` + node + prev + `}`, op{Op: jepsen.Watch, WaitIndex: 2},
			op{Outcome: jepsen.OK, EtcdIndex: 9, Events: []jepsen.Event{
				{Index: 7, Action: "set", Key: "/k", Value: "v", CreatedIndex: 5, PrevIndex: 6, PrevValue: "u"}}}},
		{"poll ended", 200, ``, op{Op: jepsen.Watch, WaitIndex: 2}, op{Outcome: jepsen.OK, EtcdIndex: 9}},
		{"polled too much", 200, `{"action":"set",` + node + `}{"action":"expire","node":{"key":"/k","dir":true,"modifiedIndex":8}}`, op{Op: jepsen.Watch},
			op{Outcome: jepsen.OK, EtcdIndex: 9, Events: []jepsen.Event{
				{Index: 7, Action: "set", Key: "/k", Value: "v", CreatedIndex: 5}, {Index: 8, Action: "expire", Key: "/k", Dir: true}}}},
	} {
		for _, header := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s %t", c.name, header), func(t *testing.T) {
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("X-Raft-Index", "30")
					w.Header().Set("X-Raft-Term", "2")
					if header {
						w.Header().Set("X-Etcd-Index", "9")
					}
					w.WriteHeader(c.status)
					_, _ = io.WriteString(w, c.body)
				}))
				defer srv.Close()
				if c.ask.Key == "" {
					c.ask.Key = "/k"
				}
				cl := newClient(t, srv.URL)
				got := cl.Do(context.Background(), c.ask)
				want := c.want
				want.Process, want.Call, want.Return, want.Member = 3, 1, 2, srv.URL
				want.RaftIndex, want.RaftTerm = 30, 2
				if !header && c.status < 400 {
					want.EtcdIndex = 0
				}
				want.Op, want.Key, want.Arg, want.Prev, want.PrevIndex = c.ask.Op, c.ask.Key, c.ask.Arg, c.ask.Prev, c.ask.PrevIndex
				want.TTL, want.WaitIndex = c.ask.TTL, c.ask.WaitIndex
				assert.Equal(t, want, got)
			})
		}
	}
}

// An operation fails only when it certainly had no effect.
func TestOutcomes(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	nobody := "http://" + closed.Addr().String()
	require.NoError(t, closed.Close())

	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	hangUpAfter := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, body)
		}
	}
	hangUp := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	silence := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the client left
		<-r.Context().Done()
	})
	const ok = `{"action":"update","node":{"value":"v","modifiedIndex":7}}`
	for _, c := range []struct {
		name               string
		h                  http.HandlerFunc
		write, read, watch jepsen.Outcome
		code, status       int
	}{
		{"nobody listens", nil, jepsen.Fail, jepsen.Fail, jepsen.Fail, 0, 0},
		{"done", answer(200, ok), jepsen.OK, jepsen.OK, jepsen.OK, 0, 0},
		{"cut off", hangUpAfter(ok[:20]), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 0},
		{"half an answer", answer(200, ok[:20]), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 200},
		{"no leader", answer(500, `{"errorCode":300,"message":"Raft Internal Error"}`), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 300, 0},
		{"no place", answer(503, "too many connections; try again later\n"), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 503},
		{"not the API", answer(404, "404 page not found\n"), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 404},
		{"nothing", answer(204, ""), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 204},
		{"no node", answer(200, `{}`), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 200},
		{"no JSON", answer(200, `set`), jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 200},
		{"too long", answer(200, `{"action":"`+strings.Repeat("x", 600<<10)), jepsen.Unknown, jepsen.Fail, jepsen.OK, 0, 0},
		{"absent", answer(404, `{"errorCode":100,"message":"Key not found"}`), jepsen.Fail, jepsen.OK, jepsen.Fail, 100, 0},
		{"refused", answer(403, `{"errorCode":102,"message":"Not a file"}`), jepsen.Fail, jepsen.Fail, jepsen.Fail, 102, 0},
		{"hung up", hangUp, jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 0},
		{"no answer", silence, jepsen.Unknown, jepsen.Fail, jepsen.Fail, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			endpoint := nobody
			if c.h != nil {
				srv := httptest.NewServer(c.h)
				defer srv.Close()
				endpoint = srv.URL
			}
			cl := newClient(t, endpoint)
			cl.Timeout = 300 * time.Millisecond
			var h jepsen.History
			for _, k := range []jepsen.Kind{
				jepsen.Write, jepsen.Create, jepsen.Update, jepsen.CAS, jepsen.Refresh, jepsen.Delete, jepsen.CAD,
				jepsen.InOrder, jepsen.MakeDir, jepsen.RemoveDir, jepsen.RemoveAll,
				jepsen.Read, jepsen.LocalRead, jepsen.List, jepsen.LocalList, jepsen.Watch, jepsen.Stream,
			} {
				if c.name == "no answer" && k != jepsen.Write && k != jepsen.Read && k != jepsen.Watch {
					continue // each takes its time
				}
				o := cl.Do(context.Background(), jepsen.Operation{Op: k, Key: "/k", Prev: "u", Arg: "v"})
				want := c.read
				if !k.Reads() {
					want = c.write
				} else if k == jepsen.Watch || k == jepsen.Stream {
					want = c.watch
				}
				assert.Equal(t, want, o.Outcome, "%s: %s", k, o.Error)
				assert.Equal(t, c.code, o.ErrorCode)
				if k != jepsen.Watch && k != jepsen.Stream || c.name != "half an answer" { // that is an end like any other
					assert.Equal(t, c.status, o.Status, k)
				}
				h = append(h, o)
			}
			cl.Close() // before the server, which waits for its clients
			assert.NoError(t, h.Validate())
		})
	}
}

// script is a server that answers each connection by hand.
type script struct {
	url      string
	accepted atomic.Int32
}

// newScript serves connections with f until it returns; the connection is then
// closed.
func newScript(t *testing.T, f func(c net.Conn, number int)) *script {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &script{url: "http://" + ln.Addr().String()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			f(c, int(s.accepted.Add(1)))
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return s
}

// hear reads one request without a body from c.
func hear(c net.Conn) string {
	var b []byte
	for one := make([]byte, 1); !strings.HasSuffix(string(b), "\r\n\r\n"); {
		if n, err := c.Read(one); n == 0 || err != nil {
			return ""
		}
		b = append(b, one[0])
	}
	return string(b)
}

func say(c net.Conn, text string) { _, _ = io.WriteString(c, text) }

const (
	found = `{"action":"get","node":{"key":"/k","value":"v","modifiedIndex":7,"createdIndex":7}}`
	whole = "HTTP/1.1 200 OK\r\nX-Etcd-Index: 9\r\nContent-Length: 83\r\n\r\n" + found
)

// One connection serves one operation after the other, and a second endpoint
// has its own.
func TestKeepsConnections(t *testing.T) {
	serve := func(c net.Conn, _ int) {
		for hear(c) != "" {
			say(c, whole)
		}
	}
	a, b := newScript(t, serve), newScript(t, serve)
	cl := newClient(t, a.url)
	for range 3 {
		for _, s := range []*script{a, b} {
			cl.Endpoint = s.url
			o := cl.Do(context.Background(), jepsen.Operation{Op: jepsen.Read, Key: "/k"})
			require.Equal(t, jepsen.OK, o.Outcome, o.Error)
			o = cl.Do(context.Background(), jepsen.Operation{Op: jepsen.Watch, Key: "/k"})
			require.Len(t, o.Events, 1, o.Error)
		}
	}
	cl.Close()
	assert.EqualValues(t, 1, a.accepted.Load())
	assert.EqualValues(t, 1, b.accepted.Load())
}

// A connection that was closed meanwhile costs one operation, which is not
// sent again; the next one has a new connection.
func TestStaleConnection(t *testing.T) {
	for _, c := range []struct {
		kind jepsen.Kind
		want jepsen.Outcome
	}{{jepsen.Delete, jepsen.Unknown}, {jepsen.Read, jepsen.Fail}, {jepsen.Watch, jepsen.Fail}} {
		hungUp := make(chan struct{})
		s := newScript(t, func(conn net.Conn, number int) {
			hear(conn)
			say(conn, whole)
			if number == 1 {
				_ = conn.Close()
				close(hungUp)
			}
		})
		cl := newClient(t, s.url)
		ask := jepsen.Operation{Op: c.kind, Key: "/k"}
		require.Equal(t, jepsen.OK, cl.Do(context.Background(), ask).Outcome)
		<-hungUp
		o := cl.Do(context.Background(), ask)
		assert.Equal(t, c.want, o.Outcome)
		assert.NotEmpty(t, o.Error)
		assert.EqualValues(t, 1, s.accepted.Load(), "asked again")
		assert.Equal(t, jepsen.OK, cl.Do(context.Background(), ask).Outcome)
		cl.Close()
	}
}

// A server that says it will close the connection is believed.
func TestConnectionClose(t *testing.T) {
	s := newScript(t, func(c net.Conn, _ int) {
		hear(c)
		say(c, strings.Replace(whole, "\r\n", "\r\nConnection: close\r\n", 1))
	})
	cl := newClient(t, s.url)
	for range 2 {
		o := cl.Do(context.Background(), jepsen.Operation{Op: jepsen.Delete, Key: "/k"})
		assert.Equal(t, jepsen.OK, o.Outcome, o.Error)
	}
	assert.EqualValues(t, 2, s.accepted.Load())
}

const head = "HTTP/1.1 200 OK\r\nX-Etcd-Index: 9\r\nTransfer-Encoding: chunked\r\n\r\n"

func chunk(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }

// A watch ends well by the client's time, by its context and by the server's
// last chunk; what a stream saw counts, however it ended.
func TestWatchEnds(t *testing.T) {
	event := func(i int) string {
		return fmt.Sprintf(`{"action":"set","node":{"key":"/k","value":"v","modifiedIndex":%d,"createdIndex":%d}}`+"\n", i, i)
	}
	wait := func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) } // for the client to hang up
	for _, c := range []struct {
		name   string
		serve  func(net.Conn)
		want   jepsen.Outcome
		events int
		index  uint64
		broken bool
	}{
		{"time is up", func(c net.Conn) { say(c, head); wait(c) }, jepsen.OK, 0, 9, false},
		{"time is up before the head", wait, jepsen.Fail, 0, 0, true},
		{"time is up in between", func(c net.Conn) { say(c, head+chunk(event(7))); say(c, chunk(event(8))); wait(c) }, jepsen.OK, 2, 9, false},
		{"time is up within an event", func(c net.Conn) { say(c, head+chunk(event(7)+event(8)[:20])); wait(c) }, jepsen.OK, 1, 9, false},
		{"ended", func(c net.Conn) { say(c, head+"0\r\n\r\n") }, jepsen.OK, 0, 9, false},
		{"ended later", func(c net.Conn) { say(c, head+chunk(event(7)+event(8))+"0\r\n\r\n") }, jepsen.OK, 2, 9, false},
		{"broken", func(c net.Conn) { say(c, head) }, jepsen.Fail, 0, 9, true},
		{"broken later", func(c net.Conn) { say(c, head+chunk(event(7))) }, jepsen.OK, 1, 9, true},
		{"broken within an event", func(c net.Conn) { say(c, head+chunk(event(7))+chunk(event(8)[:20])) }, jepsen.OK, 1, 9, true},
		{"not an event", func(c net.Conn) { say(c, head+chunk("{}")) }, jepsen.Fail, 0, 9, true},
		{"not chunked", func(c net.Conn) { say(c, "HTTP/1.1 200 OK\r\nX-Etcd-Index: 9\r\nConnection: close\r\n\r\n"+event(7)) }, jepsen.OK, 1, 9, false},
		{"without end", func(c net.Conn) {
			say(c, head)
			for i := 0; ; i++ {
				if _, err := io.WriteString(c, chunk(event(i+10))); err != nil {
					return
				}
			}
		}, jepsen.OK, -1, 9, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, func(conn net.Conn, _ int) {
				hear(conn)
				c.serve(conn)
			})
			cl := newClient(t, s.url)
			cl.WatchTimeout = 200 * time.Millisecond
			if c.events < 0 {
				cl.WatchTimeout = time.Minute
			}
			o := cl.Do(context.Background(), jepsen.Operation{Op: jepsen.Stream, Key: "/k"})
			cl.Close()
			assert.Equal(t, c.want, o.Outcome, o.Error)
			assert.Equal(t, c.index, o.EtcdIndex)
			assert.Equal(t, c.broken, o.Error != "", o.Error)
			assert.Len(t, o.EventsAt, len(o.Events))
			if c.events >= 0 {
				assert.Len(t, o.Events, c.events)
			} else {
				assert.Greater(t, len(o.Events), 1000)
				var line strings.Builder
				require.NoError(t, jepsen.History{o}.Encode(&line))
				assert.Less(t, line.Len(), jepsen.MaxLineBytes)
			}
		})
	}
}

// The end of the context ends whatever is under way, at once, and so does the
// end of the time a connection may take.
func TestBrokenOff(t *testing.T) {
	s := newScript(t, func(c net.Conn, _ int) {
		hear(c)
		_, _ = c.Read(make([]byte, 1))
	})
	cl := newClient(t, s.url)
	cl.Timeout = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	timer := time.AfterFunc(50*time.Millisecond, cancel)
	defer timer.Stop()
	assert.Equal(t, jepsen.Unknown, cl.Do(ctx, jepsen.Operation{Op: jepsen.Delete, Key: "/k"}).Outcome)
	assert.Equal(t, jepsen.Fail, cl.Do(ctx, jepsen.Operation{Op: jepsen.Delete, Key: "/k"}).Outcome, "does not even connect")

	cl.Timeout, cl.Endpoint = 50*time.Millisecond, "http://127.0.0.1:9"
	cl.Dial = func(ctx context.Context, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	assert.Equal(t, jepsen.Fail, cl.Do(context.Background(), jepsen.Operation{Op: jepsen.Delete, Key: "/k"}).Outcome)
}
