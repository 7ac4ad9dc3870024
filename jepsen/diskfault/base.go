//go:build unix

package diskfault

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"holdfast/jepsen"
	"holdfast/jepsen/process"
	"holdfast/wal/faults"
)

const (
	baseWrites = 200              // before a directory is broken
	workWrites = 120              // to a daemon that is being tried
	writeTime  = 15 * time.Second // for one: longer than a disk may hang
)

// store knows what was acknowledged, by key. Each key is written once.
type store struct {
	acked map[string]string
	n     int
}

func newStore(acked map[string]string) *store {
	s := &store{acked: map[string]string{}, n: len(acked)}
	maps.Copy(s.acked, acked)
	return s
}

func client(url string) *jepsen.Client {
	begun := time.Now()
	return &jepsen.Client{Endpoint: url, Timeout: writeTime, Now: func() int64 { return int64(time.Since(begun)) }}
}

// write writes keys one after the other, and reports whether all were
// acknowledged.
func (s *store) write(ctx context.Context, url string, count int) bool {
	c := client(url)
	defer c.Close()
	for range count {
		s.n++
		o := jepsen.Operation{Op: jepsen.Write, Key: fmt.Sprintf("/disk/%06d", s.n), Arg: strings.Repeat("v", 1+s.n%100)}
		switch o = c.Do(ctx, o); o.Outcome {
		case jepsen.OK:
			s.acked[o.Key] = o.Arg
		default:
			return false
		}
	}
	return true
}

// missing reads all that was acknowledged and tells what is not there as it was,
// "" if all is. It fails if the daemon does not answer.
func (s *store) missing(ctx context.Context, url string) (string, error) {
	c := client(url)
	defer c.Close()
	for key, want := range s.acked {
		o := c.Do(ctx, jepsen.Operation{Op: jepsen.Read, Key: key})
		if o.Outcome != jepsen.OK {
			return "", fmt.Errorf("read %s: %s", key, o.Error)
		}
		if o.Missing || o.Result != want {
			return fmt.Sprintf("%s was acknowledged with %q, and is read as %q", key, want, o.Result), nil
		}
	}
	return "", nil
}

// made is a directory to break, and what was acknowledged there.
type made struct {
	dir   string
	acked map[string]string
}

// makeBases makes the directories that rows begin with.
func makeBases(ctx context.Context, cfg *Config) (map[base]made, error) {
	m, err := place(cfg.Program, filepath.Join(cfg.Dir, "base"))
	if err != nil {
		return nil, err
	}
	bases := map[base]made{}
	keep := func(b base, acked map[string]string) error {
		dir := filepath.Join(cfg.Dir, string(b))
		bases[b] = made{dir, maps.Clone(acked)}
		if err := os.MkdirAll(m.DataDir, 0o700); err != nil {
			return err
		}
		return os.CopyFS(dir, os.DirFS(m.DataDir))
	}
	if err := keep(empty, nil); err != nil {
		return nil, err
	}
	s := newStore(nil)
	if err := workOn(ctx, m, s, nil, baseWrites); err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	if err := m.Stop(); err != nil {
		return nil, err
	}
	if err := keep(stopped, s.acked); err != nil {
		return nil, err
	}
	// Its own writes at the start apart, the member is killed over the tenth.
	rules := []faults.Rule{{Op: "sync", Path: segments, Nth: 12, Do: faults.Kill}}
	if err := workOn(ctx, m, s, rules, workWrites); err == nil {
		return nil, errors.Join(errors.New("it was not killed; build the daemon with: go build -tags faults"), m.Stop())
	}
	if _, signal, err := m.Wait(ctx); err != nil || signal != syscall.SIGKILL {
		return nil, errors.Join(fmt.Errorf("it was to be killed: signal %v", signal), err)
	}
	return bases, keep(killed, s.acked)
}

// workOn starts the member and writes.
func workOn(ctx context.Context, m *process.Member, s *store, rules []faults.Rule, count int) error {
	if err := start(m, rules); err != nil {
		return err
	}
	ready, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := m.WaitReady(ready); err != nil {
		return err
	}
	if !s.write(ctx, m.ClientURL, count) {
		return fmt.Errorf("a write was not acknowledged: %s", m.LogTail())
	}
	return nil
}
