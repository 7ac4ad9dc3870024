package jepsen_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"holdfast/jepsen"
)

// pipes is a listener of connections that the test makes; nothing of it leaves
// the process, so that time can be the test's own.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}
func (p pipes) Close() error   { return nil }
func (p pipes) Addr() net.Addr { return &net.UnixAddr{} }

// Everything is read back through a member that answers late, slowly, or with
// long breaks; one that is silent is asked for as long as was promised, and then
// left alone.
func TestReadBackIsPatient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		now := func() time.Duration { return time.Since(start) }
		listener, polls := make(pipes), 0
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("wait") != "" {
				if polls++; polls > 2 { // the first have no head
					w.Header().Set("X-Etcd-Index", "9")
				}
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				return
			}
			time.Sleep(700 * time.Millisecond)
			_, _ = io.WriteString(w, `{"action":"get","node":{"key":"`+strings.TrimPrefix(r.URL.Path, "/v2/keys")+`","dir":true}}`)
		})}
		served := make(chan error)
		go func() { served <- server.Serve(listener) }()

		var out bytes.Buffer
		gone, asked := now(), map[string]time.Duration{} // when first
		env := jepsen.Env{
			Process: 7, Clients: 7, Endpoints: []string{"http://slow:1", "http://gone:1", "http://late:1"}, Timeout: 100 * time.Millisecond,
			Now: func() int64 { return int64(now()) }, Recorder: jepsen.NewRecorder(&out), PatientUntil: int64(30 * time.Second),
			Dial: func(_ context.Context, addr string) (net.Conn, error) {
				if _, ok := asked[addr]; !ok {
					asked[addr] = now()
				}
				switch {
				case addr == "gone:1":
					gone = now()
					return nil, errors.New("refused")
				case addr == "late:1" && now() < gone+4*time.Second, addr == "slow:1" && now() < 34*time.Second:
					return nil, errors.New("not yet")
				}
				ours, theirs := net.Pipe()
				listener <- theirs
				return ours, nil
			},
		}
		require.NoError(t, jepsen.ReadBack(t.Context(), []jepsen.Finished{{Name: "register", Keys: 2}, {Name: "dirs"}, {Name: "lock"}}, env))
		close(listener)
		require.ErrorIs(t, <-served, net.ErrClosed)
		require.NoError(t, server.Close())

		h, err := jepsen.ReadHistory(&out)
		require.NoError(t, err)
		answered := map[string][]string{}
		for i := range h {
			assert.Equal(t, 7, h[i].Process)
			if h[i].Outcome == jepsen.OK && (h[i].Op != jepsen.Watch || h[i].EtcdIndex != 0) {
				answered[h[i].Member] = append(answered[h[i].Member], string(h[i].Op)+" "+h[i].Key)
			}
		}
		all := []string{"list /register", "read /register/0", "read /register/1", "list /dirs", "list /lock", "read /lock/0", "watch /"}
		first := append([]string{"write /final/0"}, all...) // once, through whoever is there first
		assert.Equal(t, map[string][]string{"http://slow:1": first, "http://late:1": all}, answered)
		assert.GreaterOrEqual(t, asked["slow:1"], 30*time.Second, "too soon")
		assert.InDelta(t, 6, (gone - asked["gone:1"]).Seconds(), 0.5)
	})
}
