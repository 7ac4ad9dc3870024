package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"holdfast/sim"
	"holdfast/sim/mutant"

	"github.com/urfave/cli/v3"
)

// mutantsFrom is the first seed played against mutants, unless another is given.
const mutantsFrom = "0xca7c4000"

func mutantFlags() []cli.Flag {
	return []cli.Flag{
		&cli.DurationFlag{Name: "budget", Value: mutant.DefaultBudget, Usage: "CPU time after which a campaign begins no further seed"},
		&cli.IntFlag{Name: "campaigns", Value: 1, Usage: "`NUMBER` of campaigns against each mutant, each on seeds of its own"},
		&cli.StringSliceFlag{Name: "only", Usage: "`IDS` of the mutants to hunt, such as M01,M05 (default: all)"},
		&cli.StringFlag{Name: "from", Value: mutantsFrom, Usage: "the first seed, a `NUMBER`; choose one that nobody has played before"},
		&cli.IntFlag{Name: "jobs", Value: 2, Usage: "mutants at a time"},
		&cli.StringFlag{Name: "out", Value: "docs/mutants.md", Usage: "write the table to `FILE`; with --only it goes to the standard output unless --out is given"},
		&cli.StringFlag{Name: "keep", Usage: "`DIRECTORY` for the mutants' modules and the decision logs of what caught them (default: none is kept)"},
	}
}

// maxCampaigns bounds --campaigns.
const maxCampaigns = 100

// maxMissed is how many of all mutants may be caught by nobody: some faults show in situations that no seed may bring about in
// the time. Of those that are asked for by name, none may.
const maxMissed = 2

// hunt is one campaign or several against several mutants.
type hunt struct {
	scenario  scenario // of every run, but for the seed and the module
	campaign  mutant.Campaign
	campaigns int
	maxMissed int
	jobs      int
	dir       string // of modules, compiled ones, and logs
	keep      bool
	play      player
	build     func(ctx context.Context, m mutant.Mutant, out string) error
	stdout    io.Writer
	bar       *progress
	runs      atomic.Int64 // that have ended
}

// quarry is what came of hunting one mutant.
type quarry struct {
	row mutant.Row
	red *outcome // the first red run, nil if there was none
	err error
}

func huntMutants(ctx context.Context, c *cli.Command, stdout, stderr io.Writer) (int, error) {
	h, list, err := readHunt(c, stdout, stderr)
	if err != nil {
		return 0, err
	}
	ws := &workers{}
	defer ws.close()
	h.play = ws.play
	if h.keep = h.dir != ""; !h.keep {
		if h.dir, err = os.MkdirTemp("", "holdfast-mutants"); err != nil {
			return 0, fmt.Errorf("directory of modules: %w", err)
		}
		defer os.RemoveAll(h.dir)
	} else if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return 0, usagef("keep: %w; name a directory that can be made", err)
	}
	page := &mutant.Report{Budget: h.campaign.Budget, Campaigns: h.campaigns, Command: h.command(c)}
	ok, err := h.run(ctx, list, page)
	h.bar.clear()
	if err != nil {
		return 0, errors.Join(err, mutant.WriteTable(stdout, page)) // what there is of it, but not in place of a whole one
	}
	if err := writeTable(c, page, stdout); err != nil {
		return 0, err
	}
	fmt.Fprintf(stdout, "mutants from=0x%x campaigns=%d caught=%d survived=%d clean-seeds=%d verdict=%s\n",
		h.campaign.First, h.campaigns, page.Caught(), page.Missed(), page.Clean.Seeds, map[bool]string{true: "ok", false: "failed"}[ok])
	if !ok {
		return exitFailed, nil
	}
	return 0, nil
}

func readHunt(c *cli.Command, stdout, stderr io.Writer) (*hunt, []mutant.Mutant, error) {
	if err := noArguments(c); err != nil {
		return nil, nil, err
	}
	s, err := readScenario(c)
	if err != nil {
		return nil, nil, err
	}
	h := &hunt{
		scenario: s, campaigns: c.Int("campaigns"), maxMissed: maxMissed, dir: c.String("keep"), build: mutant.Build, stdout: stdout,
		bar: newProgress(stderr),
	}
	if h.campaigns < 1 || h.campaigns > maxCampaigns {
		return nil, nil, usagef("campaigns: %d; choose 1 to %d", h.campaigns, maxCampaigns)
	}
	if h.campaign.Budget = c.Duration("budget"); h.campaign.Budget <= 0 {
		return nil, nil, usagef("budget: %v; choose a time above nought", h.campaign.Budget)
	}
	if h.campaign.First, err = readSeed(c, "from"); err != nil {
		return nil, nil, err
	}
	if h.jobs, err = readJobs(c); err != nil {
		return nil, nil, err
	}
	list := mutant.All()
	if c.IsSet("only") {
		list, h.maxMissed = nil, 0
		for _, id := range c.StringSlice("only") {
			m, known := mutant.ByID(id)
			if !known {
				return nil, nil, usagef("only: %q: there is none such; choose of %s", id, strings.Join(ids(mutant.All()), " "))
			}
			list = append(list, m)
		}
	}
	_, err = readModule(s.module)
	return h, list, err
}

func ids(list []mutant.Mutant) []string {
	out := make([]string, 0, len(list))
	for i := range list {
		out = append(out, list[i].ID)
	}
	return out
}

// command is what makes the same page again.
func (h *hunt) command(c *cli.Command) string {
	command := fmt.Sprintf("holdfast-sim mutants --from 0x%x --budget %v %s", h.campaign.First, h.campaign.Budget, strings.Join(h.scenario.flags(), " "))
	if h.campaigns > 1 {
		command += fmt.Sprintf(" --campaigns %d", h.campaigns)
	}
	if c.IsSet("only") {
		command += " --only " + strings.Join(c.StringSlice("only"), ",")
	}
	return command
}

// first is the first seed of a campaign.
func (h *hunt) first(campaign int) uint64 { return h.campaign.First + uint64(campaign)*mutant.Apart }

// run hunts every mutant and then plays every seed that was spent on one with the clean module. It fills the page, and tells
// whether no more mutants survived than may and the clean module stood.
func (h *hunt) run(ctx context.Context, list []mutant.Mutant, page *mutant.Report) (bool, error) {
	var failed error
	each(ctx, h.jobs, within(list),
		func(m mutant.Mutant) quarry { return h.hunt(ctx, m) },
		func(q quarry) {
			if q.err != nil {
				failed = errors.Join(failed, q.err)
				return
			}
			page.Rows = append(page.Rows, q.row)
			failed = errors.Join(failed, h.tell(&q))
		},
		func() {
			h.bar.show(fmt.Sprintf("%d of %d mutants hunted, %d caught, %d runs", len(page.Rows), len(list), page.Caught(), h.runs.Load()))
		})
	slices.SortFunc(page.Rows, func(a, b mutant.Row) int { return strings.Compare(a.ID, b.ID) })
	if err := errors.Join(failed, context.Cause(ctx)); err != nil {
		return false, err
	}
	if err := warm(ctx, h.play, h.scenario); err != nil {
		return false, err
	}
	var err error
	page.Clean, err = h.clean(ctx, h.spent(page))
	// As in a sweep, more than one undecided seed in a hundred is too many.
	return err == nil && page.Missed() <= h.maxMissed && !page.Clean.Caught && 100*page.Clean.Undecided <= page.Clean.Seeds, err
}

// spent lists the seeds that were played against any mutant.
func (h *hunt) spent(page *mutant.Report) (seeds []uint64) {
	for i := range h.campaigns {
		most := 0 // on the most stubborn
		for _, row := range page.Rows {
			most = max(most, row.Scores[i].Seeds)
		}
		for n := range uint64(most) {
			seeds = append(seeds, h.first(i)+n)
		}
	}
	return seeds
}

// hunt builds one mutant and plays it, in each campaign until it is caught or the budget is spent. What it costs to compile it
// is not counted.
func (h *hunt) hunt(ctx context.Context, m mutant.Mutant) quarry {
	q := quarry{row: mutant.Row{Mutant: m}}
	module := filepath.Join(h.dir, m.ID+".wasm")
	if q.err = h.build(ctx, m, module); q.err != nil {
		return q
	}
	s := h.scenario
	s.module, s.cache = module, filepath.Join(h.dir, m.ID+".compiled")
	defer os.RemoveAll(s.cache) // nobody needs it again, and it is large
	if q.err = warm(ctx, h.play, s); q.err != nil {
		return q
	}
	var last outcome
	campaign := h.campaign
	campaign.Play = func(ctx context.Context, _ string, seed uint64) (mutant.Outcome, error) {
		last = h.play(ctx, s.with(seed))
		h.runs.Add(1)
		return outcomeOf(&last)
	}
	for i := range h.campaigns {
		campaign.First = h.first(i)
		var score mutant.Score
		if score, q.err = campaign.Hunt(ctx, module); q.err != nil {
			return q
		}
		q.row.Scores = append(q.row.Scores, score)
		if score.Caught && q.red == nil {
			red := last
			q.red = &red
		}
	}
	return q
}

// tell tells what came of a mutant, and keeps the log of what caught it first if it is asked to.
func (h *hunt) tell(q *quarry) error {
	h.bar.clear()
	for i := range q.row.Scores {
		s := &q.row.Scores[i]
		result := "survived"
		if s.Caught {
			result = fmt.Sprintf("caught by seed=0x%x verdict=%s fired=%s", s.Seed, s.Outcome.Verdict, s.Outcome.Checker)
		}
		fmt.Fprintf(h.stdout, "%s  %d seeds, %d undecided, %.1f CPU s: %s\n", q.row.ID, s.Seeds, s.Undecided, s.CPU.Seconds(), result)
	}
	if !h.keep || q.red == nil {
		return nil
	}
	name := filepath.Join(h.dir, q.row.ID+".log")
	if err := os.WriteFile(name, q.red.log, 0o644); err != nil {
		return fmt.Errorf("keep what caught %s: %w", q.row.ID, err)
	}
	_, err := fmt.Fprintf(h.stdout, "  %s\n", replayCommand(name, q.red.scenario))
	return err
}

// outcomeOf says what a child came to. A run that left a report without a verdict is undecided; one that left none cannot be
// counted at all.
func outcomeOf(o *outcome) (mutant.Outcome, error) {
	if o.report == nil {
		return mutant.Outcome{}, o.err
	}
	first, _, _ := strings.Cut(o.detail(), "\n")
	return mutant.Outcome{Verdict: o.verdict(), Checker: o.fired(), Detail: first, CPU: o.cpu}, nil
}

// clean plays the seeds that were spent on mutants with the module that has no fault planted.
func (h *hunt) clean(ctx context.Context, seeds []uint64) (mutant.Score, error) {
	var score mutant.Score
	var failed error
	next := within(seeds)
	each(ctx, h.jobs,
		func() (scenario, bool) {
			seed, more := next()
			return h.scenario.with(seed), more && failed == nil
		},
		func(s scenario) outcome { return h.play(ctx, s) },
		func(o outcome) {
			out, err := outcomeOf(&o)
			if err != nil {
				failed = errors.Join(failed, fmt.Errorf("clean module: %w", err))
				return
			}
			score.Seeds++
			score.CPU += out.CPU
			switch {
			case out.Red():
				if !score.Caught || o.scenario.seed < score.Seed {
					score.Caught, score.Seed, score.Outcome = true, o.scenario.seed, out
				}
			case out.Verdict != sim.VerdictOK:
				score.Undecided++
			default:
				return
			}
			h.bar.clear()
			fmt.Fprintf(h.stdout, "clean module: seed=0x%x verdict=%s fired=%s\n%s\n  holdfast-sim run %s\n", o.scenario.seed, out.Verdict, out.Checker,
				indent(o.detail()), strings.Join(o.scenario.args(), " "))
		},
		func() { h.bar.show(fmt.Sprintf("clean module: %d of %d seeds", score.Seeds, len(seeds))) })
	if err := errors.Join(failed, context.Cause(ctx)); err != nil {
		return score, err
	}
	fmt.Fprintf(h.stdout, "clean module: %d seeds, %.1f CPU s\n", score.Seeds, score.CPU.Seconds())
	return score, nil
}

// writeTable writes the page. One of a few mutants only must not take the place of the whole one unasked.
func writeTable(c *cli.Command, page *mutant.Report, stdout io.Writer) error {
	if c.IsSet("only") && !c.IsSet("out") {
		return mutant.WriteTable(stdout, page)
	}
	w, closeFile, err := create(c.String("out"))
	if err != nil {
		return err
	}
	if w == nil {
		return nil
	}
	return errors.Join(mutant.WriteTable(w, page), closeFile())
}
