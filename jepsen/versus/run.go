package versus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"holdfast/jepsen/process"
)

// Parts are what a run is made of, in the order of their running.
var Parts = []string{"kill", "start", "million"}

// Limits of a run.
const (
	MaxRounds = 1000
	MaxKeys   = 10_000_000
)

// Config is what to do.
type Config struct {
	// Ours is held against Theirs.
	Ours, Theirs process.Program
	// Dir takes data directories and logs. A part removes its data at its end.
	Dir string
	// Only is the one of Parts to run; empty: all.
	Only string
	// Rounds is how often a leader is killed and a member started empty, Keys
	// how many keys are loaded, Restarts how often that member is restarted.
	Rounds, Keys, Restarts int
	// Settle is how long a loaded member is left alone before its memory is
	// read; a quarter of it after a restart.
	Settle time.Duration
	// Progress takes a line for every step.
	Progress io.Writer
}

// Check is an error if the part or a count is out of range.
func (cfg *Config) Check() error {
	if cfg.Only != "" && !slices.Contains(Parts, cfg.Only) {
		return fmt.Errorf("versus: part %q: unknown; name one of %q", cfg.Only, Parts)
	}
	if cfg.Rounds < 1 || cfg.Rounds > MaxRounds || cfg.Keys < 1 || cfg.Keys > MaxKeys || cfg.Restarts < 1 || cfg.Restarts > MaxRounds {
		return fmt.Errorf("versus: a count is out of range; 1 to %d rounds and restarts, 1 to %d keys", MaxRounds, MaxKeys)
	}
	return nil
}

// Limits of patience.
const (
	startTime = 2 * time.Minute // for members to start
	findTime  = time.Minute     // for a leader to be found
	calmTime  = time.Second     // for a cluster to calm down when a member is back
)

// side is one of the two stores.
type side struct {
	program process.Program
	api     api
	dir     string
	ours    bool
}

// run is one run under way.
type run struct {
	Config
	begin time.Time
	sides []*side
}

// Run measures what cfg asks for. The report has a line for each comparison asked
// for, also if an error ended their part early; whether they hold is in the
// report's own Err.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	r := &run{Config: cfg, begin: time.Now()}
	for _, p := range []process.Program{cfg.Ours, cfg.Theirs} {
		ours := len(r.sides) == 0
		dir := filepath.Join(cfg.Dir, "theirs")
		if ours {
			dir = filepath.Join(cfg.Dir, "ours")
		}
		r.sides = append(r.sides, &side{program: p, api: apiOf(p), dir: dir, ours: ours})
	}
	defer func() {
		for _, s := range r.sides {
			s.api.hangUp()
		}
	}()
	report := &Report{Ours: cfg.Ours.Title, Theirs: cfg.Theirs.Title}
	var all error
	for _, part := range Parts {
		if cfg.Only != "" && cfg.Only != part {
			continue
		}
		lines, measure := r.part(part)
		report.Lines = append(report.Lines, lines...)
		if err := measure(ctx); err != nil {
			err = fmt.Errorf("versus: %s: %w", part, err)
			all = errors.Join(all, err)
			for _, l := range lines {
				if l.Missing == "" {
					l.Missing = "the measurement ended early"
				}
			}
		}
	}
	return report, all
}

// part gives a part's lines and what fills them.
func (r *run) part(name string) (lines []*Line, measure func(context.Context) error) {
	switch name {
	case "kill":
		l := &Line{Name: "leader killed to next write, 3 members", Unit: "s", AtMost: 0.8}
		return []*Line{l}, func(ctx context.Context) error { return r.kill(ctx, l) }
	case "start":
		l := &Line{Name: "empty start to first write, 1 member", Unit: "s", AtMost: 0.35}
		return []*Line{l}, func(ctx context.Context) error { return r.start(ctx, l) }
	}
	m := newMillion(r.Keys)
	return m.lines(), func(ctx context.Context) error { return r.million(ctx, m) }
}

func (r *run) progress(format string, args ...any) {
	fmt.Fprintf(r.Progress, "%7.1fs  %s\n", time.Since(r.begin).Seconds(), fmt.Sprintf(format, args...))
}

// turns gives the sides in the order of a round: who went first goes second in
// the next one.
func (r *run) turns(round int) []*side {
	if round%2 == 0 {
		return r.sides
	}
	return []*side{r.sides[1], r.sides[0]}
}

// add gives the line a side's figure.
func (l *Line) add(s *side, figure float64) {
	if s.ours {
		l.Ours = append(l.Ours, figure)
		return
	}
	l.Theirs = append(l.Theirs, figure)
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
