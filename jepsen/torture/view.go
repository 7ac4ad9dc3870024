package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"holdfast/jepsen/process"
)

const (
	// askTime bounds one question to a member.
	askTime = 10 * time.Second
	// maxViewBytes bounds a member's view of the whole directory.
	maxViewBytes = 256 << 20
	// pollPause is the time between two looks at something that will come.
	pollPause = 20 * time.Millisecond
)

// view is what one member holds, by key.
type view map[string]node

type node struct {
	Key           string
	Value         string
	ModifiedIndex uint64
	Nodes         []node
}

// ask does one GET and returns status and body.
func ask(ctx context.Context, url string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	req.Close = true // members come and go; no connection outlives a question
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxViewBytes))
	if err != nil {
		return 0, nil, fmt.Errorf("ask %s: %w", url, err)
	}
	return resp.StatusCode, body, nil
}

// waitForView waits until the member itself, asked without quorum, has the key
// final, and returns all it holds.
func waitForView(ctx context.Context, m *process.Member, final string) (view, error) {
	ctx, cancel := context.WithTimeout(ctx, catchUp)
	defer cancel()
	for {
		status, _, err := ask(ctx, m.ClientURL+"/v2/keys"+final)
		if err == nil && status == http.StatusOK {
			return readView(ctx, m)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("torture: %s has not caught up within %v: status %d, %w; its last output:\n%s", m.Name, catchUp, status, ctx.Err(), m.LogTail())
		case <-time.After(pollPause):
		}
	}
}

func readView(ctx context.Context, m *process.Member) (view, error) {
	status, body, err := ask(ctx, m.ClientURL+"/v2/keys"+root+"?recursive=true")
	if err != nil {
		return nil, fmt.Errorf("torture: read the view of %s: %w", m.Name, err)
	}
	var answer struct{ Node node }
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("torture: read the view of %s: status %d: %w", m.Name, status, err)
	}
	v := view{}
	v.add(answer.Node)
	return v, nil
}

func (v view) add(n node) {
	for _, c := range n.Nodes {
		v.add(c)
	}
	n.Nodes = nil
	v[n.Key] = n
}
