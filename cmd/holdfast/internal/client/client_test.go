package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Endpoints are taken as people type them; what cannot be meant is refused.
func TestEndpoints(t *testing.T) {
	c, err := New([]string{"http://a:1/", " b:2", "[::1]:3"}, time.Second)
	require.NoError(t, err)
	assert.Equal(t, []string{"http://a:1", "http://b:2", "http://[::1]:3"}, c.Endpoints())
	for _, bad := range []string{"", " ", "https://a:1", "http://", "http://:1", "http://a:1/v2", "http://a?b", "http://u@a", "http://a:b"} {
		_, err := New([]string{bad}, time.Second)
		var refused *EndpointError
		assert.ErrorAs(t, err, &refused, bad)
	}
	_, err = New(nil, time.Second)
	assert.Error(t, err)
	_, err = New(make([]string, MaxEndpoints+1), time.Second)
	assert.ErrorContains(t, err, "one too many")
}

// Keys are cleaned as etcd's client cleans them.
func TestKeyPath(t *testing.T) {
	for key, want := range map[string]string{
		"a": "/v2/keys/a", "/a/": "/v2/keys/a", "//a///b": "/v2/keys/a/b", "/": "/v2/keys/", "": "/v2/keys/",
		"/a b?c": "/v2/keys/a b?c", "../..": "/v2/keys/",
	} {
		assert.Equal(t, want, KeyPath(key), key)
	}
}

// A host that swallows packets costs a read its share of the time only, and a
// write that found no connection goes on to the next endpoint.
func TestDeadlineIsShared(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	good := httptest.NewServer(answerWith(`{"action":"get","node":{"key":"/a","value":"v"}}`))
	defer good.Close()
	c, err := New([]string{silent.URL, good.URL}, 400*time.Millisecond)
	require.NoError(t, err)
	defer c.Close()
	result, err := c.GetKey(context.Background(), "/a", nil)
	require.NoError(t, err)
	assert.Equal(t, "v", result.Node.Value)
}

func answerWith(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }
}

// A write is sent once, whatever becomes of its answer.
func TestWriteIsSentOnce(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"connection lost": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"answer cut short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"action":`))
		},
		"no answer in time": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"error of the store": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			answerWith(`{"errorCode":300,"message":"m"}`)(w, nil)
		},
		"error of a proxy": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(504) },
	} {
		t.Run(name, func(t *testing.T) {
			var sent atomic.Int32
			counted := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				sent.Add(1)
				_ = r.ParseForm() // a server reads the body before it acts
				handler(w, r)
			}))
			defer counted.Close()
			c, err := New([]string{counted.URL, counted.URL + "/"}, 300*time.Millisecond)
			require.NoError(t, err)
			defer c.Close()
			_, err = c.WriteKey(context.Background(), http.MethodPut, "/a", nil, url.Values{"value": {"v"}})
			var unknown *UnknownOutcomeError
			require.ErrorAs(t, err, &unknown)
			assert.Equal(t, counted.URL, unknown.Endpoint)
			assert.EqualValues(t, 1, sent.Load())
		})
	}
}

// A watch that moves between endpoints sees every event once and in order.
func TestWatchSurvivesFailover(t *testing.T) {
	var polls atomic.Int32
	handler := func(w http.ResponseWriter, r *http.Request) {
		index, err := strconv.Atoi(r.URL.Query().Get("waitIndex"))
		if err != nil {
			index = 1
		}
		switch w.Header().Set("X-Etcd-Index", "0"); polls.Add(1) % 3 {
		case 0:
			panic(http.ErrAbortHandler)
		case 1:
			return // ended cleanly
		}
		answerWith(`{"action":"set","node":{"key":"/a","value":"v","modifiedIndex":`+strconv.Itoa(index)+`}}`)(w, r)
	}
	one, two := httptest.NewServer(http.HandlerFunc(handler)), httptest.NewServer(http.HandlerFunc(handler))
	defer one.Close()
	defer two.Close()
	c, err := New([]string{one.URL, two.URL}, 5*time.Second)
	require.NoError(t, err)
	defer c.Close()
	watcher := c.Watch("/a", true, 0)
	for want := uint64(1); want <= 5; want++ {
		event, err := watcher.Next(context.Background())
		require.NoError(t, err)
		assert.Equal(t, want, event.Node.ModifiedIndex)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = watcher.Next(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

// A server that takes a connection but never answers a watch is left.
func TestWatchLeavesSilentServer(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	c, err := New([]string{silent.URL}, 150*time.Millisecond)
	require.NoError(t, err)
	defer c.Close()
	_, err = c.Watch("/a", false, 0).Next(context.Background())
	var unreachable *UnreachableError
	require.ErrorAs(t, err, &unreachable)
	assert.True(t, errors.Is(err, context.DeadlineExceeded))
}

// A server that refuses every watch has not taken it, whatever it answers: a
// gateway without a store behind it must not be asked for ever.
func TestWatchLeavesRefusingServer(t *testing.T) {
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "bad gateway", http.StatusBadGateway)
	}))
	defer gateway.Close()
	c, err := New([]string{gateway.URL}, 150*time.Millisecond)
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, err = c.Watch("/a", false, 0).Next(ctx)
	var unreachable *UnreachableError
	require.ErrorAs(t, err, &unreachable)
	assert.ErrorContains(t, err, "bad gateway")
}
