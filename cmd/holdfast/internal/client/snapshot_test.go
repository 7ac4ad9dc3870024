package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func serve(t *testing.T, handler http.HandlerFunc) string {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func snapshotClient(t *testing.T, timeout time.Duration, endpoints ...string) *Client {
	c, err := New(endpoints, timeout)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// beginning sends the beginning of an answer, and then does as it is told.
func beginning(then func(r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "begin")
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
		then(r)
	}
}

// A member that is down, silent or without a leader is passed over; the refusal
// of one that answered is told if none gives a snapshot.
func TestSnapshotOfTheNext(t *testing.T) {
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	refusing := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "503 no leader: nothing was done; try again", http.StatusServiceUnavailable)
	})
	good := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL) })
	c := snapshotClient(t, 100*time.Millisecond, "http://127.0.0.1:1", silent, refusing, good)
	for stale, want := range map[bool]string{false: "/v1/snapshot", true: "/v1/snapshot?stale=true"} {
		s, err := c.Snapshot(t.Context(), stale)
		require.NoError(t, err)
		assert.Equal(t, good, s.Endpoint)
		body, err := io.ReadAll(s)
		require.NoError(t, err)
		assert.Equal(t, want, string(body))
		require.NoError(t, s.Close())
	}
	_, err := snapshotClient(t, time.Second, refusing, "http://127.0.0.1:1").Snapshot(t.Context(), false)
	var refusal *StoreError
	require.ErrorAs(t, err, &refusal)
	assert.Equal(t, "no leader: nothing was done (status 503)", refusal.Error())
	_, err = snapshotClient(t, 50*time.Millisecond, silent).Snapshot(t.Context(), false)
	var unreachable *UnreachableError
	require.ErrorAs(t, err, &unreachable)
	assert.ErrorContains(t, err, "timed out")
}

// What is no snapshot of a store is not taken for one, and never read whole.
func TestSnapshotOfSomethingElse(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"another service": http.NotFound,
		"a proxy's page": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<html>")
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) },
		"an endless refusal": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusForbidden)
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		},
	} {
		_, err := snapshotClient(t, 5*time.Second, serve(t, handler)).Snapshot(t.Context(), false)
		require.Error(t, err, name)
		protocol, ok := asProtocol(err)
		if assert.True(t, ok, "%s: %v", name, err) {
			assert.LessOrEqual(t, len(protocol.Body), snippetBytes)
		}
	}
}

// A snapshot may take longer than the timeout, but must go on; and its end is
// its end only if the server says so.
func TestSnapshotInTheMiddle(t *testing.T) {
	slow := serve(t, beginning(func(*http.Request) { <-time.After(200 * time.Millisecond) }))
	s, err := snapshotClient(t, 100*time.Millisecond, slow).Snapshot(t.Context(), false)
	require.NoError(t, err)
	body, err := io.ReadAll(s)
	require.NoError(t, err)
	assert.Equal(t, "begin", string(body))
	require.NoError(t, s.Close())

	hangs := serve(t, beginning(func(r *http.Request) { <-r.Context().Done() }))
	c := snapshotClient(t, 5*time.Second, hangs)
	c.stall = 50 * time.Millisecond
	s, err = c.Snapshot(t.Context(), false)
	require.NoError(t, err)
	_, err = io.ReadAll(s)
	require.ErrorIs(t, err, ErrStalled)
	require.NoError(t, s.Close())

	ctx, cancel := context.WithCancel(t.Context())
	s, err = snapshotClient(t, 5*time.Second, hangs).Snapshot(ctx, false)
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(s)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, s.Close())

	breaks := serve(t, beginning(func(*http.Request) { panic(http.ErrAbortHandler) }))
	s, err = snapshotClient(t, 5*time.Second, breaks).Snapshot(t.Context(), false)
	require.NoError(t, err)
	_, err = io.ReadAll(s)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.NoError(t, s.Close())
}
