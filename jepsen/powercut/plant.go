//go:build unix

package powercut

import (
	"context"
	"fmt"
	"path/filepath"

	"holdfast/wal/faults"
)

// Planted is a daemon that leaves a sync out, and what came of it.
type Planted struct {
	// Name says what is left out.
	Name string
	// Found is what gave it away, empty if nothing did; Cuts is how many cuts
	// that took.
	Found string
	Cuts  int
}

// plant is a sync that is left out.
type plant struct {
	name string
	rule faults.Rule
	// loses tells that acknowledged writes must be seen lost: that the daemon
	// refuses to start is not enough.
	loses bool
}

// plants are the sync that acknowledges a write, and two that let what was
// acknowledged be found again.
var plants = []plant{
	{"the sync of the log", faults.Rule{Op: "sync", Path: "raft/log/0*", Do: faults.Omit}, true},
	{"the sync of the log's directory", faults.Rule{Op: "syncdir", Path: "raft/log", Do: faults.Omit}, false},
	{"the sync of term and vote", faults.Rule{Op: "sync", Path: "raft/stable/*", Do: faults.Omit}, false},
}

// plantedTries is how many seeds a planted fault is tried with, plantedRounds
// how many cuts of each.
const (
	plantedTries  = 12
	plantedRounds = 12
)

// Plant runs rounds as [Run] does with daemons that leave a sync out, until each
// is given away. cfg.Rounds does not count.
func Plant(ctx context.Context, cfg Config) (all []Planted, err error) {
	dir, seed := cfg.Dir, cfg.Seed
	cfg.Rounds = plantedRounds
	for i, p := range plants {
		planted := Planted{Name: p.name}
		for try := range plantedTries {
			cfg.Seed, cfg.Dir = seed+uint64(try), filepath.Join(dir, fmt.Sprintf("planted-%d-%d", i+1, try+1))
			rep, err := cfg.run(ctx, []faults.Rule{p.rule})
			if err != nil {
				return all, fmt.Errorf("without %s: %w", p.name, err)
			}
			planted.Cuts += rep.Rounds
			if rep.Lost > 0 || rep.Wrong != "" && !p.loses {
				planted.Found = rep.Wrong
				break
			}
		}
		all = append(all, planted)
	}
	return all, nil
}
