package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// pause lies between two rounds over the endpoints and after a watch that the
// server ended at once, so that a broken server is not asked in a tight loop.
const pause = 100 * time.Millisecond

// Watcher follows a key by long polls. Every event after its start is seen
// once and in order, over fail-overs too, as long as the store's event ring
// still holds it; else Next returns the store's error 401.
type Watcher struct {
	client    *Client
	key       string
	recursive bool
	waitIndex uint64 // 0: from now on
	current   int    // the endpoint that answered last
}

// Watch follows key, and everything below it when recursive. With afterIndex 0
// it starts now, else with the first event after that index. It sends nothing
// until Next is called.
func (c *Client) Watch(key string, recursive bool, afterIndex uint64) *Watcher {
	w := &Watcher{client: c, key: key, recursive: recursive}
	if afterIndex > 0 {
		w.waitIndex = afterIndex + 1
	}
	return w
}

// Next waits for the next event. It goes from endpoint to endpoint while they
// fail and gives up with *UnreachableError when none has taken the watch for
// the client's timeout.
func (w *Watcher) Next(ctx context.Context) (Result, error) {
	lastContact := time.Now()
	var failed []Attempt
	for {
		endpoint := w.client.endpoints[w.current]
		answer, connected, err := w.poll(ctx, endpoint)
		switch {
		case ctx.Err() != nil:
			return Result{}, ctx.Err()
		case err == nil && len(answer.Body) > 0:
			result, err := decodeResult(answer)
			if err == nil {
				w.waitIndex = result.Node.ModifiedIndex + 1
			}
			return result, err
		case err == nil: // ended cleanly: go on from where it stood
			if w.waitIndex == 0 && answer.Index > 0 {
				w.waitIndex = answer.Index + 1
			}
			err = errors.New("the server ended the watch")
		case !mayAskNext(err):
			return Result{}, err
		}
		if connected {
			lastContact, failed = time.Now(), nil
		}
		failed = append(failed, Attempt{endpoint, err})
		if len(failed) >= len(w.client.endpoints) && time.Since(lastContact) > w.client.timeout {
			return Result{}, &UnreachableError{Attempts: failed[len(failed)-len(w.client.endpoints):]}
		}
		w.current = (w.current + 1) % len(w.client.endpoints)
		if err := sleep(ctx, pause); err != nil {
			return Result{}, err
		}
	}
}

// poll makes one long poll. The headers have to come within the client's
// timeout (a store flushes them at once), the event may take for ever.
// connected tells that the endpoint took the watch.
func (w *Watcher) poll(ctx context.Context, endpoint string) (answer Answer, connected bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	query := url.Values{"wait": {"true"}}
	if w.recursive {
		query.Set("recursive", "true")
	}
	if w.waitIndex > 0 {
		query.Set("waitIndex", strconv.FormatUint(w.waitIndex, 10))
	}
	request, err := newRequest(ctx, http.MethodGet, endpoint, KeyPath(w.key), query, nil)
	if err != nil {
		return Answer{}, false, err
	}
	timeout := w.client.timeout
	timer := time.AfterFunc(timeout, func() {
		cancel(fmt.Errorf("no answer to the watch within %v: %w", timeout, context.DeadlineExceeded))
	})
	defer timer.Stop()
	response, err := w.client.http.Do(request)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return Answer{}, false, plain(err)
	}
	defer response.Body.Close()
	timer.Stop()
	// Keep the start even if the connection breaks before the first event.
	if index := parseIndex(response.Header.Get("X-Etcd-Index")); w.waitIndex == 0 && index > 0 && response.StatusCode == http.StatusOK {
		defer func() {
			if err != nil {
				w.waitIndex = index + 1
			}
		}()
	}
	answer, err = readAnswer(response, endpoint)
	return answer, response.StatusCode == http.StatusOK, err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
