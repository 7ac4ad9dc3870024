//go:build unix

package hostile

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
)

// leaks are what a server does not give back once it has been attacked.
type leaks struct {
	goroutines, descriptors, bytes int
	mute                           bool // it closes attackers' connections instead
}

// serveLeaking serves, within this process, what the measurement and the
// well-behaved client ask for, and leaks when it is asked for the key "attack".
func serveLeaking(t *testing.T, l leaks) Target {
	end := make(chan struct{})
	var leaked sync.WaitGroup
	var mu sync.Mutex
	var files []*os.File
	var kept []byte
	value := ""
	mux := http.NewServeMux()
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "go_goroutines %d\n", runtime.NumGoroutine())
	})
	mux.HandleFunc("/v2/keys/well-behaved", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPut {
			value = r.FormValue("value")
		}
		w.Header().Set("X-Etcd-Index", "1")
		fmt.Fprintf(w, `{"action":"get","node":{"key":"/well-behaved","value":%q,"modifiedIndex":1,"createdIndex":1}}`, value)
	})
	mux.HandleFunc("/v2/keys/attack", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		for range l.goroutines {
			leaked.Go(func() { <-end })
		}
		for range l.descriptors {
			if f, err := os.Open(os.DevNull); err == nil {
				files = append(files, f)
			}
		}
		kept = []byte(strings.Repeat("k", l.bytes))
		if l.mute {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"errorCode":100,"message":"Key not found","cause":"/attack","index":1}`)
	})
	server := httptest.NewServer(mux)
	// What earlier servers of this process kept is not to be reused.
	debug.FreeOSMemory()
	t.Cleanup(func() {
		close(end)
		leaked.Wait()
		server.Close()
		for _, f := range files {
			_ = f.Close()
		}
		runtime.KeepAlive(kept)
	})
	addr := server.Listener.Addr().(*net.TCPAddr).String()
	return Target{PID: os.Getpid(), Client: addr, Ops: addr, Peer: addr}
}
