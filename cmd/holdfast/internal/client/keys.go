package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strconv"
)

// Node is a key or directory as the store shows it.
type Node struct {
	Key           string `json:"key"`
	Dir           bool   `json:"dir"`
	Value         string `json:"value"`
	TTLSeconds    int64  `json:"ttl"` // 0: lives on
	Nodes         []Node `json:"nodes"`
	ModifiedIndex uint64 `json:"modifiedIndex"`
	CreatedIndex  uint64 `json:"createdIndex"`
}

// Result is the answer to a request under /v2/keys.
type Result struct {
	Action   string `json:"action"`
	Node     Node   `json:"node"`
	PrevNode *Node  `json:"prevNode"`

	Index uint64 `json:"-"` // store index when the answer was given
	Raw   []byte `json:"-"` // the answer as the server sent it
}

// KeyPath gives the URL path of a key; a leading slash may be missing, doubled
// and trailing ones do not matter.
func KeyPath(key string) string { return "/v2/keys" + CleanKey(key) }

// CleanKey gives the key in the form the store shows it.
func CleanKey(key string) string { return path.Clean("/" + key) }

// GetKey reads a key or directory. Options go into the query: sorted,
// recursive, quorum.
func (c *Client) GetKey(ctx context.Context, key string, query url.Values) (Result, error) {
	answer, err := c.Get(ctx, KeyPath(key), query)
	if err != nil {
		return Result{}, err
	}
	return decodeResult(answer)
}

// WriteKey sends a PUT, POST or DELETE for a key. See [Client.Write] for its
// errors.
func (c *Client) WriteKey(ctx context.Context, method, key string, query, form url.Values) (Result, error) {
	if method == http.MethodDelete {
		form = nil
	}
	answer, err := c.Write(ctx, method, KeyPath(key), query, form)
	if err != nil {
		return Result{}, err
	}
	result, err := decodeResult(answer)
	if err != nil {
		return Result{}, &UnknownOutcomeError{Endpoint: answer.Endpoint, Err: err}
	}
	return result, nil
}

func decodeResult(answer Answer) (Result, error) {
	var result Result
	if json.Unmarshal(answer.Body, &result) != nil || result.Action == "" {
		return Result{}, foreign(answer.Endpoint, answer.Status, answer.Body)
	}
	result.Index, result.Raw = answer.Index, answer.Body
	return result, nil
}

func parseIndex(text string) uint64 {
	index, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0 // absent or not a number: the answer is not from a store
	}
	return index
}
