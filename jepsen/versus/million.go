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

const (
	// memoryReadings is how often the memory of loaded members is read, with a
	// tenth of the time to settle in between.
	memoryReadings = 5
	// snapshotTime bounds one snapshot.
	snapshotTime = 5 * time.Minute
)

// million are the lines about members that hold many keys.
type million struct {
	loaded, anonymous, goal, restart, restarted, snapshot, size *Line
}

func newMillion(keys int) *million {
	name := func(what string) string { return fmt.Sprintf("%d keys: %s", keys, what) }
	return &million{
		loaded:    &Line{Name: name("resident memory, loaded"), Unit: "MB", AtMost: 0.75},
		anonymous: &Line{Name: name("  of that not pages of files"), Unit: "MB"},
		goal:      &Line{Name: name("  heap at the next collection"), Unit: "MB"},
		restarted: &Line{Name: name("resident memory, restarted"), Unit: "MB", AtMost: 0.75},
		restart:   &Line{Name: name("restart to first write"), Unit: "s", AtMost: 0.8},
		snapshot:  &Line{Name: name("snapshot, taken and saved"), Unit: "s", AtMost: 1},
		size:      &Line{Name: name("  its size"), Unit: "MB"},
	}
}

func (m *million) lines() []*Line {
	return []*Line{m.loaded, m.anonymous, m.goal, m.restarted, m.restart, m.snapshot, m.size}
}

// lone is a side's only member.
type lone struct {
	*side
	member *process.Member
}

// million loads a member of each store and takes turns in asking for memory,
// restarts and snapshots.
func (r *run) million(ctx context.Context, lines *million) (err error) {
	members := map[*side]*lone{}
	defer func() {
		for _, l := range members {
			err = errors.Join(err, l.end(l.member))
		}
	}()
	for _, s := range r.sides {
		l, err := r.startLoaded(ctx, s)
		if l != nil {
			members[s] = l
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.program.Title, err)
		}
	}
	if err := pause(ctx, r.Settle); err != nil {
		return err
	}
	for round := range memoryReadings {
		for _, s := range r.turns(round) {
			if err := lines.remember(ctx, members[s]); err != nil {
				return fmt.Errorf("%s: %w", s.program.Title, err)
			}
		}
		if err := pause(ctx, r.Settle/10); err != nil {
			return err
		}
	}
	for round := range r.Restarts {
		for _, s := range r.turns(round) {
			if err := r.restartOnce(ctx, members[s], lines, round); err != nil {
				return fmt.Errorf("%s: restart %d: %w", s.program.Title, round+1, err)
			}
		}
	}
	return nil
}

// startLoaded starts a member and loads the keys. The member is there to be
// ended also if the loading fails.
func (r *run) startLoaded(ctx context.Context, s *side) (*lone, error) {
	dir := filepath.Join(s.dir, "million")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	startCtx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	m, err := process.StartSingle(startCtx, s.program, dir)
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if err := s.api.load(ctx, m.ClientURL, r.Keys); err != nil {
		return &lone{s, m}, errors.Join(err, m.Unexpected())
	}
	r.progress("%s has %d keys after %v", s.program.Title, r.Keys, time.Since(begin).Round(time.Millisecond))
	s.api.hangUp()
	return &lone{s, m}, nil
}

// remember reads what a loaded member holds.
func (m *million) remember(ctx context.Context, l *lone) error {
	now, err := readMemory(l.member.PID())
	if err != nil {
		return err
	}
	goal, err := heapGoal(ctx, l.member)
	if err != nil {
		return err
	}
	m.loaded.add(l.side, now.resident)
	m.anonymous.add(l.side, now.anonymous)
	m.goal.add(l.side, goal)
	return nil
}

// restartOnce kills a member, starts it again and takes a snapshot. A snapshot
// that cannot be taken ends nothing: its line does not hold.
func (r *run) restartOnce(ctx context.Context, l *lone, lines *million, round int) error {
	l.api.hangUp()
	if err := l.member.Kill(); err != nil {
		return err
	}
	took, err := l.untilWritten(ctx, l.member)
	if err != nil {
		return err
	}
	lines.restart.add(l.side, took.Seconds())
	r.progress("restart %d: %s: first write %v later", round+1, l.program.Title, took.Round(time.Millisecond))
	if err := pause(ctx, r.Settle/4); err != nil {
		return err
	}
	now, err := readMemory(l.member.PID())
	if err != nil {
		return err
	}
	lines.restarted.add(l.side, now.resident)
	saved, size, err := l.save(ctx)
	if err != nil {
		lines.snapshot.Missing = fmt.Sprintf("%s: %v", l.program.Title, err)
		r.progress("snapshot %d: %s: %v", round+1, l.program.Title, err)
		return ctx.Err()
	}
	lines.snapshot.add(l.side, saved.Seconds())
	lines.size.add(l.side, float64(size)/1e6)
	r.progress("snapshot %d: %s: %d bytes after %v", round+1, l.program.Title, size, saved.Round(time.Millisecond))
	return nil
}

// save takes a snapshot and saves it, synced, in a file that is then removed.
func (l *lone) save(ctx context.Context) (took time.Duration, size int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, snapshotTime)
	defer cancel()
	file, err := os.Create(filepath.Join(l.dir, "snapshot"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	begin := time.Now()
	if err := l.api.snapshot(ctx, l.member.ClientURL, file); err != nil {
		return 0, 0, err
	}
	if err := file.Sync(); err != nil {
		return 0, 0, err
	}
	took = time.Since(begin)
	info, err := file.Stat()
	if err != nil {
		return 0, 0, err
	}
	return took, info.Size(), nil
}
