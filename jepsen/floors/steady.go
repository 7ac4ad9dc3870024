package floors

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"holdfast/jepsen/process"
)

// steadyConnections is how many clients write while nobody may stand for election.
const steadyConnections = 256

// termHeader is where a member tells its term with each answer about a key.
const termHeader = "X-Raft-Term"

// Steady is what came of writing without a pause.
type Steady struct {
	Terms []string // that members told, first and last
	Looks int      // at terms
	Text  string   // what the bench printed
}

// Err wraps [ErrBelow] if the leader has changed.
func (s *Steady) Err() error {
	if s.Looks == 0 || len(s.Terms) != 1 {
		return fmt.Errorf("%w: terms %v in %d looks; expected one", ErrBelow, s.Terms, s.Looks)
	}
	return nil
}

// KeepWriting lets 256 clients PUT to three members for so long, at full speed, and
// looks at every member's term meanwhile. A change of leader is a change of term.
func KeepWriting(ctx context.Context, cfg Config, long time.Duration) (s *Steady, err error) {
	dir := filepath.Join(cfg.Dir, "steady")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	starting, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c, err := process.StartCluster(starting, cfg.Ours, dir, 3)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.KillAll()) }()
	leader, err := c.Leader(starting)
	if err != nil {
		return nil, err
	}
	slices := max(1, int(long/time.Second))
	cmd := exec.CommandContext(ctx, cfg.Bench, "bench", "--workload", "put", "--connections", fmt.Sprint(steadyConnections),
		"--slices", fmt.Sprint(slices), "--slice", "1s", "--target", "holdfast="+leader.ClientURL, "--pid", "holdfast="+c.PIDs())
	done := make(chan error, 1)
	var text []byte
	go func() {
		var err error
		text, err = cmd.CombinedOutput()
		done <- err
	}()
	s = &Steady{}
	for {
		select {
		case err := <-done:
			s.Text = string(text)
			if err != nil {
				err = fmt.Errorf("bench: %w: %s", err, text)
			}
			return s, err
		case <-time.After(time.Second):
			if err := s.look(ctx, c); err != nil {
				cfg.progress("look at the terms: %v", err)
			}
		}
	}
}

// look notes the terms of all members. A member that does not answer is asked
// again the next time.
func (s *Steady) look(ctx context.Context, c *process.Cluster) error {
	var all error
	for _, m := range c.Members {
		term, err := termOf(ctx, m.ClientURL)
		if err != nil {
			all = errors.Join(all, err)
			continue
		}
		s.Looks++
		if n := len(s.Terms); n == 0 || s.Terms[n-1] != term {
			s.Terms = append(s.Terms, term)
		}
	}
	return all
}

func termOf(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/v2/keys/", nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get(termHeader), errors.Join(err, resp.Body.Close())
}

func (cfg *Config) progress(format string, args ...any) {
	fmt.Fprintf(cfg.Progress, format+"\n", args...)
}
