package versus

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"holdfast/jepsen/process"
)

// startPace is how often a write is tried of a member that starts. To be
// refused a connection costs next to nothing.
const startPace = 2 * time.Millisecond

// start starts each store's lone member in turn, each time without data.
func (r *run) start(ctx context.Context, line *Line) error {
	for round := range r.Rounds {
		for _, s := range r.turns(round) {
			took, err := r.startEmpty(ctx, s, round)
			if err != nil {
				return fmt.Errorf("%s: start %d: %w", s.program.Title, round+1, err)
			}
			line.add(s, took.Seconds())
			r.progress("start %d: %s: first write %v later", round+1, s.program.Title, took.Round(time.Millisecond))
		}
	}
	return nil
}

func (r *run) startEmpty(ctx context.Context, s *side, round int) (took time.Duration, err error) {
	dir := filepath.Join(s.dir, fmt.Sprintf("start-%d", round+1))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, err
	}
	m, err := process.Place(s.program, dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.end(m)) }()
	return s.untilWritten(ctx, m)
}

// untilWritten starts the member and measures from before its start to the first
// acknowledged write.
func (s *side) untilWritten(ctx context.Context, m *process.Member) (time.Duration, error) {
	begin := time.Now()
	if err := m.Start(); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		if _, _, err := m.Wait(ctx); err == nil {
			cancel(errors.New("the process ended"))
		}
	}()
	at, err := firstAcknowledged(ctx, startPace, func(ctx context.Context, n int) error {
		return s.api.put(ctx, m.ClientURL, "/versus/first", fmt.Sprint(n))
	})
	if err != nil {
		return 0, errors.Join(err, m.Unexpected())
	}
	return at.Sub(begin), nil
}

// end kills the member and removes its data; its log stays.
func (s *side) end(m *process.Member) error {
	s.api.hangUp()
	err := m.Kill()
	if errors.Is(err, process.ErrNotRunning) {
		err = nil // it has not started, or its end was told already
	}
	return errors.Join(err, os.RemoveAll(m.DataDir))
}
