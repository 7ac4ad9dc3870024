package client

import (
	"context"
	"encoding/json"
	"strings"
)

// Member is a member of the cluster as /v2/members lists it.
type Member struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"` // empty until it started once
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
}

// Members lists the members; raw is the server's answer.
func (c *Client) Members(ctx context.Context) (members []Member, raw []byte, err error) {
	answer, err := c.Get(ctx, "/v2/members", nil)
	if err != nil {
		return nil, nil, err
	}
	var list struct {
		Members *[]Member `json:"members"`
	}
	if json.Unmarshal(answer.Body, &list) != nil || list.Members == nil {
		return nil, nil, foreign(answer.Endpoint, answer.Status, answer.Body)
	}
	return *list.Members, answer.Body, nil
}

// Leader names the leader as the first answering endpoint sees it.
func (c *Client) Leader(ctx context.Context) (Member, error) {
	answer, err := c.Get(ctx, "/v2/members/leader", nil)
	if err != nil {
		return Member{}, err
	}
	var leader Member
	if json.Unmarshal(answer.Body, &leader) != nil || leader.ID == "" {
		return Member{}, foreign(answer.Endpoint, answer.Status, answer.Body)
	}
	return leader, nil
}

// Health asks one member, by a client URL of its own, whether it is healthy.
// An unhealthy member answers 503 and is no error.
func (c *Client) Health(ctx context.Context, clientURL string) (bool, error) {
	answer, err := c.GetFrom(ctx, clientURL, "/health")
	body := string(answer.Body)
	if protocol, ok := asProtocol(err); ok && protocol.Status == 503 {
		body, err = protocol.Body, nil
	}
	if err != nil {
		return false, err
	}
	// etcd says "true" in quotes, older versions said true.
	var health struct {
		Health any `json:"health"`
	}
	if json.NewDecoder(strings.NewReader(body)).Decode(&health) != nil || health.Health == nil {
		return false, foreign(clientURL, answer.Status, []byte(body))
	}
	return health.Health == "true" || health.Health == true, nil
}
