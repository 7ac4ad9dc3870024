package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Limits of the client: nothing a server sends or a user lists grows without
// bound.
const (
	// MaxEndpoints bounds the list of endpoints.
	MaxEndpoints = 64
	// MaxAnswerBytes bounds one answer; a recursive listing larger than this
	// has to be read directory by directory.
	MaxAnswerBytes = 256 << 20
	// maxDial bounds one connection attempt, so that a host that swallows
	// packets does not eat the time of the endpoints behind it.
	maxDial = 2 * time.Second
	// snippetBytes is how much of a foreign answer an error shows.
	snippetBytes = 120
)

// Client sends requests to a list of endpoints in the order given. It is safe
// for use by one goroutine at a time.
type Client struct {
	endpoints []string // scheme://host:port, no trailing slash
	timeout   time.Duration
	stall     time.Duration // how long a snapshot may make no progress
	http      *http.Client
}

// New checks the endpoints ("http://host:port", "host:port" for short) and
// makes a client whose every call but a watch ends within timeout. It connects
// to nothing. Errors are of type *EndpointError.
func New(endpoints []string, timeout time.Duration) (*Client, error) {
	if len(endpoints) == 0 {
		return nil, &EndpointError{Reason: "names no endpoint"}
	}
	if len(endpoints) > MaxEndpoints {
		return nil, &EndpointError{
			Endpoint: endpoints[MaxEndpoints],
			Reason:   fmt.Sprintf("is one too many, the limit is %d", MaxEndpoints),
		}
	}
	c := &Client{timeout: timeout, stall: stallTime}
	for _, given := range endpoints {
		endpoint, err := normalize(given)
		if err != nil {
			return nil, err
		}
		c.endpoints = append(c.endpoints, endpoint)
	}
	dialer := &net.Dialer{Timeout: min(maxDial, timeout/time.Duration(len(endpoints)))}
	c.http = &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1},
		// The store never redirects; following one would send a write twice.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Endpoints lists the endpoints as they are used.
func (c *Client) Endpoints() []string { return c.endpoints }

func normalize(given string) (string, error) {
	text := strings.TrimSpace(given)
	if text == "" {
		return "", &EndpointError{Endpoint: given, Reason: "is empty"}
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", &EndpointError{Endpoint: given, Reason: "is not a URL"}
	case u.Scheme != "http":
		return "", &EndpointError{Endpoint: given, Reason: "has scheme " + u.Scheme + ", only http is spoken"}
	case u.Host == "" || u.Hostname() == "":
		return "", &EndpointError{Endpoint: given, Reason: "has no host"}
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return "", &EndpointError{Endpoint: given, Reason: "has more than scheme, host and port"}
	}
	return u.Scheme + "://" + u.Host, nil
}

// Answer is what an endpoint answered: a 2xx status, or 200 with an empty body
// for a watch that the server ended.
type Answer struct {
	Status   int
	Body     []byte
	Index    uint64 // X-Etcd-Index, 0 if absent
	Endpoint string
}

// Get reads path (escaped by this call) with the query from the first endpoint
// that answers. A lost connection, a time-out or a 5xx makes it ask the next.
func (c *Client) Get(ctx context.Context, path string, query url.Values) (Answer, error) {
	return first(ctx, c, func(endpoint string, patience time.Duration) (Answer, error) {
		return c.getOne(ctx, endpoint, path, query, patience)
	})
}

// first asks one endpoint after the other until one answers. The client's timeout
// is for all of them: each has its share of what is left.
func first[T any](ctx context.Context, c *Client, ask func(endpoint string, patience time.Duration) (T, error)) (T, error) {
	var none T
	var failed []Attempt
	var refused error
	deadline := time.Now().Add(c.timeout)
	for i, endpoint := range c.endpoints {
		answer, err := ask(endpoint, time.Until(deadline)/time.Duration(len(c.endpoints)-i))
		if err == nil || !mayAskNext(err) {
			return answer, err
		}
		if isAnswer(err) {
			refused = err
		}
		failed = append(failed, Attempt{endpoint, err})
		if ctx.Err() != nil {
			break
		}
	}
	// A member that answered "no leader" says more than one that is down.
	if refused != nil {
		return none, refused
	}
	return none, &UnreachableError{Attempts: failed}
}

func (c *Client) getOne(ctx context.Context, endpoint, path string, query url.Values, patience time.Duration) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := newRequest(ctx, http.MethodGet, endpoint, path, query, nil)
	if err != nil {
		return Answer{}, err
	}
	return c.exchange(request, endpoint)
}

// GetFrom reads path from one endpoint, given as base URL, without trying
// another.
func (c *Client) GetFrom(ctx context.Context, endpoint, path string) (Answer, error) {
	return c.getOne(ctx, strings.TrimRight(endpoint, "/"), path, nil, c.timeout)
}

// Write sends a request that changes something. It goes to the next endpoint
// only while no connection was made; once sent it is sent no more, and a
// missing answer or a 5xx is an *UnknownOutcomeError.
func (c *Client) Write(ctx context.Context, method, path string, query, form url.Values) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var failed []Attempt
	for _, endpoint := range c.endpoints {
		var connected atomic.Bool
		traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
			GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
		})
		request, err := newRequest(traced, method, endpoint, path, query, form)
		if err != nil {
			return Answer{}, err
		}
		answer, err := c.exchange(request, endpoint)
		if err == nil || !mayAskNext(err) {
			return answer, err
		}
		if connected.Load() {
			return Answer{}, &UnknownOutcomeError{Endpoint: endpoint, Err: err}
		}
		failed = append(failed, Attempt{endpoint, err})
		if ctx.Err() != nil {
			break
		}
	}
	return Answer{}, &UnreachableError{Attempts: failed}
}

func newRequest(ctx context.Context, method, endpoint, path string, query, form url.Values) (*http.Request, error) {
	target := endpoint + (&url.URL{Path: path, RawQuery: query.Encode()}).String()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("form request: %w", err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return request, nil
}

// exchange sends one request once and reads its answer whole.
func (c *Client) exchange(request *http.Request, endpoint string) (Answer, error) {
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, plain(err)
	}
	defer response.Body.Close()
	return readAnswer(response, endpoint)
}

func readAnswer(response *http.Response, endpoint string) (Answer, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxAnswerBytes+1))
	if err != nil {
		return Answer{}, fmt.Errorf("answer cut short: %w", plain(err))
	}
	if len(body) > MaxAnswerBytes {
		return Answer{}, &ProtocolError{
			Endpoint: endpoint, Status: response.StatusCode,
			Body: fmt.Sprintf("more than %d bytes", MaxAnswerBytes),
		}
	}
	if response.StatusCode/100 == 2 {
		return Answer{
			Status: response.StatusCode, Body: body, Endpoint: endpoint,
			Index: parseIndex(response.Header.Get("X-Etcd-Index")),
		}, nil
	}
	refusal := &StoreError{Status: response.StatusCode, Endpoint: endpoint}
	if json.Unmarshal(body, refusal) != nil || refusal.Message == "" {
		return Answer{}, foreign(endpoint, response.StatusCode, body)
	}
	return Answer{}, refusal
}

func foreign(endpoint string, status int, body []byte) *ProtocolError {
	text := strings.TrimSpace(string(body[:min(len(body), snippetBytes)]))
	return &ProtocolError{Endpoint: endpoint, Status: status, Body: text}
}

// mayAskNext tells whether another endpoint could answer better: not after a
// refusal, which every member would repeat.
func mayAskNext(err error) bool {
	var refusal *StoreError
	if errors.As(err, &refusal) {
		return refusal.Status/100 == 5
	}
	var protocol *ProtocolError
	if errors.As(err, &protocol) {
		return protocol.Status/100 == 5
	}
	return true
}

func isAnswer(err error) bool {
	var refusal *StoreError
	return errors.As(err, &refusal)
}

// plain takes the method and URL off a transport error: messages name the
// endpoint and the key already.
func plain(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("timed out: %w", err)
	}
	return err
}
