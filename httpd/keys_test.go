package httpd

import (
	"encoding/json"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/valyala/fasthttp"

	"holdfast/kernel"
)

// The operation of each write is the one that etcd's apply picks.
func TestOperations(t *testing.T) {
	for _, c := range []struct {
		method, query string
		want          kernel.Command
	}{
		{"PUT", "value=v", kernel.Command{Op: kernel.OpSet, Value: "v"}},
		{"PUT", "dir=true&ttl=", kernel.Command{Op: kernel.OpSet, Dir: true}},
		{"PUT", "value=v&prevIndex=0", kernel.Command{Op: kernel.OpSet, Value: "v"}},
		{"PUT", "value=v&ttl=0", kernel.Command{Op: kernel.OpSet, Value: "v", HasTTL: true}},
		{"PUT", "prevExist=true&value=v&ttl=5", kernel.Command{Op: kernel.OpUpdate, Value: "v", HasTTL: true, TTLSeconds: 5}},
		{"PUT", "prevExist=true&refresh=true&ttl=5", kernel.Command{Op: kernel.OpUpdate, Refresh: true, HasTTL: true, TTLSeconds: 5}},
		{"PUT", "prevExist=false&value=v&prevIndex=3&prevValue=x", kernel.Command{Op: kernel.OpCreate, Value: "v"}},
		{"PUT", "prevExist=true&prevIndex=3", kernel.Command{Op: kernel.OpCompareAndSwap, PrevIndex: 3}},
		{"PUT", "prevValue=x&value=y", kernel.Command{Op: kernel.OpCompareAndSwap, PrevValue: "x", Value: "y"}},
		{"POST", "value=v&prevExist=true&prevIndex=3&ttl=5", kernel.Command{Op: kernel.OpCreateInOrder, Value: "v", HasTTL: true, TTLSeconds: 5}},
		{"DELETE", "value=v&ttl=5", kernel.Command{Op: kernel.OpDelete}},
		{"DELETE", "recursive=true&prevIndex=0", kernel.Command{Op: kernel.OpDelete, Recursive: true}},
		{"DELETE", "dir=true&prevIndex=9&prevValue=x", kernel.Command{Op: kernel.OpCompareAndDelete, Dir: true, PrevIndex: 9, PrevValue: "x"}},
	} {
		var p params
		p.reset(len(c.query))
		require.Empty(t, p.scan([]byte(c.query)))
		var q keysRequest
		require.Nil(t, q.parse(&p, []byte("/k"), false))
		switch c.method {
		case "PUT":
			q.choosePut()
		case "POST":
			q.choosePost()
		default:
			q.chooseDelete()
		}
		c.want.Path = "/k"
		require.Equal(t, c.want, q.command, "%s %s", c.method, c.query)
		wire, refused := q.encode()
		require.Nil(t, refused)
		back, err := kernel.DecodeCommand(wire)
		require.NoError(t, err)
		require.Equal(t, c.want, back)
	}
}

// A request with faults is refused before it does anything, with the fault
// that etcd finds first.
func TestFaultyRequests(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	for _, q := range []struct {
		query string
		code  kernel.Code
		cause string
	}{
		{"prevIndex=x&waitIndex=x", 203, `invalid value for "prevIndex"`},
		{"waitIndex=-1&recursive=x", 203, `invalid value for "waitIndex"`},
		{"recursive=&sorted=x", 209, `invalid value for "recursive"`},
		{"sorted=x&wait=x", 209, `invalid value for "sorted"`},
		{"wait=x&dir=x", 209, `invalid value for "wait"`},
		{"dir&quorum=x", 209, `invalid value for "dir"`},
		{"quorum=x&stream=x", 209, `invalid value for "quorum"`},
		{"stream=x&wait=true", 209, `invalid value for "stream"`},
		{"wait=true&prevValue=", 209, `"wait" can only be used with GET requests`},
		{"prevValue=&noValueOnSuccess=x", 201, `"prevValue" cannot be empty`},
		{"noValueOnSuccess=x&ttl=x", 209, `invalid value for "noValueOnSuccess"`},
		{"ttl=-1&prevExist=x", 202, `invalid value for "ttl"`},
		{"prevExist=x&refresh=x", 209, "invalid value for prevExist"},
		{"refresh=x", 209, "invalid value for refresh"},
		{"refresh=true&value=v", 211, "A value was provided on a refresh"},
		{"refresh=true&value=&ttl=", 212, "No TTL value set"},
		{"value=%zz", 210, `invalid URL escape "%zz"`},
		{"a;b", 210, "invalid semicolon separator in query"},
	} {
		resp, body := c.ask("PUT", "/v2/keys/k?"+q.query, "")
		require.Equal(t, 400, resp.StatusCode, q.query)
		require.Equal(t, "0", resp.Header.Get("X-Etcd-Index"))
		require.Empty(t, resp.Header.Get("X-Raft-Index"))
		var got struct {
			ErrorCode      kernel.Code
			Message, Cause string
		}
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		require.Equal(t, q.code, got.ErrorCode, q.query)
		require.Equal(t, q.cause, got.Cause)
		require.Equal(t, message(q.code), got.Message)
	}
	resp, _ := c.ask("GET", "/v2/keys/k", "")
	require.Equal(t, 404, resp.StatusCode)
	require.Equal(t, "3", resp.Header.Get("X-Etcd-Index"))
}

// exchanges on one connection, in order: the whole answer counts.
func TestConversation(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	for _, q := range []struct {
		method, target, form string
		status               int
		want                 string
	}{
		{"PUT", "/v2/keys/k", "value=<1>", 201, `{"action":"set","node":{"key":"/k","value":"\u003c1\u003e","modifiedIndex":4,"createdIndex":4}}` + "\n"},
		{"PUT", "/v2/keys/k?noValueOnSuccess=true", "value=2", 200, `{"action":"set"}` + "\n"},
		{"DELETE", "/v2/keys/k?noValueOnSuccess=true&prevValue=2", "", 200, `{"action":"compareAndDelete","node":{"key":"/k","modifiedIndex":6,"createdIndex":5},"prevNode":{"key":"/k","value":"2","modifiedIndex":5,"createdIndex":5}}` + "\n"},
		{"POST", "/v2/keys/q/", "value=j", 201, `{"action":"create","node":{"key":"/q/00000000000000000007","value":"j","modifiedIndex":7,"createdIndex":7}}` + "\n"},
		{"PUT", "/v2/keys/", "value=x", 400, `{"errorCode":107,"message":"Root is read only","cause":"/","index":7}` + "\n"},
		{"GET", "/v2/keys", "", 200, `{"action":"get","node":{"dir":true,"nodes":[{"key":"/q","dir":true,"modifiedIndex":7,"createdIndex":7}]}}` + "\n"},
		{"HEAD", "/v2/keys/q", "", 200, ""},
		{"GET", "/v2/keys/q//x", "", 301, `<a href="/v2/keys/q/x">Moved Permanently</a>.` + "\n\n"},
		{"POST", "/v2/keys/q/../%3C", "value=x", 301, ""},
		{"OPTIONS", "/anything", "", 200, ""},
		{"PATCH", "/v2/keys/k", "", 405, "Method Not Allowed\n"},
		{"GET", "/v2/keysfoo", "", 404, "404 page not found\n"},
		{"GET", "/v2/stats/none", "", 404, "404 page not found\n"},
		{"GET", "/version", "", 200, `{"etcdserver":"3.4.23","etcdcluster":"3.4.0"}`},
		{"POST", "/version", "", 405, "Method Not Allowed\n"},
		{"GET", "/health", "", 200, `{"health":"true"}`},
		{"HEAD", "/health", "", 405, ""},
		{"GET", "/v2/machines", "", 200, "http://server:2379"},
		{"DELETE", "/v2/machines", "", 405, "Method Not Allowed\n"},
		{"GET", "/v2/members/leader", "", 200, `{"id":"beef","name":"one","peerURLs":["http://server:2380"],"clientURLs":["http://server:2379"]}` + "\n"},
		{"GET", "/v2/members/", "", 200, `{"members":[{"id":"beef","name":"one","peerURLs":["http://server:2380"],"clientURLs":["http://server:2379"]}]}` + "\n"},
		{"GET", "/v2/members/beef", "", 404, `{"message":"Not found"}`},
		{"DELETE", "/v2/members", "", 405, "Method Not Allowed\n"},
		{"DELETE", "/v2/members/XYZ", "", 404, `{"message":"No such member: XYZ"}`},
		{"DELETE", "/v2/members/ABC", "", 404, `{"message":"No such member: abc"}`},
		{"DELETE", "/v2/members/beef", "", 503, `{"message":"` + noMemberChanges + `"}`},
		{"PUT", "/v2/members/beef", "x=1", 415, `{"message":"Bad Content-Type application/x-www-form-urlencoded, accept application/json"}`},
		{"GET", "/v2/stats/leader", "", 200, `{"leader":"beef","followers":{}}`},
		{"GET", "/v2/stats/store", "", 200, `{"getsSuccess":2,"getsFail":0,"setsSuccess":2,"setsFail":1,"deleteSuccess":0,"deleteFail":0,"updateSuccess":0,"updateFail":0,` +
			`"createSuccess":1,"createFail":0,"compareAndSwapSuccess":0,"compareAndSwapFail":0,"compareAndDeleteSuccess":1,"compareAndDeleteFail":0,"expireCount":0,"watchers":0}`},
	} {
		resp, body := c.ask(q.method, q.target, q.form)
		require.Equal(t, q.status, resp.StatusCode, "%s %s", q.method, q.target)
		require.Equal(t, q.want, body, "%s %s", q.method, q.target)
		require.Equal(t, "POST, GET, OPTIONS, PUT, DELETE", resp.Header.Get("Access-Control-Allow-Methods"))
	}
}

func TestMembersRequests(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	for _, q := range []struct {
		method, target, body string
		status               int
		want                 string
	}{
		{"POST", "/v2/members", `{`, 400, "unexpected end of JSON input"},
		{"POST", "/v2/members", `{}`, 400, "no valid URLs given"},
		{"POST", "/v2/members", `{"peerURLs":["foo"]}`, 400, "URL scheme must be http, https, unix, or unixs: foo"},
		{"POST", "/v2/members", `{"peerURLs":["http://h"]}`, 400, `URL address does not have the form "host:port": http://h`},
		{"POST", "/v2/members", `{"peerURLs":["http://h:1/x"]}`, 400, "URL must not contain a path: http://h:1/x"},
		{"POST", "/v2/members", `{"peerURLs":["http://h:1","http://server:2380"]}`, 409, "membership: peerURL exists"},
		{"POST", "/v2/members", `{"peerURLs":["http://h:1"]}`, 503, noMemberChanges},
		{"PUT", "/v2/members/1", `{"peerURLs":["http://h:1"]}`, 404, "No such member: 1"},
		{"PUT", "/v2/members/beef", `{"peerURLs":["http://h:1"]}`, 503, noMemberChanges},
		{"PUT", "/v2/members/beef", `{"peerURLs":[" http://server:2380"]}`, 204, ""},
	} {
		resp, body := c.ask(q.method, q.target, q.body, "Content-Type: application/json")
		require.Equal(t, q.status, resp.StatusCode, q.body)
		if q.want == "" {
			require.Empty(t, body)
			continue
		}
		var got struct{ Message string }
		require.NoError(t, json.Unmarshal([]byte(body), &got))
		require.Equal(t, q.want, got.Message)
	}
}

func TestSelfStats(t *testing.T) {
	f := newFixture(t, Limits{})
	_, body := f.dial().ask("GET", "/v2/stats/self", "")
	require.Regexp(t, `^\{"name":"one","id":"beef","state":"StateLeader","startTime":"[^"]+Z",`+
		`"leaderInfo":\{"leader":"beef","uptime":"[^"]+s","startTime":"[^"]+Z"\},"recvAppendRequestCnt":0,"sendAppendRequestCnt":0\}$`, body)
}

// Short answers have a length, longer ones come in chunks, whatever their
// size; over HTTP/1.0 the end of the connection ends the longest.
func TestFraming(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	for _, n := range []int{1, 1000, 1900, 3000, 100_000, 400_000} {
		value := strings.Repeat("v", n)
		f.put("/big", value)
		resp, body := c.ask("GET", "/v2/keys/?recursive=true", "")
		require.Equal(t, n > 1900, resp.ContentLength < 0, n)
		require.Contains(t, body, `"value":"`+value+`"`)
		require.True(t, strings.HasSuffix(body, "}}\n"))
		resp, _ = c.ask("HEAD", "/v2/keys/big", "")
		require.Equal(t, 200, resp.StatusCode)
		old := f.dial()
		old.send("GET /v2/keys/big HTTP/1.0\r\n\r\n")
		resp, body = old.answer("GET")
		require.Empty(t, resp.TransferEncoding)
		require.Contains(t, body, `"value":"`+value+`"`)
		old = f.dial()
		old.send("HEAD /v2/keys/big HTTP/1.0\r\n\r\n")
		resp, _ = old.answer("HEAD")
		require.Equal(t, 200, resp.StatusCode)
		require.True(t, old.closed(), "a body behind the answer to HEAD: %d", n)
	}
}

// Expect: 100-continue, as curl sends it with larger bodies.
func TestExpectContinue(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	form := url.Values{"value": {"x"}}.Encode()
	c.send("PUT /v2/keys/k HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Type: " + formType + "\r\nContent-Length: 7\r\n\r\n")
	line, err := c.br.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	_, err = c.br.ReadString('\n')
	require.NoError(t, err)
	c.send(form)
	resp, _ := c.answer("PUT")
	require.Equal(t, 201, resp.StatusCode)
}

// What a request leaves in the pooled memory never shows in the next one.
func TestNothingLeaksBetweenRequests(t *testing.T) {
	f := newFixture(t, Limits{})
	c := f.dial()
	resp, _ := c.ask("PUT", "/v2/keys/a?prevExist=false&ttl=100", "value=%61%62")
	require.Equal(t, 201, resp.StatusCode)
	resp, body := c.ask("PUT", "/v2/keys/a", "")
	require.Equal(t, 200, resp.StatusCode)
	require.Contains(t, body, `{"action":"set","node":{"key":"/a","value":"","modifiedIndex":5,"createdIndex":5}`)
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			c := f.dial()
			for i := range 200 {
				v := strings.Repeat(string(rune('a'+i%26)), i%50)
				_, body := c.ask("PUT", "/v2/keys/"+v+"x", "value=%25"+v)
				if !strings.Contains(body, `"node":{"key":"/`+v+`x","value":"%`+v+`"`) {
					t.Errorf("%s: %s", v, body)
				}
			}
		}()
	}
	for range 4 {
		<-done
	}
}

// The answer to a GET of a key is made once, in a buffer of its size, however
// large the value is.
func TestLargeValueIsEncodedOnce(t *testing.T) {
	f := newFixture(t, Limits{})
	const size = 1 << 20 // beyond maxBuffered
	f.put("/large", strings.Repeat("v", size))
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetHost("h")
	ctx.Request.SetRequestURI("/v2/keys/large")
	f.server.handle(&ctx)
	require.Equal(t, 200, ctx.Response.StatusCode())
	body, whole := ctx.Response.BodyStream().(*chunkedBody)
	require.True(t, whole, "a listing in pieces would encode it again")
	require.Less(t, cap(body.content), size+size/16)
	require.Contains(t, string(body.content), `vv","modifiedIndex":`)
}

// An event without escapes fits into what is set aside for it.
func TestEventBytes(t *testing.T) {
	node := &kernel.Node{Path: "/some/key", Value: strings.Repeat("v", 5000), Created: math.MaxUint64, Modified: math.MaxUint64}
	for _, e := range []*kernel.Event{
		{Action: kernel.ActionCompareAndSwap, Node: node, Prev: node},
		{Action: kernel.ActionSet, Node: node},
		{Action: kernel.ActionDelete, Node: &kernel.Node{Path: "/some/key"}, Prev: node},
	} {
		require.LessOrEqual(t, len(appendEvent(nil, e, false)), eventBytes(e))
	}
	require.Zero(t, eventBytes(&kernel.Event{}))
}
