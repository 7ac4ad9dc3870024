package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// play is a server that expects requests in a given order and answers each as
// written. Its text is a list of exchanges:
//
//	> METHOD /path?query form
//	< STATUS INDEX
//	body
//
// STATUS may be "drop" (the connection breaks after the request was read) or
// "hang" (no answer until the client leaves). SERVER in a body stands for the
// server's own URL. A body "@FILE" is that file's content, and "@FILE BYTES" so
// many bytes of it, after which the connection breaks.
type play struct {
	server *httptest.Server
	file   func(name string) string

	mu      sync.Mutex
	left    []exchange
	strange []string // requests that were not expected
}

type exchange struct {
	request string // as formatRequest writes it
	status  string
	index   string
	body    string
}

// serveCommand is "serve FILE [VARIABLE]": it starts a server for the play in
// FILE and puts its URL into VARIABLE, HOLDFAST_ENDPOINTS by default.
func serveCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: serve FILE [VARIABLE]")
	}
	p := &play{left: parsePlay(ts, ts.ReadFile(args[0])), file: ts.ReadFile}
	p.server = httptest.NewServer(p)
	variable := "HOLDFAST_ENDPOINTS"
	if len(args) == 2 {
		variable = args[1]
	}
	ts.Setenv(variable, p.server.URL)
	plays.Store(ts.Getenv("WORK")+variable, p)
	ts.Defer(func() {
		p.server.CloseClientConnections() // wakes what hangs
		p.server.Close()
		plays.Delete(ts.Getenv("WORK") + variable)
	})
}

// plays holds the running servers by work directory and variable.
var plays sync.Map

// servedCommand is "served [VARIABLE]": it fails unless exactly the expected
// requests came.
func servedCommand(ts *testscript.TestScript, neg bool, args []string) {
	variable := "HOLDFAST_ENDPOINTS"
	if len(args) == 1 {
		variable = args[0]
	}
	found, ok := plays.Load(ts.Getenv("WORK") + variable)
	if neg || len(args) > 1 || !ok {
		ts.Fatalf("usage: served [VARIABLE], after serve")
	}
	p := found.(*play)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, request := range p.strange {
		ts.Logf("not expected: %s", request)
	}
	for _, e := range p.left {
		ts.Logf("did not come: %s", e.request)
	}
	if len(p.strange)+len(p.left) > 0 {
		ts.Fatalf("the requests are not those of the play")
	}
}

func parsePlay(ts *testscript.TestScript, text string) []exchange {
	var list []exchange
	for _, block := range strings.Split("\n"+text, "\n> ")[1:] {
		lines := strings.SplitN(block, "\n", 3)
		answer, ok := strings.CutPrefix(lines[1], "< ")
		if !ok {
			ts.Fatalf("play: no answer to %q", lines[0])
		}
		e := exchange{request: lines[0]}
		e.status, e.index, _ = strings.Cut(answer, " ")
		if len(lines) == 3 {
			e.body = lines[2]
		}
		list = append(list, e)
	}
	return list
}

// formatRequest writes a request on one line; query and form are sorted and
// decoded, so that a play is readable.
func formatRequest(r *http.Request, body string) string {
	text := r.Method + " " + r.URL.EscapedPath()
	if len(r.URL.Query()) > 0 {
		text += "?" + plainValues(r.URL.Query())
	}
	if form, err := url.ParseQuery(body); err == nil && len(form) > 0 {
		text += " " + plainValues(form)
	}
	return text
}

func plainValues(values url.Values) string {
	encoded := values.Encode() // sorted
	decoded, err := url.QueryUnescape(encoded)
	if err != nil {
		return encoded
	}
	return strings.ReplaceAll(decoded, "\n", `\n`)
}

func (p *play) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client left
	}
	e, ok := p.take(formatRequest(r, string(body)))
	if !ok {
		http.Error(w, "not in the play", http.StatusTeapot)
		return
	}
	switch e.status {
	case "hang":
		<-r.Context().Done()
	case "drop":
		panic(http.ErrAbortHandler)
	default:
		var status int
		if _, err := fmt.Sscan(e.status, &status); err != nil {
			panic(fmt.Sprintf("play: status %q", e.status))
		}
		if e.index != "" {
			w.Header().Set("X-Etcd-Index", e.index)
		}
		w.WriteHeader(status)
		if name, ok := strings.CutPrefix(strings.TrimSuffix(e.body, "\n"), "@"); ok {
			p.sendFile(w, strings.Fields(name))
			return
		}
		fmt.Fprint(w, strings.ReplaceAll(e.body, "SERVER", "http://"+r.Host))
	}
}

// sendFile sends a file, or its beginning, in chunks.
func (p *play) sendFile(w http.ResponseWriter, words []string) {
	content, size := p.file(words[0]), 0
	if len(words) < 2 {
		fmt.Fprint(w, content)
		return
	}
	if _, err := fmt.Sscan(words[1], &size); err != nil {
		panic(fmt.Sprintf("play: size %q", words[1]))
	}
	fmt.Fprint(w, content[:size])
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(fmt.Sprintf("play: flush: %v", err))
	}
	panic(http.ErrAbortHandler)
}

func (p *play) take(request string) (exchange, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.left) == 0 || p.left[0].request != request {
		p.strange = append(p.strange, request)
		return exchange{}, false
	}
	e := p.left[0]
	p.left = p.left[1:]
	return e, true
}
