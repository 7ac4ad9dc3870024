package differential

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// requestTime bounds an ordinary request.
	requestTime = 10 * time.Second
	// replayTime is how long an event from the ring may take to come.
	replayTime = 400 * time.Millisecond
	// settleTime is how long live watches are given to agree, and quietTime
	// how long nothing may come for them to be done.
	settleTime = time.Second
	quietTime  = 40 * time.Millisecond
	// maxBodyBytes bounds what is read of one answer.
	maxBodyBytes = 16 << 20
)

// answer is what one server said to one step.
type answer struct {
	skipped bool // the index it refers to was not given
	pending bool // headers came, an event did not
	failure string
	status  int
	header  http.Header
	body    []byte
}

// server is one of the two.
type server struct {
	base   *url.URL
	client *http.Client
}

func newServer(base string) (*server, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("differential: base URL %q: not http://HOST:PORT; give the server's client URL", base)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &server{base: u, client: client}, nil
}

// session is one execution of a script on one server.
type session struct {
	*server
	root    string
	first   uint64         // X-Etcd-Index before the first step
	indices map[int]uint64 // modifiedIndex of a step's answer
	answers []answer
	live    map[int]*liveWatch // by position in the script
}

// execute sends all steps; live watches are left open.
func (s *server) execute(ctx context.Context, script Script, root string) (*session, error) {
	x := &session{server: s, root: root, indices: map[int]uint64{}, live: map[int]*liveWatch{}}
	start := x.send(ctx, &Step{Method: http.MethodGet, Key: ""}, "/v2/keys/", requestTime)
	first, err := strconv.ParseUint(start.header.Get("X-Etcd-Index"), 10, 64)
	if err != nil {
		return nil, fmt.Errorf("differential: %s: no X-Etcd-Index from GET /v2/keys/ (%s); is it a v2 server?", s.base, start.failure)
	}
	x.first = first
	for i := range script.Steps {
		x.answers = append(x.answers, x.step(ctx, i, &script.Steps[i]))
	}
	return x, nil
}

func (x *session) step(ctx context.Context, i int, st *Step) answer {
	var index uint64
	if st.Ref != nil {
		var known bool
		if index, known = x.indices[st.Ref.Step]; !known {
			return answer{skipped: true}
		}
	}
	target := st.target(x.root, index)
	if st.Watch == Live {
		w := x.watch(ctx, st, target)
		x.live[i] = w
		return answer{}
	}
	limit := requestTime
	if st.Watch == Replay {
		limit = replayTime
	}
	a := x.send(ctx, st, target, limit)
	if n, ok := changedIndex(a.body); ok {
		x.indices[st.ID] = n
	}
	return a
}

// changedIndex is the modifiedIndex an answer gives to the change it reports.
func changedIndex(body []byte) (uint64, bool) {
	var r struct {
		Action string
		Node   *struct{ ModifiedIndex uint64 }
	}
	if json.Unmarshal(body, &r) != nil || r.Node == nil || r.Action == "get" {
		return 0, false
	}
	return r.Node.ModifiedIndex, true
}

func (s *server) request(ctx context.Context, st *Step, target string) (*http.Request, error) {
	var body io.Reader
	if st.Form != nil {
		body = strings.NewReader(strings.Join(st.Form, "&"))
	} else if st.Body != "" {
		body = strings.NewReader(st.Body)
	}
	req, err := http.NewRequestWithContext(ctx, st.Method, s.base.String(), body)
	if err != nil {
		return nil, err
	}
	req.URL = &url.URL{Scheme: s.base.Scheme, Host: s.base.Host, Opaque: target}
	if st.Form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, nil
}

func (s *server) send(ctx context.Context, st *Step, target string, limit time.Duration) answer {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := s.request(ctx, st, target)
	if err != nil {
		return answer{failure: err.Error()}
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{failure: strings.ReplaceAll(err.Error(), s.base.Host, "HOST")}
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBodyBytes))
	switch {
	case err != nil && st.Watch == Replay && errors.Is(ctx.Err(), context.DeadlineExceeded):
		a.pending = true
	case err != nil:
		a.failure = "the answer broke off: " + err.Error()
	}
	return a
}

// liveWatch is a watch that is open while the script runs.
type liveWatch struct {
	cancel context.CancelFunc
	over   chan struct{}

	mu  sync.Mutex
	ans answer
}

// watch opens a watch and returns when its headers are there.
func (x *session) watch(ctx context.Context, st *Step, target string) *liveWatch {
	ctx, cancel := context.WithCancel(ctx)
	w := &liveWatch{cancel: cancel, over: make(chan struct{})}
	req, err := x.request(ctx, st, target)
	if err != nil {
		w.ans.failure = err.Error()
		close(w.over)
		return w
	}
	headers := make(chan struct{})
	go func() {
		defer close(w.over)
		tr := &http.Transport{DisableCompression: true, DisableKeepAlives: true}
		resp, err := (&http.Client{Transport: tr, CheckRedirect: x.client.CheckRedirect}).Do(req)
		if err != nil {
			w.ans.failure = "watch: " + strings.ReplaceAll(err.Error(), x.base.Host, "HOST")
			close(headers)
			return
		}
		defer resp.Body.Close()
		w.ans.status, w.ans.header = resp.StatusCode, resp.Header
		close(headers)
		w.collect(io.LimitReader(resp.Body, maxBodyBytes))
	}()
	select {
	case <-headers:
	case <-time.After(requestTime):
		cancel()
		<-headers
	}
	return w
}

// collect takes whole lines; a rest without a line feed only at the end.
func (w *liveWatch) collect(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		w.mu.Lock()
		w.ans.body = append(w.ans.body, line...)
		w.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// size is how much has come.
func (w *liveWatch) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.ans.body)
}

// lines counts the events that have come.
func (w *liveWatch) lines() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Count(string(w.ans.body), "\n")
}

// settle waits until the live watches of both sessions have as many events as
// each other and nothing more comes, then closes them and keeps their answers.
func settle(a, b *session) {
	if len(a.live)+len(b.live) > 0 {
		for deadline := time.Now().Add(settleTime); time.Now().Before(deadline); {
			before := a.received() + b.received()
			time.Sleep(quietTime)
			if a.received()+b.received() == before && a.agrees(b) {
				break
			}
		}
	}
	for _, x := range []*session{a, b} {
		for i, w := range x.live {
			w.cancel()
			<-w.over
			x.answers[i] = w.ans
		}
	}
}

func (x *session) received() (n int) {
	for _, w := range x.live {
		n += w.size()
	}
	return n
}

func (x *session) agrees(y *session) bool {
	for i, w := range x.live {
		if v := y.live[i]; v == nil || v.lines() != w.lines() {
			return false
		}
	}
	return true
}

// cleanUp removes the root; whether it was there is of no interest.
func (x *session) cleanUp(ctx context.Context) {
	x.send(ctx, &Step{Method: http.MethodDelete}, "/v2/keys"+x.root+"?recursive=true", requestTime)
}
