package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
)

func memberCommand() *cli.Command {
	return &cli.Command{
		Name: "member", Category: categoryCluster,
		Usage:  "look at the members of the cluster",
		Action: groupAction,
		Commands: []*cli.Command{{
			Name: "list", Usage: "list the members, and who leads",
			Action: memberList,
		}},
	}
}

func memberList(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd, 0, 0); err != nil {
		return err
	}
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	members, raw, err := c.Members(ctx)
	if err != nil {
		return failRequest("member list", c, err)
	}
	if outputFormat(cmd) == formatJSON {
		return printRaw(cmd.Root().Writer, raw)
	}
	leader, err := c.Leader(ctx)
	if err != nil {
		return failRequest("member list", c, fmt.Errorf("ask for the leader: %w", err))
	}
	var text bytes.Buffer
	for _, m := range members {
		peers := strings.Join(m.PeerURLs, ",")
		if m.Name == "" {
			fmt.Fprintf(&text, "%s[unstarted]: peerURLs=%s\n", m.ID, peers)
			continue
		}
		fmt.Fprintf(&text, "%s: name=%s peerURLs=%s clientURLs=%s isLeader=%v\n",
			m.ID, m.Name, peers, strings.Join(m.ClientURLs, ","), m.ID == leader.ID)
	}
	return write(cmd.Root().Writer, text.Bytes())
}

// healthInterval lies between two checks of cluster-health --forever.
const healthInterval = 10 * time.Second

// errUnhealthy ends cluster-health when no member is healthy.
var errUnhealthy = errors.New("no member is healthy")

func clusterHealthCommand() *cli.Command {
	return &cli.Command{
		Name: "cluster-health", Category: categoryCluster,
		Usage: "ask every member whether it is healthy",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "forever", Aliases: []string{"f"}, Usage: "ask again every 10 seconds", Local: true},
		},
		Action: clusterHealth,
	}
}

func clusterHealth(ctx context.Context, cmd *cli.Command) error {
	if _, err := arguments(cmd, 0, 0); err != nil {
		return err
	}
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	for {
		healthy, err := checkHealth(ctx, cmd, c)
		if !cmd.Bool("forever") || err != nil {
			if err == nil && !healthy {
				err = fail("cluster-health", strings.Join(c.Endpoints(), ","), errUnhealthy, "see the members' logs")
			}
			return err
		}
		if outputFormat(cmd) != formatJSON {
			fmt.Fprintf(cmd.Root().Writer, "\nnext check after 10 second...\n\n")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(healthInterval):
		}
	}
}

// memberHealth is what cluster-health found out about a member.
type memberHealth struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	URL     string `json:"url,omitempty"` // who answered
	Healthy bool   `json:"healthy"`
	Error   string `json:"error,omitempty"` // why nobody answered
}

// checkHealth asks every member once and prints what it found. The cluster
// counts as healthy when one member says so, as for etcdctl: a member says so
// only while it sees a leader.
func checkHealth(ctx context.Context, cmd *cli.Command, c *client.Client) (healthy bool, err error) {
	members, _, err := c.Members(ctx)
	if err != nil {
		if outputFormat(cmd) != formatJSON {
			fmt.Fprintln(cmd.Root().Writer, "cluster may be unhealthy: failed to list members")
		}
		return false, failRequest("cluster-health", c, err)
	}
	var text bytes.Buffer
	report := struct {
		Healthy bool           `json:"healthy"`
		Members []memberHealth `json:"members"`
	}{Members: []memberHealth{}}
	for _, m := range members {
		health := askMember(ctx, c, m, &text)
		report.Healthy = report.Healthy || health.Healthy
		report.Members = append(report.Members, health)
	}
	if outputFormat(cmd) == formatJSON {
		answer, err := json.Marshal(report)
		if err != nil {
			return false, fmt.Errorf("encode health: %w", err)
		}
		return report.Healthy, printRaw(cmd.Root().Writer, answer)
	}
	verdict := map[bool]string{true: "healthy", false: "unhealthy"}[report.Healthy]
	fmt.Fprintf(&text, "cluster is %s\n", verdict)
	return report.Healthy, write(cmd.Root().Writer, text.Bytes())
}

// askMember asks a member on one client URL after the other, until one
// answers.
func askMember(ctx context.Context, c *client.Client, m client.Member, text *bytes.Buffer) memberHealth {
	health := memberHealth{ID: m.ID, Name: m.Name}
	if len(m.ClientURLs) == 0 {
		health.Error = "no available published client urls"
		fmt.Fprintf(text, "member %s is unreachable: %s\n", m.ID, health.Error)
		return health
	}
	for _, url := range m.ClientURLs {
		healthy, err := c.Health(ctx, url)
		if err != nil {
			health.Error = err.Error()
			fmt.Fprintf(text, "failed to check the health of member %s on %s: %v\n", m.ID, url, err)
			continue
		}
		health.Healthy, health.URL, health.Error = healthy, url, ""
		word := map[bool]string{true: "healthy", false: "unhealthy"}[healthy]
		fmt.Fprintf(text, "member %s is %s: got %s result from %s\n", m.ID, word, word, url)
		return health
	}
	fmt.Fprintf(text, "member %s is unreachable: %v are all unreachable\n", m.ID, m.ClientURLs)
	return health
}
