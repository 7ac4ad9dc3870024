package jepsen_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen"
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
	w := &jepsen.RegisterWorkload{Keys: []string{"/r/1", "/r/2", "/r/é x"}, Operations: operations,
		Endpoints: []string{srv.URL}, SwitchChance: 0.1, Deletes: true}
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			c := &jepsen.Client{Process: p, HTTP: srv.Client(), Timeout: 5 * time.Second,
				Now: func() int64 { return int64(time.Since(start)) }}
			assert.NoError(t, w.Run(context.Background(), c, rand.New(rand.NewPCG(7, uint64(p))), rec))
		})
	}
	wg.Wait()
	h, err := jepsen.ReadHistory(&out)
	require.NoError(t, err)
	require.Len(t, h, 4*operations)
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
	hangUp := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	silence := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server would not notice that the client left
		<-r.Context().Done()
	})
	const ok = `{"action":"set","node":{"value":"v","modifiedIndex":7}}`
	for _, c := range []struct {
		name        string
		h           http.HandlerFunc
		write, read jepsen.Outcome
	}{
		{"nobody listens", nil, jepsen.Fail, jepsen.Fail},
		{"done", answer(200, ok), jepsen.OK, jepsen.OK},
		{"cut off", answer(200, ok[:20]), jepsen.Unknown, jepsen.Fail},
		{"no leader", answer(500, `{"errorCode":300,"message":"Raft Internal Error"}`), jepsen.Unknown, jepsen.Fail},
		{"not the API", answer(404, "404 page not found\n"), jepsen.Unknown, jepsen.Fail},
		{"absent", answer(404, `{"errorCode":100,"message":"Key not found"}`), jepsen.Fail, jepsen.OK},
		{"refused", answer(403, `{"errorCode":102,"message":"Not a file"}`), jepsen.Fail, jepsen.Fail},
		{"hung up", hangUp, jepsen.Unknown, jepsen.Fail},
		{"no answer", silence, jepsen.Unknown, jepsen.Fail},
	} {
		t.Run(c.name, func(t *testing.T) {
			endpoint := nobody
			if c.h != nil {
				srv := httptest.NewServer(c.h)
				defer srv.Close()
				endpoint = srv.URL
			}
			now := int64(0)
			cl := &jepsen.Client{HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Endpoint: endpoint,
				Timeout: 300 * time.Millisecond, Now: func() int64 { now++; return now }}
			w := cl.Do(context.Background(), jepsen.Operation{Op: jepsen.Write, Key: "/k", Arg: "v"})
			assert.Equal(t, c.write, w.Outcome, w.Error)
			r := cl.Do(context.Background(), jepsen.Operation{Op: jepsen.Read, Key: "/k"})
			assert.Equal(t, c.read, r.Outcome, r.Error)
			assert.NoError(t, jepsen.History{w, r}.Validate())
		})
	}
}
