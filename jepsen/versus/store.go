package versus

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"holdfast/jepsen/process"
)

// api is one way to talk to a store. The endpoint is a member's client URL.
type api interface {
	// put writes a key, and returns nil when the write is acknowledged.
	put(ctx context.Context, endpoint, key, value string) error
	// leads asks whether the member leads.
	leads(ctx context.Context, m *process.Member) (bool, error)
	// load writes all keys to the member.
	load(ctx context.Context, endpoint string, keys int) error
	// snapshot takes a snapshot through the API and copies it to w.
	snapshot(ctx context.Context, endpoint string, w io.Writer) error
	// hangUp closes the connections that nobody uses.
	hangUp()
}

func apiOf(p process.Program) api {
	if p.V3 {
		return newV3()
	}
	return &v2{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: maxUnderWay}}}
}

// maxRefusalBytes bounds what is read of an answer that is shown or thrown away.
const maxRefusalBytes = 4 << 10

// v2 is etcd's v2 API, with Holdfast's own snapshot.
type v2 struct{ client *http.Client }

func (a *v2) put(ctx context.Context, endpoint, key, value string) error {
	form := url.Values{"value": {value}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, endpoint+"/v2/keys"+key, strings.NewReader(form))
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusalBytes))
	if err != nil {
		return fmt.Errorf("put %s: %w", key, err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("put %s: status %d: %.200s", key, resp.StatusCode, body)
	}
	return nil
}

func (a *v2) leads(ctx context.Context, m *process.Member) (bool, error) { return m.IsLeader(ctx) }

// snapshot reads GET /v1/snapshot. A store without it answers 404.
func (a *v2) snapshot(ctx context.Context, endpoint string, w io.Writer) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint+"/v1/snapshot", nil)
	if err != nil {
		return fmt.Errorf("GET /v1/snapshot: %w", err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("GET /v1/snapshot: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET /v1/snapshot: status %d", resp.StatusCode)
	}
	n, err := io.Copy(w, resp.Body)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("GET /v1/snapshot: %w", err)
	}
	return nil
}

func (a *v2) hangUp() { a.client.CloseIdleConnections() }
