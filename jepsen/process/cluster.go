package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// MaxMembers bounds a cluster on one machine.
const MaxMembers = 7

// Cluster is a static cluster of daemons of one program.
type Cluster struct {
	Members []*Member
}

// StartCluster starts n members below dir, named n1 to nN, and waits until all
// are ready. Extra arguments come last on each command line. When it fails,
// nothing is left running.
func StartCluster(ctx context.Context, p Program, dir string, n int, extra ...string) (*Cluster, error) {
	if n < 1 || n > MaxMembers {
		return nil, fmt.Errorf("start cluster: %d members: out of range; ask for 1 to %d", n, MaxMembers)
	}
	c := &Cluster{}
	var initial []string
	for i := range n {
		m, err := newMember(p, dir, fmt.Sprintf("n%d", i+1))
		if err != nil {
			return nil, err
		}
		c.Members = append(c.Members, m)
		initial = append(initial, m.Name+"="+m.PeerURL)
	}
	for _, m := range c.Members {
		m.extra = append([]string{"--initial-cluster", strings.Join(initial, ","), "--initial-cluster-state", "new"}, extra...)
	}
	if err := c.startAll(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start cluster of %s: %w", p.Title, err), c.KillAll())
	}
	return c, nil
}

func (c *Cluster) startAll(ctx context.Context) error {
	for _, m := range c.Members {
		if err := m.Start(); err != nil {
			return err
		}
	}
	for _, m := range c.Members {
		if err := m.WaitReady(ctx); err != nil {
			return err
		}
	}
	for _, m := range c.Members {
		if m.program.V3 {
			continue // its list of members is not asked for over HTTP
		}
		if err := c.waitPublished(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

// waitPublished waits until m lists every member with its client URLs. Members
// publish these through the log after their start, and a write of theirs
// between two of a test would move the index unexpectedly.
func (c *Cluster) waitPublished(ctx context.Context, m *Member) error {
	for {
		published := 0
		var list struct {
			Members []struct{ ClientURLs []string }
		}
		body, status, err := fetch(ctx, m.ClientURL+"/v2/members")
		if err == nil {
			err = json.Unmarshal(body, &list)
		}
		for _, x := range list.Members {
			if len(x.ClientURLs) > 0 {
				published++
			}
		}
		if published == len(c.Members) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s lists all members: %d of %d, status %d: %w", m.Name, published, len(c.Members), status, errors.Join(ctx.Err(), err))
		case <-time.After(pollEvery):
		}
	}
}

// KillAll ends every process with SIGKILL; members without one are passed over.
func (c *Cluster) KillAll() error {
	var all error
	for _, m := range c.Members {
		if err := m.Kill(); err != nil && !errors.Is(err, ErrNotRunning) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// StopAll ends every process with SIGTERM; members without one are passed over.
func (c *Cluster) StopAll() error {
	var all error
	for _, m := range c.Members {
		if err := m.Stop(); err != nil && !errors.Is(err, ErrNotRunning) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// URLs lists the members' client URLs.
func (c *Cluster) URLs() []string {
	var u []string
	for _, m := range c.Members {
		u = append(u, m.ClientURL)
	}
	return u
}

// PIDs lists the ids of the members' processes, as the flag --pid of "holdfast
// bench" takes them.
func (c *Cluster) PIDs() string {
	var all []string
	for _, m := range c.Members {
		all = append(all, strconv.Itoa(m.PID()))
	}
	return strings.Join(all, ",")
}

// IsLeader asks a member whether it believes to lead.
func (m *Member) IsLeader(ctx context.Context) (bool, error) {
	body, status, err := fetch(ctx, m.ClientURL+"/v2/stats/self")
	if err != nil {
		return false, err
	}
	var self struct {
		State string `json:"state"`
	}
	if err := json.Unmarshal(body, &self); err != nil {
		return false, fmt.Errorf("ask %s for its state: status %d: %w", m.Name, status, err)
	}
	return self.State == "StateLeader", nil
}

// Leader waits until a running member says that it leads and returns it.
func (c *Cluster) Leader(ctx context.Context) (*Member, error) {
	for {
		var last error
		for _, m := range c.Members {
			if !m.Running() {
				continue
			}
			leads, err := m.IsLeader(ctx)
			if leads {
				return m, nil
			}
			if err != nil {
				last = err
			}
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("find the leader: %w", ctx.Err()), last)
		case <-time.After(pollEvery):
		}
	}
}

// Follower returns a running member that does not lead, once there is a leader.
func (c *Cluster) Follower(ctx context.Context) (*Member, error) {
	leader, err := c.Leader(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range c.Members {
		if m != leader && m.Running() {
			return m, nil
		}
	}
	return nil, errors.New("find a follower: the leader runs alone; start more members")
}
