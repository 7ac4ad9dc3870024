//go:build linux

package soak

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"holdfast/jepsen/process"
)

const (
	// settle is how long after a member is back clients may still go without an
	// answer: there may have been an election.
	settle = 3 * time.Second
	// paused is how long a member is held up: long enough for another to be
	// elected.
	paused = 3 * time.Second
	// downShare is the longest that a member is down, as a share of the time
	// between two upheavals.
	downShare = 0.1
	readyTime = time.Minute
)

// upset does something to a member about every r.between until ctx ends, and
// begins nothing that would not be over by until.
func (r *run) upset(ctx context.Context, until time.Time) error {
	rng := rand.New(rand.NewPCG(r.Seed, 0))
	for {
		wait := time.Duration((0.75 + rng.Float64()/2) * float64(r.between))
		if time.Now().Add(wait + r.between/2).After(until) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		if err := r.upsetOnce(ctx, rng); err != nil {
			return err
		}
	}
}

func (r *run) upsetOnce(ctx context.Context, rng *rand.Rand) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	leader, err := r.cluster.Leader(ctx)
	if err != nil {
		return err
	}
	victim := leader
	if rng.IntN(2) == 0 { // a follower, and not the first member
		others := r.cluster.Members[1:]
		victim = others[rng.IntN(len(others))]
		for i := 0; victim == leader; i++ {
			victim = others[i]
		}
	}
	u := Upheaval{Member: victim.Name, Leader: victim == leader, At: time.Duration(r.now())}
	down := time.Duration(rng.Float64() * downShare * float64(r.between))
	switch {
	case victim == r.cluster.Members[0]:
		u.How = "paused"
		err = r.pause(victim)
	case rng.IntN(2) == 0:
		u.How = "stopped"
		err = r.restart(ctx, victim, victim.Stop, down)
	default:
		u.How = "killed"
		err = r.restart(ctx, victim, victim.Kill, down)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", u.How, err)
	}
	back := time.Duration(r.now())
	u.Until = back + settle
	r.mu.Lock()
	r.report.Upheavals = append(r.report.Upheavals, u)
	r.mu.Unlock()
	role := "a follower"
	if u.Leader {
		role = "the leader"
	}
	r.progress("%s, %s, was %s; back after %v; %d operations done", u.Member, role, u.How, (back - u.At).Round(time.Millisecond), r.done.Load())
	return nil
}

// restart ends a member and starts it again.
func (r *run) restart(ctx context.Context, m *process.Member, end func() error, down time.Duration) error {
	if err := end(); err != nil {
		return err
	}
	r.upheavals.Add(1)
	select {
	case <-time.After(down):
	case <-ctx.Done(): // it is started all the same: the end compares all members
	}
	if err := m.Start(); err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(context.WithoutCancel(ctx), readyTime)
	defer cancel()
	if err := m.WaitReady(ready); err != nil {
		return err
	}
	r.upheavals.Add(1)
	return nil
}

// pause holds a process up, as a hang of its host would.
func (r *run) pause(m *process.Member) error {
	pid := m.PID()
	if pid == 0 {
		return process.ErrNotRunning
	}
	err := syscall.Kill(pid, syscall.SIGSTOP)
	if err == nil {
		time.Sleep(paused)
	}
	err = errors.Join(err, syscall.Kill(pid, syscall.SIGCONT))
	r.upheavals.Add(1)
	return err
}
