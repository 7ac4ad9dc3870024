package mutant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"holdfast/sim"
)

// DefaultBudget is the CPU time within which a mutant is to be caught.
const DefaultBudget = 3 * time.Minute

// maxSeeds bounds a campaign whose runs cost no measurable time.
const maxSeeds = 100_000

// ErrCampaign is wrapped by errors about a run that says nothing of its module: it could not be played, or ended without a
// conclusion that can be counted.
var ErrCampaign = errors.New("campaign")

// Outcome is how one run ended.
type Outcome struct {
	Verdict sim.Verdict
	// Checker names who was not content: a checker of the history, or the verdict itself where no checker is part of it.
	Checker string
	// Detail tells it, in a line.
	Detail string
	// CPU is the time that the run took of all processors, user and system.
	CPU time.Duration
}

// Red tells whether the run found a fault with the cluster. A run that came to no conclusion, or that did not repeat, found
// none.
func (o Outcome) Red() bool {
	switch o.Verdict {
	case sim.VerdictSafety, sim.VerdictLiveness, sim.VerdictCrash:
		return true
	}
	return false
}

// Play plays one seed with the guest in the file module. An error ends the campaign; what the cluster did wrong is none.
type Play func(ctx context.Context, module string, seed uint64) (Outcome, error)

// Campaign says how a build is hunted.
type Campaign struct {
	// Play is required.
	Play Play
	// Budget is the CPU time after which no further seed is begun; 0: DefaultBudget.
	Budget time.Duration
	// First is the first seed; the others follow it, one by one. Seeds that were used to tune the simulator are not fresh.
	First uint64
	// Played, if set, is told of every run.
	Played func(seed uint64, o Outcome)
}

// Score is what came of a campaign.
type Score struct {
	// Seeds were played, for so much CPU time, the last of them Seed.
	Seeds int
	Seed  uint64
	CPU   time.Duration
	// Outcome is the first red one's; without one, all were green.
	Caught  bool
	Outcome Outcome
	// Undecided counts runs without a conclusion. They are part of Seeds and CPU.
	Undecided int
}

// Hunt plays fresh seeds with the guest in the file module until the first red run, or until the budget is spent. At least one
// seed is played. With an error, the score holds what was played before it.
func (c Campaign) Hunt(ctx context.Context, module string) (Score, error) {
	budget := c.Budget
	if budget == 0 {
		budget = DefaultBudget
	}
	var s Score
	for s.Seeds == 0 || s.CPU < budget && s.Seeds < maxSeeds {
		seed := c.First + uint64(s.Seeds)
		if err := ctx.Err(); err != nil {
			return s, fmt.Errorf("%w: %s: seed 0x%x: %w", ErrCampaign, module, seed, context.Cause(ctx))
		}
		o, err := c.Play(ctx, module, seed)
		if err != nil {
			return s, fmt.Errorf("%w: %s: seed 0x%x: %w", ErrCampaign, module, seed, err)
		}
		s.Seeds++
		s.Seed = seed
		s.CPU += o.CPU
		if c.Played != nil {
			c.Played(seed, o)
		}
		switch {
		case o.Red():
			s.Caught, s.Outcome = true, o
			return s, nil
		case o.Verdict != sim.VerdictOK:
			s.Undecided++
		}
	}
	return s, nil
}
