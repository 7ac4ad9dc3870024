//go:build unix

package hostile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"holdfast/jepsen/process"
)

// Config is what to do.
type Config struct {
	// Program is the daemon.
	Program process.Program
	// Dir takes data and logs, a directory for each row.
	Dir string
	// Rows are the attacks, and Beside how many are carried out at the same time,
	// at least 1; those that want the machine alone come one after the other.
	Rows   []Row
	Beside int
	// Settle is the time from the end of the attacker's connections to the last
	// measurement; zero: [Settle].
	Settle time.Duration
	// Progress takes a line for every row.
	Progress io.Writer
}

// Settle is after how long what an attack took must have come back.
const Settle = 5 * time.Second

// warmTime is how long a well-behaved client alone is served before the first
// measurement: pools and caches that every client fills are not the attack's.
const warmTime = time.Second

// Result is what became of a row.
type Result struct {
	Row
	// Answers counts what the daemon said to the attacker.
	Answers map[string]int
	// Before, Peak and After are of the daemon.
	Before, Peak, After Sample
	// Served is of the client beside the attack.
	Served Served
	// LogBytes is how much the daemon wrote to its log meanwhile.
	LogBytes int64
	// Took is from the first measurement to the end of the attacker's
	// connections.
	Took time.Duration
	// Wrong is what did not hold, empty if all did.
	Wrong string
}

// Target is a daemon to attack, with the addresses (host:port) of its ports.
type Target struct {
	PID               int
	Client, Peer, Ops string
	log               string // a file; empty: none
}

// Run carries out all rows. An error means that one could not be carried out;
// what did not hold is in the results.
func Run(ctx context.Context, cfg Config) ([]Result, error) {
	if err := raiseDescriptors(cfg.Rows); err != nil {
		return nil, err
	}
	results := make([]Result, len(cfg.Rows))
	errs := make([]error, len(cfg.Rows))
	var progress sync.Mutex
	try := func(i int) {
		results[i], errs[i] = tryRow(ctx, &cfg, i)
		progress.Lock()
		defer progress.Unlock()
		verdict := "holds"
		switch {
		case errs[i] != nil:
			verdict = "could not be tried"
		case results[i].Wrong != "":
			verdict = "BROKEN: " + results[i].Wrong
		}
		fmt.Fprintf(cfg.Progress, "%s: %s\n", cfg.Rows[i].Name, verdict)
	}
	for i, row := range cfg.Rows {
		if row.Alone && ctx.Err() == nil {
			try(i)
		}
	}
	var wg sync.WaitGroup
	places := make(chan struct{}, cfg.Beside)
	for i, row := range cfg.Rows {
		if row.Alone {
			continue
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if ctx.Err() == nil {
				try(i)
			}
		})
	}
	wg.Wait()
	return results, errors.Join(append(errs, ctx.Err())...)
}

// raiseDescriptors has this process, and the daemons it starts, open as many
// files as the largest row needs.
func raiseDescriptors(rows []Row) error {
	need := uint64(descriptors)
	if !slices.ContainsFunc(rows, func(r Row) bool { return r.Count >= 1000 }) {
		need = 1000
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit on open files: %w", err)
	}
	if limit.Cur >= need {
		return nil
	}
	limit.Cur, limit.Max = need, max(limit.Max, need)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise the limit on open files to %d: %w; let this user have as many (ulimit -Hn)", need, err)
	}
	return nil
}

// tryRow starts a daemon and attacks it.
func tryRow(ctx context.Context, cfg *Config, i int) (result Result, err error) {
	row := cfg.Rows[i]
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", row.Name, err)
		}
	}()
	dir := filepath.Join(cfg.Dir, fmt.Sprintf("%02d", i+1))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Result{Row: row}, err
	}
	m, err := process.StartSingle(ctx, cfg.Program, dir, row.Args...)
	if err != nil {
		return Result{Row: row}, err
	}
	result, err = measure(ctx, targetOf(m), row, cfg.Settle)
	if ended := m.Unexpected(); ended != nil {
		return result, ended
	}
	if stopped := m.Stop(); stopped != nil {
		return result, errors.Join(err, stopped)
	}
	if log, unread := os.ReadFile(m.LogFile); unread != nil {
		err = errors.Join(err, unread)
	} else if strings.Contains(string(log), "panic") {
		result.Wrong = strings.TrimPrefix(result.Wrong+"; it panicked: "+m.LogTail(), "; ")
	}
	return result, errors.Join(err, os.RemoveAll(m.DataDir))
}

func targetOf(m *process.Member) Target {
	host := func(raw string) string {
		u, err := url.Parse(raw)
		if err != nil {
			return raw
		}
		return u.Host
	}
	return Target{PID: m.PID(), Client: host(m.ClientURL), Peer: host(m.PeerURL), Ops: host(m.OpsURL), log: m.LogFile}
}

// measure attacks a daemon that runs.
func measure(ctx context.Context, t Target, row Row, settle time.Duration) (Result, error) {
	if settle == 0 {
		settle = Settle
	}
	result := Result{Row: row}
	s := newStage(t, row.Count)
	defer s.hangUp()
	if row.Prepare != nil {
		if err := row.Prepare(ctx, s); err != nil {
			return result, fmt.Errorf("prepare: %w", err)
		}
		s.hangUp()
		wait(ctx, settle)
	}
	m, err := newMeter(t)
	if err != nil {
		return result, err
	}
	defer m.close()
	served := behave(ctx, "http://"+t.Client)
	wait(ctx, warmTime)
	err = result.attack(ctx, m, s, settle)
	result.Served = served()
	result.Answers = s.answers.counts
	if err == nil {
		result.Wrong = judge(&result)
	}
	return result, err
}

// attack carries out the attack between two measurements.
func (r *Result) attack(ctx context.Context, m *meter, s *stage, settle time.Duration) (err error) {
	if r.Before, err = m.read(); err != nil {
		return err
	}
	logged := s.target.logBytes()
	begun := time.Now()
	peak := m.watchPeak(ctx)
	err = r.Attack(ctx, s)
	var unread error
	r.Peak, unread = peak()
	s.hangUp()
	r.Took = time.Since(begun)
	if err = errors.Join(err, unread); err != nil {
		return err
	}
	wait(ctx, settle)
	r.LogBytes = s.target.logBytes() - logged
	r.After, err = m.read()
	return err
}

func (t *Target) logBytes() int64 {
	if info, err := os.Stat(t.log); err == nil {
		return info.Size()
	}
	return 0
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
