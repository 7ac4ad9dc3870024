package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// stallTime is how long a snapshot may make no progress once it has begun.
const stallTime = time.Minute

// maxRefusalBytes is how much of a refusal in plain text is read.
const maxRefusalBytes = 4 << 10

// ErrStalled says that a server stopped sending in the middle, and has not gone on
// within a minute.
var ErrStalled = errors.New("nothing more came")

// Snapshot is an archive on its way. Its reader gives an error, and not the end,
// when the connection ends before the archive does.
type Snapshot struct {
	io.Reader
	// Endpoint is who sends it.
	Endpoint string

	body   io.Closer
	cancel context.CancelCauseFunc
	stall  *time.Timer
}

// Close hangs up, if there is more to come.
func (s *Snapshot) Close() error {
	s.stall.Stop()
	s.cancel(nil)
	return s.body.Close()
}

// Snapshot asks for an archive of the whole state, of the first endpoint that
// gives one; stale takes what a member has, with or without a leader. The
// client's timeout is for its beginning: how long the rest takes depends on the
// store. The caller closes what it gets.
func (c *Client) Snapshot(ctx context.Context, stale bool) (*Snapshot, error) {
	query := url.Values{}
	if stale {
		query.Set("stale", "true")
	}
	return first(ctx, c, func(endpoint string, patience time.Duration) (*Snapshot, error) {
		return c.snapshotFrom(ctx, endpoint, query, patience)
	})
}

func (c *Client) snapshotFrom(ctx context.Context, endpoint string, query url.Values, patience time.Duration) (*Snapshot, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(patience, func() { cancel(context.DeadlineExceeded) })
	request, err := newRequest(ctx, http.MethodGet, endpoint, "/v1/snapshot", query, nil)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	response, err := c.http.Do(request)
	inTime := late.Stop()
	if err == nil && inTime && response.StatusCode == http.StatusOK {
		s := &Snapshot{Endpoint: endpoint, body: response.Body, cancel: cancel}
		s.stall = time.AfterFunc(c.stall, func() { cancel(ErrStalled) })
		s.Reader = progress{ctx, response.Body, func() { s.stall.Reset(c.stall) }}
		return s, nil
	}
	defer cancel(nil)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return nil, plain(err)
	}
	defer response.Body.Close()
	if !inTime {
		return nil, plain(context.DeadlineExceeded)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxRefusalBytes))
	if err != nil {
		return nil, fmt.Errorf("answer cut short: %w", plain(err))
	}
	message := strings.TrimSpace(string(text))
	if response.StatusCode/100 == 5 && message != "" && !strings.HasPrefix(message, "<") {
		// What to do is in the server's terms; the command line has its own.
		message, _, _ = strings.Cut(strings.TrimPrefix(message, fmt.Sprint(response.StatusCode, " ")), "; ")
		return nil, &StoreError{Status: response.StatusCode, Endpoint: endpoint, Message: message}
	}
	return nil, foreign(endpoint, response.StatusCode, text)
}

// progress puts a time-out off with each read that gives something.
type progress struct {
	ctx  context.Context
	r    io.Reader
	made func()
}

// Read implements io.Reader.
func (p progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if n > 0 {
		p.made()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		if cause := context.Cause(p.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}
