package versus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"holdfast/jepsen/process"
)

const (
	killMembers = 3
	// killPace is how often a write is tried after a kill. It is a hundredth of
	// the shorter of the two default election timeouts.
	killPace = 10 * time.Millisecond
	// writesBefore is how many writes are acknowledged before each kill.
	writesBefore = 100
)

// trio is a side's cluster.
type trio struct {
	*side
	cluster *process.Cluster
}

// kill kills each store's leader in turn.
func (r *run) kill(ctx context.Context, line *Line) (err error) {
	var trios []*trio
	defer func() {
		for _, t := range trios {
			err = errors.Join(err, t.end())
		}
	}()
	for _, s := range r.sides {
		t, err := r.startTrio(ctx, s)
		if err != nil {
			return err
		}
		trios = append(trios, t)
	}
	for round := range r.Rounds {
		for _, s := range r.turns(round) {
			for _, t := range trios {
				if t.side != s {
					continue
				}
				took, err := r.killOnce(ctx, t, round)
				if err != nil {
					return fmt.Errorf("%s: kill %d: %w", s.program.Title, round+1, err)
				}
				line.add(s, took.Seconds())
			}
		}
	}
	return nil
}

func (r *run) startTrio(ctx context.Context, s *side) (*trio, error) {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, fmt.Errorf("%s: %w", s.program.Title, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	c, err := process.StartCluster(ctx, s.program, s.dir, killMembers)
	if err != nil {
		return nil, err
	}
	return &trio{s, c}, nil
}

// end stops the cluster and removes its data; the logs stay.
func (t *trio) end() error {
	t.api.hangUp()
	err := t.cluster.KillAll()
	for _, m := range t.cluster.Members {
		err = errors.Join(err, os.RemoveAll(m.DataDir))
	}
	return err
}

// killOnce kills the leader once and measures until the first acknowledged of
// the writes begun after it was gone.
func (r *run) killOnce(ctx context.Context, t *trio, round int) (time.Duration, error) {
	urls := t.cluster.URLs()
	attempt := func(ctx context.Context, n int) error {
		return t.api.put(ctx, urls[n%len(urls)], "/versus/kill", fmt.Sprintf("%d.%d", round, n))
	}
	for n := range writesBefore {
		one, cancel := context.WithTimeout(ctx, attemptTime)
		err := attempt(one, n)
		cancel()
		if err != nil {
			return 0, fmt.Errorf("write before the kill: %w", err)
		}
	}
	leader, err := t.leader(ctx)
	if err != nil {
		return 0, err
	}
	killed := time.Now()
	if err := leader.Kill(); err != nil {
		return 0, err
	}
	at, err := firstAcknowledged(ctx, killPace, attempt)
	if err != nil {
		return 0, err
	}
	took := at.Sub(killed)
	if err := leader.Start(); err != nil {
		return 0, err
	}
	startCtx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := leader.WaitReady(startCtx); err != nil {
		return 0, err
	}
	r.progress("kill %d: %s: %s, next write %v later", round+1, t.program.Title, leader.Name, took.Round(time.Millisecond))
	return took, pause(ctx, calmTime)
}

// leader waits until a member says that it leads.
func (t *trio) leader(ctx context.Context) (*process.Member, error) {
	ctx, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	for {
		var last error
		for _, m := range t.cluster.Members {
			leads, err := t.api.leads(ctx, m)
			if leads {
				return m, nil
			}
			last = errors.Join(last, err)
		}
		if err := pause(ctx, killPace); err != nil {
			return nil, errors.Join(fmt.Errorf("find the leader of %s: %w", strings.Join(t.cluster.URLs(), ","), err), last)
		}
	}
}
