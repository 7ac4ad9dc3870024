package jepsen_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/httpd"
	"holdfast/jepsen"
	"holdfast/kernel/cluster"
	"holdfast/transport"
)

// fakeStore is a correct register store with indices, enough for the client.
type fakeStore struct {
	mu     sync.Mutex
	values map[string]string
	at     map[string]int
	index  int
	// forget makes every n-th write answer without being done: a planted fault.
	forget, writes int
}

func (s *fakeStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := r.URL.Path[len("/v2/keys"):]
	value, exists := s.values[key]
	refuse := func(status, code int, cause string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errorCode":%d,"message":"m","cause":%q,"index":%d}`, code, cause, s.index)
	}
	w.Header().Set("X-Etcd-Index", fmt.Sprint(s.index))
	switch {
	case r.Method == "GET" && exists:
		fmt.Fprintf(w, `{"action":"get","node":{"value":%q,"modifiedIndex":%d}}`, value, s.at[key])
	case r.Method == "PUT" && r.FormValue("prevValue") == "":
		s.index++
		if s.writes++; s.forget == 0 || s.writes%s.forget != 0 {
			s.values[key], s.at[key] = r.FormValue("value"), s.index
		}
		fmt.Fprintf(w, `{"action":"set","node":{"value":%q,"modifiedIndex":%d}}`, r.FormValue("value"), s.index)
	case !exists:
		refuse(404, 100, key)
	case r.Method == "PUT" && r.FormValue("prevValue") != value:
		refuse(412, 101, "["+r.FormValue("prevValue")+" != "+value+"]")
	case r.Method == "PUT":
		s.index++
		s.values[key], s.at[key] = r.FormValue("value"), s.index
		fmt.Fprintf(w, `{"action":"compareAndSwap","node":{"value":%q,"modifiedIndex":%d},"prevNode":{"value":%q}}`, r.FormValue("value"), s.index, value)
	case r.Method == "DELETE":
		s.index++
		delete(s.values, key)
		fmt.Fprintf(w, `{"action":"delete","node":{"modifiedIndex":%d},"prevNode":{"value":%q}}`, s.index, value)
	}
}

// run lets four clients work against a store and returns their history.
func run(t *testing.T, store http.Handler, operations int) jepsen.History {
	srv := httptest.NewServer(store)
	defer srv.Close()
	var out bytes.Buffer
	rec := jepsen.NewRecorder(&out)
	start := time.Now()
	require.NoError(t, jepsen.RunWorkload(context.Background(), "register", jepsen.Env{
		Clients: 4, Keys: 3, Operations: operations, Endpoints: []string{srv.URL}, Seed: 7, Timeout: 5 * time.Second,
		Now: func() int64 { return int64(time.Since(start)) }, Recorder: rec,
	}))
	h, err := jepsen.ReadHistory(&out)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(h), 4*operations)
	return h
}

// The workload against a correct store is found legal, and against one that
// confirms writes it forgets, illegal.
func TestWorkloadAndCheckerMeet(t *testing.T) {
	newStore := func(forget int) *fakeStore {
		return &fakeStore{values: map[string]string{}, at: map[string]int{}, index: 3, forget: forget}
	}
	rep, err := jepsen.CheckRegister(run(t, newStore(0), 150), time.Minute)
	require.NoError(t, err)
	assert.Equal(t, jepsen.Legal, rep.Verdict, rep.Detail)
	assert.Equal(t, 3, rep.Keys)

	rep, err = jepsen.CheckRegister(run(t, newStore(5), 150), time.Minute)
	require.NoError(t, err)
	assert.Equal(t, jepsen.Illegal, rep.Verdict)
}

// ring is how many events that member remembers: few, so that watches meet the
// end of its memory.
const ring = 60

// member is a real one, alone in its cluster.
func member(t *testing.T) (network *transport.Memory, endpoint string) {
	network = transport.NewMemory()
	host := network.Host("m1")
	ln, err := host.Listen("m1:2379")
	require.NoError(t, err)
	m, err := cluster.Start(context.Background(), cluster.Config{
		Name: "m1", DataDir: t.TempDir(), Network: host, ListenPeer: "m1:2380", PeerURL: "http://m1:2380",
		ClientURLs: []string{"http://m1:2379"}, Token: "t", HistoryEvents: ring,
		Fatal: func(err error) { t.Errorf("fatal: %v", err) }, Log: io.Discard,
	})
	require.NoError(t, err)
	server := httpd.New(httpd.Config{Replica: m.Replica(), Logf: t.Logf})
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	t.Cleanup(func() {
		assert.NoError(t, server.Shutdown(context.Background()))
		assert.NoError(t, <-served)
		assert.NoError(t, m.Close())
	})
	require.Eventually(t, func() bool { return m.Replica().Status().Ready }, 20*time.Second, time.Millisecond)
	return network, "http://m1:2379"
}

// ends are the kinds and error codes that a workload has to bring about, the
// former in operations that were confirmed.
type ends struct {
	workload string
	kinds    []jepsen.Kind
	codes    []int
	steps    int
}

// Every workload does what it is for against a real member: each of its kinds
// is confirmed and each refusal met; a history of it is whole, and no checker
// objects. What it leaves is read back.
func TestWorkloads(t *testing.T) {
	for _, want := range []ends{
		{"register", []jepsen.Kind{jepsen.Read, jepsen.LocalRead, jepsen.Write, jepsen.CAS, jepsen.Delete}, []int{100, 101}, 150},
		{"cas", []jepsen.Kind{jepsen.Read, jepsen.LocalRead, jepsen.CAS, jepsen.CAD, jepsen.Create, jepsen.Update, jepsen.Delete}, []int{100, 101, 105}, 150},
		{"queue", []jepsen.Kind{jepsen.InOrder, jepsen.List, jepsen.LocalList, jepsen.CAD, jepsen.Delete}, []int{100}, 150},
		{"dirs", []jepsen.Kind{jepsen.MakeDir, jepsen.Write, jepsen.Create, jepsen.Update, jepsen.Delete, jepsen.RemoveDir,
			jepsen.RemoveAll, jepsen.List, jepsen.LocalList, jepsen.Read, jepsen.LocalRead, jepsen.InOrder}, []int{100, 102, 104, 105, 108}, 250},
		{"ttl", []jepsen.Kind{jepsen.Write, jepsen.Create, jepsen.Refresh, jepsen.Update, jepsen.Read, jepsen.List, jepsen.MakeDir}, []int{100, 105}, 0},
		{"lock", []jepsen.Kind{jepsen.Create, jepsen.Read, jepsen.CAS, jepsen.CAD}, []int{105}, 0},
		{"watch", []jepsen.Kind{jepsen.Watch, jepsen.Stream, jepsen.LocalRead, jepsen.Write, jepsen.Delete}, []int{401}, 0},
		{"mixed", []jepsen.Kind{jepsen.Read, jepsen.LocalRead, jepsen.List, jepsen.LocalList, jepsen.Write, jepsen.Create,
			jepsen.Update, jepsen.CAS, jepsen.Delete, jepsen.InOrder, jepsen.Watch}, []int{100, 101, 105}, 0},
	} {
		t.Run(want.workload, func(t *testing.T) {
			t.Parallel()
			network, endpoint := member(t)
			start := time.Now()
			var out bytes.Buffer
			env := jepsen.Env{
				Clients: 4, Process: 10, Ring: ring, Operations: want.steps, Endpoints: []string{endpoint, endpoint}, Seed: 1,
				Pause: 5 * time.Millisecond, WatchTimeout: 200 * time.Millisecond, Timeout: 10 * time.Second,
				Dial: network.Host("c").Dial, Now: func() int64 { return int64(time.Since(start)) }, Recorder: jepsen.NewRecorder(&out),
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2500*time.Millisecond)
			defer cancel()
			require.NoError(t, jepsen.RunWorkload(ctx, want.workload, env))
			env.Process = 14
			require.NoError(t, jepsen.ReadBack(context.Background(), []jepsen.Finished{{Name: want.workload}}, env))
			h, err := jepsen.ReadHistory(&out)
			require.NoError(t, err)
			requireEnds(t, &want, h)
			for _, c := range jepsen.Checkers() {
				res := c.Check(&jepsen.Run{History: h, Whole: true}, jepsen.Limits{})
				assert.NotEqual(t, jepsen.Illegal, res.Verdict, "%s: %+v", c.Name, res.Findings)
			}
		})
	}
}

func requireEnds(t *testing.T, want *ends, h jepsen.History) {
	kinds, codes, processes, values := map[jepsen.Kind]int{}, map[int]int{}, map[int]int{}, map[string]bool{}
	for i := range h {
		o := &h[i]
		assert.NotEqual(t, jepsen.Unknown, o.Outcome, "%+v", o)
		if o.Outcome == jepsen.Fail && o.Op != jepsen.Watch && o.Op != jepsen.Stream { // the end may meet those before their head came
			assert.NotZero(t, o.ErrorCode, "%+v", o)
		}
		if o.Outcome == jepsen.OK {
			kinds[o.Op]++
		}
		codes[o.ErrorCode]++
		processes[o.Process]++
		if o.Arg != "" {
			assert.False(t, values[o.Arg], "%s is written twice", o.Arg)
			assert.True(t, strings.HasPrefix(o.Arg, fmt.Sprintf("p%d-", o.Process)), o.Arg)
		}
		values[o.Arg] = true
		if !o.Op.Reads() {
			assert.True(t, strings.HasPrefix(o.Key, "/"+want.workload) || o.Process == 14 && o.Key == "/final/0", o.Key)
		}
	}
	for _, k := range want.kinds {
		assert.Positive(t, kinds[k], "%s: %v", k, kinds)
	}
	for _, c := range want.codes {
		assert.Positive(t, codes[c], "code %d: %v", c, codes)
	}
	assert.Len(t, processes, 5, "four clients, and one that reads back")
	if want.workload == "watch" || want.workload == "mixed" {
		assert.True(t, slices.ContainsFunc(h, func(o jepsen.Operation) bool { return len(o.Events) > 0 }), "no events")
	}
	t.Logf("%d operations: %v, codes %v", len(h), kinds, codes)
}

// What each client draws follows from the seed and its process alone.
func TestWorkloadIsItsSeed(t *testing.T) {
	asked := func(seed uint64) (list []string) {
		var out bytes.Buffer
		network := transport.NewMemory()
		now := int64(0)
		require.NoError(t, jepsen.RunWorkload(context.Background(), "mixed", jepsen.Env{
			Clients: 1, Operations: 200, Endpoints: []string{"http://a:1", "http://b:1"}, Seed: seed,
			Dial: network.Host("c").Dial, Now: func() int64 { now++; return now }, Recorder: jepsen.NewRecorder(&out),
		}))
		h, err := jepsen.ReadHistory(&out)
		require.NoError(t, err)
		for i := range h {
			list = append(list, fmt.Sprintf("%s %s %s %s %s", h[i].Op, h[i].Key, h[i].Arg, h[i].Member, h[i].Outcome))
		}
		return list
	}
	first := asked(5)
	assert.Equal(t, first, asked(5))
	assert.NotEqual(t, first, asked(6))
}

// Operations that are to be left out are neither asked nor recorded, and the client goes on to the next.
func TestWorkloadSkips(t *testing.T) {
	asked := 0
	store := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++ // one client
		w.Header().Set("X-Etcd-Index", "1")
		fmt.Fprint(w, `{"action":"get","node":{"value":"x","modifiedIndex":1}}`)
	})
	srv := httptest.NewServer(store)
	defer srv.Close()
	var out bytes.Buffer
	skipped := 0
	require.NoError(t, jepsen.RunWorkload(t.Context(), "register", jepsen.Env{
		Clients: 1, Process: 4, Operations: 40, Endpoints: []string{srv.URL}, Seed: 7, Timeout: 5 * time.Second,
		Now: func() int64 { return 0 }, Recorder: jepsen.NewRecorder(&out),
		Skip: func(process, n int) bool {
			assert.Equal(t, 4, process)
			if n%3 == 0 {
				skipped++
			}
			return n%3 == 0
		},
	}))
	history, err := jepsen.ReadHistory(&out)
	require.NoError(t, err)
	assert.Positive(t, skipped)
	assert.Len(t, history, asked)
	assert.InDelta(t, 2*skipped, asked, 2)
}

// A client that cannot connect to a member goes on to another at once.
func TestWorkloadLeavesWhoIsNotThere(t *testing.T) {
	var out bytes.Buffer
	now := int64(0)
	require.NoError(t, jepsen.RunWorkload(context.Background(), "register", jepsen.Env{
		Clients: 1, Operations: 100, Endpoints: []string{"http://a:1", "http://b:1", "http://c:1"}, Seed: 5,
		Dial: transport.NewMemory().Host("c").Dial, Now: func() int64 { now++; return now }, Recorder: jepsen.NewRecorder(&out),
	}))
	h, err := jepsen.ReadHistory(&out)
	require.NoError(t, err)
	require.NotEmpty(t, h)
	stayed := 0 // by a chance move just before, which may lead back
	for i := 1; i < len(h); i++ {
		if h[i].Member == h[i-1].Member {
			stayed++
		}
	}
	assert.Less(t, stayed, len(h)/20)
}

// A client stays with a member for long, and goes on to another some time.
func TestWorkloadStays(t *testing.T) {
	var out bytes.Buffer
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"action":"get","node":{"key":"/k"}}`)
	}))
	defer srv.Close()
	now := int64(0)
	require.NoError(t, jepsen.RunWorkload(context.Background(), "dirs", jepsen.Env{
		Clients: 1, Operations: 1000, Endpoints: []string{"http://a:1", "http://b:1", "http://c:1"}, Seed: 5, Recorder: jepsen.NewRecorder(&out),
		Dial: func(ctx context.Context, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(srv.URL, "http://"))
		},
		Now: func() int64 { now++; return now },
	}))
	h, err := jepsen.ReadHistory(&out)
	require.NoError(t, err)
	moves, members := 0, map[string]int{}
	for i := range h {
		members[h[i].Member]++
		if i > 0 && h[i].Member != h[i-1].Member {
			moves++
		}
	}
	assert.Len(t, members, 3)
	assert.Greater(t, len(h)/moves, 5)
}

// Bad environments are refused, and a recorder that fails ends the work.
func TestWorkloadErrors(t *testing.T) {
	good := jepsen.Env{
		Clients: 1, Endpoints: []string{"http://a:1"}, Now: func() int64 { return 0 }, Recorder: jepsen.NewRecorder(io.Discard),
		Dial: transport.NewMemory().Host("c").Dial,
	}
	require.ErrorContains(t, jepsen.RunWorkload(context.Background(), "leisure", good), "leisure")
	for _, spoil := range []func(*jepsen.Env){
		func(e *jepsen.Env) { e.Endpoints = nil }, func(e *jepsen.Env) { e.Clients = 0 }, func(e *jepsen.Env) { e.Keys = -1 },
		func(e *jepsen.Env) { e.Now = nil }, func(e *jepsen.Env) { e.Recorder = nil },
	} {
		env := good
		spoil(&env)
		require.Error(t, jepsen.RunWorkload(context.Background(), "register", env))
	}
	for _, name := range jepsen.Workloads() {
		env := good
		env.Recorder = jepsen.NewRecorder(&brokenWriter{left: 1})
		require.Error(t, jepsen.RunWorkload(context.Background(), name, env), name)
		require.Error(t, jepsen.ReadBack(context.Background(), []jepsen.Finished{{Name: name}}, env), name)
	}
	require.ErrorContains(t, jepsen.ReadBack(context.Background(), []jepsen.Finished{{Name: "leisure"}}, good), "leisure")
}

// When the context has ended nothing begins.
func TestWorkloadEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, name := range jepsen.Workloads() {
		require.NoError(t, jepsen.RunWorkload(ctx, name, jepsen.Env{
			Clients: 3, Endpoints: []string{"http://a:1"}, Recorder: jepsen.NewRecorder(&brokenWriter{left: 1}),
			Now: func() int64 { return 0 }, Dial: transport.NewMemory().Host("c").Dial,
		}))
	}
}
