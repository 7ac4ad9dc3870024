package conform

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// requestTime bounds one request that is not in the background.
	requestTime = 10 * time.Second
	// maxBodyBytes bounds what is read of one answer.
	maxBodyBytes = 64 << 20
)

// Result is the outcome of one scenario.
type Result struct {
	Scenario *Scenario
	// Failures holds a line for every difference, beginning with its step.
	Failures []string
	Took     time.Duration
}

// Passed tells whether nothing differed.
func (r *Result) Passed() bool { return len(r.Failures) == 0 }

// Runner replays scenarios against one server.
type Runner struct {
	server *url.URL
	client *http.Client
	prefix string // begins the name of every root
	count  int    // scenarios begun
}

// NewRunner returns a Runner for the server at base, such as
// http://127.0.0.1:2379.
func NewRunner(base string) (*Runner, error) {
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return nil, fmt.Errorf("conform: base URL %q: not http://HOST:PORT; give the server's client URL", base)
	}
	// A name of its own for each run lets one server be replayed against again.
	name := strconv.FormatInt(time.Now().UnixNano()%1e9, 36)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: noRedirect}
	return &Runner{server: u, client: client, prefix: "c" + name}, nil
}

// Close drops the runner's idle connections.
func (r *Runner) Close() { r.client.CloseIdleConnections() }

// Run replays the scenarios in order, one at a time, and calls each, if not
// nil, after every one.
func (r *Runner) Run(ctx context.Context, scenarios []Scenario, each func(Result)) []Result {
	var all []Result
	for i := range scenarios {
		if ctx.Err() != nil {
			break
		}
		begin := time.Now()
		res := Result{Scenario: &scenarios[i], Failures: r.replay(ctx, &scenarios[i])}
		res.Took = time.Since(begin)
		all = append(all, res)
		if each != nil {
			each(res)
		}
	}
	return all
}

// Tally counts what passed and failed.
func Tally(results []Result) (passed, failed int) {
	for i := range results {
		if results[i].Passed() {
			passed++
		} else {
			failed++
		}
	}
	return passed, failed
}

// play is one scenario under way.
type play struct {
	*Runner
	*scope
	ctx      context.Context
	polls    map[string]*poll
	failures []string
}

func (r *Runner) replay(ctx context.Context, sc *Scenario) []string {
	r.count++
	name := fmt.Sprintf("%s-%d", r.prefix, r.count)
	p := &play{Runner: r, ctx: ctx, polls: map[string]*poll{}, scope: &scope{vars: map[string]any{}, names: map[string]string{
		"rname": name, "root": "/" + name, "hroot": "/_" + name,
		"hostport": r.server.Host, "url": r.server.String(),
		// A loopback address nobody else uses, for peer URLs.
		"loop": fmt.Sprintf("127.%d.%d.%d", 1+r.count>>16%250, r.count>>8&255, 1+r.count%250),
	}}}
	defer p.cleanUp(sc)
	if err := p.takeBase(""); err != nil {
		return []string{err.Error()}
	}
	for i := range sc.Steps {
		st := &sc.Steps[i]
		label := fmt.Sprintf("step %d (%s %s%s)", i+1, st.Method, st.Path, st.Await)
		diffs, err := p.step(st)
		for _, d := range diffs {
			p.failures = append(p.failures, label+": "+d)
		}
		if err != nil { // nothing sensible can follow
			return append(p.failures, label+": "+err.Error())
		}
	}
	return p.failures
}

func (p *play) cleanUp(sc *Scenario) {
	for _, b := range sortedKeys(p.polls) {
		p.polls[b].drop()
	}
	last := Step{Method: http.MethodDelete, Path: "/v2/keys${root}?recursive=true"}
	for _, st := range append(append([]Step(nil), sc.Finally...), last) {
		p.sendAll(&st) // unchecked: there may be nothing to clean up
	}
}

func (p *play) step(st *Step) (diffs []string, fatal error) {
	if st.SleepMS > 0 {
		time.Sleep(millis(st.SleepMS, 0))
	}
	switch {
	case st.Close != "":
		if b := p.polls[st.Close]; b != nil {
			b.drop()
		}
		return nil, nil
	case st.Rebase:
		return nil, p.takeBase(st.Auth)
	case st.Await != "":
		b := p.polls[st.Await]
		if b == nil {
			return nil, fmt.Errorf("await %s: no background request has that id", st.Await)
		}
		return p.judge(st, b.await(st)), nil
	case st.Background:
		req, err := p.request(p.ctx, st)
		if err != nil {
			return nil, err
		}
		p.polls[st.ID] = startPoll(req)
		return nil, nil
	case st.Method == "":
		return nil, nil // only a sleep
	}
	return p.judge(st, p.sendAll(st)), nil
}

// judge checks an answer and captures from it.
func (p *play) judge(st *Step, a *answer) []string {
	p.at = a.at
	diffs := p.check(st.Expect, a)
	if a.err == nil && a.ended {
		if err := p.capture(st.Capture, a); err != nil {
			diffs = append(diffs, err.Error())
		}
	}
	return diffs
}

// takeBase reads the index that the scenario's indices relate to.
func (p *play) takeBase(auth string) error {
	a := p.send(&Step{Method: http.MethodGet, Path: "/v2/keys/", Auth: auth})
	if a.err != nil {
		return fmt.Errorf("take the base index: %w", a.err)
	}
	n, err := strconv.ParseInt(a.header.Get("X-Etcd-Index"), 10, 64)
	if err != nil || a.status != http.StatusOK {
		return fmt.Errorf("take the base index: status %d, X-Etcd-Index %q", a.status, a.header.Get("X-Etcd-Index"))
	}
	p.base = n
	return nil
}

// sendAll sends the step as often as it asks and returns the last answer.
func (p *play) sendAll(st *Step) *answer {
	var a *answer
	for i := range max(1, st.Repeat) {
		p.names["i"] = strconv.Itoa(i)
		if a = p.send(st); a.err != nil {
			break
		}
	}
	return a
}

func (p *play) send(st *Step) *answer {
	ctx, cancel := context.WithTimeout(p.ctx, millis(st.TimeoutMS, requestTime))
	defer cancel()
	req, err := p.request(ctx, st)
	if err != nil {
		return &answer{err: err}
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return &answer{err: err}
	}
	defer resp.Body.Close()
	a := &answer{ended: true}
	a.head(resp)
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxBodyBytes))
	if err != nil {
		a.err = fmt.Errorf("the answer, status %d, broke off: %w", a.status, err)
	}
	a.at = time.Now()
	return a
}

func (p *play) request(ctx context.Context, st *Step) (*http.Request, error) {
	target, err := p.expand(st.Path)
	if err != nil {
		return nil, err
	}
	body, contentType, err := p.body(st)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, st.Method, p.server.String(), body)
	if err != nil {
		return nil, fmt.Errorf("build request: %w", err)
	}
	// Opaque is sent as it is: dots, escapes and bad escapes included.
	req.URL = &url.URL{Scheme: p.server.Scheme, Host: p.server.Host, Opaque: target}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	var errs error
	for k, v := range st.Headers {
		text, err := p.expand(v)
		errs = errors.Join(errs, err)
		req.Header.Set(k, text)
	}
	if user, password, ok := strings.Cut(st.Auth, ":"); ok {
		req.SetBasicAuth(user, password)
	}
	return req, errs
}

func (p *play) body(st *Step) (io.Reader, string, error) {
	switch {
	case st.Body != nil:
		text, err := p.expand(*st.Body)
		return strings.NewReader(text), "", err
	case st.BodyBase64 != nil:
		return bytes.NewReader(st.BodyBase64), "", nil
	case st.Form != nil:
		var pairs []string
		for _, f := range st.Form {
			v, err := p.expand(f[1])
			if err != nil {
				return nil, "", err
			}
			pairs = append(pairs, url.QueryEscape(f[0])+"="+url.QueryEscape(v))
		}
		return strings.NewReader(strings.Join(pairs, "&")), "application/x-www-form-urlencoded", nil
	}
	return nil, "", nil
}
