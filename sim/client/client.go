package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"holdfast/jepsen"
	"holdfast/transport"
)

// Run lets all workloads work until cfg.End, then reads everything back if asked to, and writes the history, one JSON line per
// operation, to history. Operations that fail are part of the history; an error means that the history is not whole.
func Run(network transport.Network, cfg Config, history io.Writer) error {
	if cfg.Clients() < 1 {
		return fmt.Errorf("clients: %d workloads, no clients; name one at least", len(cfg.Workloads))
	}
	rec, epoch := jepsen.NewRecorder(history), cfg.Epoch.UnixNano()
	env := jepsen.Env{
		Endpoints: cfg.Endpoints, Seed: cfg.Seed, Ring: cfg.Ring, Timeout: cfg.Timeout, Bulk: cfg.Bulk, Dial: network.Dial, Recorder: rec,
		Now: func() int64 { return time.Now().UnixNano() - epoch },
	}
	if len(cfg.Skips) > 0 {
		env.Skip = cfg.skips
	}
	if !cfg.PatientUntil.IsZero() {
		env.PatientUntil = cfg.PatientUntil.UnixNano() - epoch
	}
	ctx, cancel := context.WithDeadline(context.Background(), cfg.End)
	defer cancel()
	errs := make([]error, len(cfg.Workloads))
	var wg sync.WaitGroup
	for i, w := range cfg.Workloads {
		mine := cfg.env(env, w)
		env.Process += w.Clients
		wg.Go(func() { errs[i] = jepsen.RunWorkload(ctx, w.Name, mine) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil || !cfg.FinalRead {
		return err
	}
	var finished []jepsen.Finished
	for _, w := range cfg.Workloads {
		finished = append(finished, jepsen.Finished{Name: w.Name, Keys: w.Keys})
	}
	return jepsen.ReadBack(context.Background(), finished, env) // as the process after the last
}

func (cfg *Config) skips(process, n int) bool {
	for _, s := range cfg.Skips {
		if s.Client == process && s.From <= n && n < s.To {
			return true
		}
	}
	return false
}

// env is one workload's.
func (cfg *Config) env(env jepsen.Env, w Workload) jepsen.Env {
	env.Clients, env.Keys, env.Pause = w.Clients, w.Keys, time.Duration(w.PauseNanos)
	if env.Pause == 0 {
		env.Pause = jepsen.PauseFor(cfg.Clients(), Rate)
	}
	return env
}
