package httpd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"holdfast/kernel"
	"holdfast/kernel/archive"
)

// fillLarge writes so much that no buffer between server and client holds an
// archive of it.
func (f *fixture) fillLarge() {
	random := rand.New(rand.NewPCG(1, 2))
	value := make([]byte, kernel.MaxValueBytes)
	for i := range value {
		value[i] = byte(random.Uint32())
	}
	for i := range 8 {
		f.put(fmt.Sprintf("/large/%d", i), string(value))
	}
}

// restore reads an archive into a state.
func restore(t testing.TB, r io.Reader) (archive.Meta, *kernel.State) {
	var state *kernel.State
	about, err := archive.Read(r, func(_ archive.Meta, in io.Reader) (err error) {
		state, err = kernel.Restore(in)
		return err
	})
	require.NoError(t, err)
	return about, state
}

// A snapshot holds every write answered before it was asked for, says of when it
// is, and leaves its connection for the next request.
func TestSnapshot(t *testing.T) {
	f := newFixture(t, Limits{})
	f.fillLarge()
	c := f.dial()
	for _, query := range []string{"", "?consistent", "?stale", "?stale=false"} {
		index := f.put("/k", query)
		resp, body := c.ask("GET", "/v1/snapshot"+query, "")
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.Equal(t, "application/x-gzip", resp.Header.Get("Content-Type"))
		require.Equal(t, "true", resp.Header.Get("X-Consul-KnownLeader"))
		require.Equal(t, "0", resp.Header.Get("X-Consul-LastContact"))
		about, state := restore(t, bytes.NewReader([]byte(body)))
		require.Equal(t, strconv.FormatUint(uint64(about.Index), 10), resp.Header.Get("X-Consul-Index"))
		require.Equal(t, about.Index, state.Applied())
		require.Equal(t, index, about.StoreIndex)
		require.Equal(t, "c1", about.ClusterID)
		require.Equal(t, f.replica.Status().Term, about.Term)
		require.WithinDuration(t, time.Now(), about.Taken, time.Minute)
		node, refused := state.View().Get("/k")
		require.Nil(t, refused)
		require.Equal(t, query, node.Value)
		require.Len(t, state.Members(), 1)
	}
	require.Equal(t, uint64(0), f.server.Stats().Snapshots.Now)
}

// What cannot be served is refused with what to do.
func TestSnapshotRefusals(t *testing.T) {
	f := newFixture(t, Limits{})
	for _, c := range []struct {
		method, target string
		status         int
		want           string
	}{
		{"PUT", "/v1/snapshot", 405, "Method Not Allowed\n"},
		{"POST", "/v1/snapshot", 405, "Method Not Allowed\n"},
		{"HEAD", "/v1/snapshot", 405, ""},
		{"GET", "/v1/snapshot?stale&consistent", 400, "Cannot specify ?stale with ?consistent, conflicting semantics.\n"},
		{"GET", "/v1/snapshot?dc=east", 500, "No path to datacenter\n"},
		{"GET", "/v1/snapshots", 404, "404 page not found\n"},
		{"GET", "/v1", 404, "404 page not found\n"},
	} {
		resp, body := f.dial().ask(c.method, c.target, "")
		require.Equal(t, c.status, resp.StatusCode, "%s %s", c.method, c.target)
		require.Equal(t, c.want, body)
		if c.status == 405 {
			require.Equal(t, "GET", resp.Header.Get("Allow"))
		}
	}
	c := f.dial()
	c.send("GET /v1/snapshot HTTP/1.0\r\n\r\n")
	resp, body := c.answer("GET")
	require.Equal(t, http.StatusHTTPVersionNotSupported, resp.StatusCode)
	require.Contains(t, body, "ask with HTTP/1.1")
	require.Zero(t, f.server.Stats().Snapshots.Now+f.server.Stats().Snapshots.Refused)

	require.NoError(t, f.replica.Close())
	for query, advice := range map[string]string{"": "or ask with ?stale", "?stale": "or ask another member"} {
		resp, body := f.dial().ask("GET", "/v1/snapshot"+query, "")
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.Contains(t, body, "503 member is stopping: nothing was done; try again, "+advice)
	}
	require.Zero(t, f.server.Stats().Snapshots.Now, "a refusal gives its place back")
}

// So many are sent at a time; one more is refused, and counted. Writes go on
// beside those that are stuck, and a client that leaves gives its place back.
func TestSnapshotsAtATime(t *testing.T) {
	f := newFixture(t, Limits{})
	f.fillLarge()
	var stuck []*conn
	var last *http.Response
	for range MaxSnapshots {
		c := f.dial()
		c.send(request("GET", "/v1/snapshot", ""))
		last = c.head("GET")
		require.Equal(t, http.StatusOK, last.StatusCode)
		stuck = append(stuck, c)
	}
	resp, body := f.dial().ask("GET", "/v1/snapshot", "")
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.Equal(t, "503 2 snapshots are being sent by this member; try again later, or ask another\n", body)
	stats := f.server.Stats().Snapshots
	require.Equal(t, [3]uint64{MaxSnapshots, MaxSnapshots, 1}, [3]uint64{stats.Now, stats.Limit, stats.Refused})
	index := f.put("/beside", "v")

	require.NoError(t, stuck[0].Close())
	f.eventually("a place", func() bool { return f.server.Stats().Snapshots.Now == MaxSnapshots-1 })
	_, body = f.dial().ask("GET", "/v1/snapshot", "")
	about, _ := restore(t, bytes.NewReader([]byte(body)))
	require.Equal(t, index, about.StoreIndex)

	// The one that was stuck is of before that write.
	about, state := restore(t, last.Body)
	require.Equal(t, index-1, about.StoreIndex)
	_, refused := state.View().Get("/beside")
	require.NotNil(t, refused)
}

// A snapshot that ends early, because the member stops or its client does not
// read, does not look like a whole one.
func TestSnapshotCutOff(t *testing.T) {
	for name, cut := range map[string]func(f *fixture){
		"server stops": func(f *fixture) { _ = f.server.Shutdown(context.Background()) },
		"member stops": func(f *fixture) { require.NoError(f.t, f.replica.Close()) },
		"too slow":     func(f *fixture) {},
	} {
		t.Run(name, func(t *testing.T) {
			limits := Limits{WriteTimeout: 50 * time.Millisecond}
			if name != "too slow" {
				limits = Limits{}
			}
			f := newFixture(t, limits)
			f.fillLarge()
			c := f.dial()
			c.send(request("GET", "/v1/snapshot", ""))
			resp := c.head("GET")
			require.Equal(t, http.StatusOK, resp.StatusCode)
			cut(f)
			if name == "too slow" {
				f.eventually("given up", func() bool { return f.server.Stats().Snapshots.Now == 0 })
			}
			whole, err := io.ReadAll(resp.Body)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "chunks without an end")
			_, _, err = archive.Verify(bytes.NewReader(whole))
			require.ErrorIs(t, err, archive.ErrDamaged)
			f.eventually("place given back", func() bool { return f.server.Stats().Snapshots.Now == 0 })
		})
	}
}

// Snapshots taken beside a writer are each of one moment: what it wrote last is in
// them only with what it wrote before.
func TestSnapshotsBesideWriters(t *testing.T) {
	f := newFixture(t, Limits{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			f.put("/first", fmt.Sprint(i))
			f.put("/second", fmt.Sprint(i))
		}
	}()
	c := f.dial()
	for writing := true; writing; {
		select {
		case <-done:
			writing = false
		default:
		}
		_, body := c.ask("GET", "/v1/snapshot", "")
		about, state := restore(t, bytes.NewReader([]byte(body)))
		require.Equal(t, about.StoreIndex, state.Index())
		first, refused := state.View().Get("/first")
		if refused != nil {
			continue
		}
		before, err := strconv.Atoi(first.Value)
		require.NoError(t, err)
		after := -1
		if second, refused := state.View().Get("/second"); refused == nil {
			after, err = strconv.Atoi(second.Value)
			require.NoError(t, err)
		}
		require.Contains(t, []int{before, before - 1}, after)
	}
}
