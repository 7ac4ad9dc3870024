package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"

	"holdfast/jepsen"
	"holdfast/transport"
)

// Times of the clients.
const (
	// Timeout bounds one operation.
	Timeout = time.Second
	// finalTries is how often a key is read back through one member before it is given up, finalPause apart.
	finalTries = 5
	finalPause = 200 * time.Millisecond
)

// Config is what the clients do.
type Config struct {
	Endpoints []string      // http://ip:port of every member
	Seed      uint64        // of all they draw
	Clients   int           // that work at one time
	Keys      int           // they share
	Pause     time.Duration // each waits up to this before an operation
	Epoch     time.Time     // the history's origin
	End       time.Time     // nothing new begins after it, but for the final reads
}

// Run works until cfg.End, then reads everything back, and writes the history, one JSON line per operation, to history.
// Operations that fail are part of the history; an error means that the history is not whole.
func Run(network transport.Network, cfg Config, history io.Writer) error {
	if len(cfg.Endpoints) == 0 || cfg.Clients < 1 || cfg.Keys < 1 {
		return fmt.Errorf("clients: %d endpoints, %d clients, %d keys; each must be at least one", len(cfg.Endpoints), cfg.Clients, cfg.Keys)
	}
	rec := jepsen.NewRecorder(history)
	keys := make([]string, cfg.Keys)
	for i := range keys {
		keys[i] = fmt.Sprintf("/register/%d", i)
	}
	ctx, cancel := context.WithDeadline(context.Background(), cfg.End)
	defer cancel()
	errs := make([]error, cfg.Clients)
	var wg sync.WaitGroup
	for i := range cfg.Clients {
		wg.Go(func() { errs[i] = cfg.work(ctx, cfg.client(network, i), keys, rec) })
	}
	wg.Wait()
	return errors.Join(append(errs, cfg.readBack(cfg.client(network, cfg.Clients), keys, rec))...)
}

// work is one client's.
func (cfg *Config) work(ctx context.Context, c *jepsen.Client, keys []string, rec *jepsen.Recorder) error {
	rng := rand.New(rand.NewPCG(cfg.Seed, uint64(c.Process)))
	w := jepsen.RegisterWorkload{
		Keys: keys, Operations: jepsen.MaxOperations / cfg.Clients, Endpoints: cfg.Endpoints, SwitchChance: 0.1,
		Pause: func() {
			select {
			case <-time.After(time.Duration(rng.Int64N(int64(cfg.Pause) + 1))):
			case <-ctx.Done():
			}
		},
	}
	return w.Run(ctx, c, rng, rec)
}

// readBack reads every key through every member, a few times if need be.
func (cfg *Config) readBack(c *jepsen.Client, keys []string, rec *jepsen.Recorder) error {
	for _, endpoint := range cfg.Endpoints {
		c.Endpoint = endpoint
		for _, key := range keys {
			for range finalTries {
				o := c.Do(context.Background(), jepsen.Operation{Op: jepsen.Read, Key: key})
				if err := rec.Record(o); err != nil {
					return err
				}
				if o.Outcome == jepsen.OK {
					break
				}
				time.Sleep(finalPause)
			}
		}
	}
	return nil
}

func (cfg *Config) client(network transport.Network, process int) *jepsen.Client {
	epoch := cfg.Epoch.UnixNano()
	return &jepsen.Client{
		Process: process,
		Timeout: Timeout,
		Now:     func() int64 { return time.Now().UnixNano() - epoch },
		HTTP: &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, addr string) (net.Conn, error) { return network.Dial(ctx, addr) },
		}},
	}
}
