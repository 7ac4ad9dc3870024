//go:build unix

package powercut

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	// root is the directory of the store that all keys lie in.
	root = "/powercut"
	// refused begins the values of writes that the store must refuse.
	refused = "refused"
	// maxListBytes bounds the answer that lists all keys.
	maxListBytes = 64 << 20
)

// ledger knows what must and may be in the store.
type ledger struct {
	mu     sync.Mutex
	acked  map[string]string   // by key, as acknowledged last, or as read since
	unsure map[string][]string // values of unknown outcome, since then
	total  int                 // acknowledged writes, ever
}

func newLedger() *ledger {
	return &ledger{acked: map[string]string{}, unsure: map[string][]string{}}
}

// begin notes a write before it is sent. Each key has one writer.
func (l *ledger) begin(key, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure[key] = append(l.unsure[key], value)
}

// acknowledge notes that the last write of key was confirmed.
func (l *ledger) acknowledge(key, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[key] = value
	delete(l.unsure, key)
	l.total++
}

// withdraw notes that a write certainly had no effect.
func (l *ledger) withdraw(key, value string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure[key] = slices.DeleteFunc(l.unsure[key], func(v string) bool { return v == value })
}

// settle compares what the store holds with what it must, and returns each
// broken promise. What was of unknown outcome is known from then on.
func (l *ledger) settle(held map[string]string) (wrong []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, want := range l.acked {
		got, there := held[key]
		if there && (got == want || slices.Contains(l.unsure[key], got)) {
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%s: acknowledged with %.40q, read as %.40q", key, want, got))
	}
	for key, got := range held {
		_, known := l.acked[key]
		if strings.HasPrefix(got, refused) || !known && !slices.Contains(l.unsure[key], got) {
			wrong = append(wrong, fmt.Sprintf("%s: holds %.40q, which nobody wrote or which was refused", key, got))
		}
	}
	slices.Sort(wrong)
	l.acked, l.unsure = held, map[string][]string{}
	return wrong
}

// readAll reads all keys, by one quorum read.
func readAll(ctx context.Context, url string) (map[string]string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v2/keys"+root+"?recursive=true&quorum=true", nil)
	if err != nil {
		return nil, fmt.Errorf("read all keys: %w", err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("read all keys: %w", err)
	}
	defer response.Body.Close()
	var answer struct {
		ErrorCode int
		Node      struct {
			Nodes []struct{ Key, Value string }
		}
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxListBytes)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read all keys: status %d: %w", response.StatusCode, err)
	}
	const noKey = 100
	if response.StatusCode != http.StatusOK && answer.ErrorCode != noKey {
		return nil, fmt.Errorf("read all keys: status %d, error code %d", response.StatusCode, answer.ErrorCode)
	}
	held := map[string]string{}
	for _, n := range answer.Node.Nodes {
		held[n.Key] = n.Value
	}
	return held, nil
}
