package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/jepsen"
	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// defaultModule is where make guest puts the module.
const defaultModule = "bin/guest.wasm"

// Virtual time during which clients work, unless a flag says otherwise.
const (
	defaultDuration     = 10 * time.Second
	sweepDuration       = time.Minute
	determinismDuration = 20 * time.Second
	mutantDuration      = 20 * time.Second
)

// Limits of flags.
const (
	maxSeeds = 1_000_000
	maxJobs  = 256
	maxOps   = 10_000
)

// none is what --workload and --faults take for the empty list.
const none = "none"

// scenario is what decides a run, as text: it can be handed to another process, or to whoever wants to see it again.
type scenario struct {
	seed     uint64
	nodes    int // 0: the seed's parity decides
	duration time.Duration
	// Nil leaves the choice to the seed.
	workloads, faults []string
	schedule          string        // empty: the seed chooses
	ops               int64         // operations a virtual second, 0: drawn
	pace              time.Duration // between two faults, 0: drawn
	module            string
	before            string // module of an earlier version; empty: none
	cache             string // empty: the user's
	wall              time.Duration
	// decisions names a decision log that is played instead of what a seed draws; of the rest only the modules, the cache and the
	// wall time count then.
	decisions string
	// wants are the probes for which the seed is in the corpus; nil: it is not.
	wants []string
}

func seedFlags() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{Name: "seed", Value: "0x1", Usage: "the `NUMBER` that decides everything"}}
}

func scenarioFlags(nodes int, duration time.Duration) []cli.Flag {
	members := fmt.Sprintf("members, %d to %d", sim.MinNodes, sim.MaxNodes)
	if nodes == 0 {
		members += "; 0: three for even seeds, five for odd ones, seven for every eighth"
	}
	return []cli.Flag{
		&cli.IntFlag{Name: "nodes", Value: nodes, Usage: members},
		&cli.DurationFlag{Name: "duration", Value: duration, Usage: "virtual time during which clients work"},
		&cli.StringSliceFlag{
			Name: "workload", DefaultText: "the seed chooses",
			Usage: "what clients do: `NAMES` of " + strings.Join(jepsen.Workloads(), " ") + ", or " + none,
		},
		&cli.StringSliceFlag{
			Name: "faults", DefaultText: "the seed chooses",
			Usage: "what goes wrong: `KINDS` of " + strings.Join(sim.FaultKinds(), " ") + ", or " + none,
		},
		&cli.StringFlag{
			Name: "schedule", DefaultText: "the seed chooses",
			Usage: "which goroutine of a member runs next: `KIND` of " + sim.ScheduleUniform + " " + sim.SchedulePriority,
		},
		&cli.Int64Flag{Name: "ops", DefaultText: "the seed chooses", Usage: "operations a virtual second that all clients together aim at"},
		&cli.DurationFlag{Name: "pace", DefaultText: "the seed chooses", Usage: "mean virtual time between two faults"},
	}
}

func moduleFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "module", Value: defaultModule, Usage: "the guest, a `FILE` made by make guest"},
		&cli.StringFlag{Name: "cache", Usage: "`DIRECTORY` of compiled modules (default: the user's cache directory)"},
		&cli.DurationFlag{Name: "wall", Value: 10 * time.Minute, Usage: "real time after which a run is given up"},
	}
}

// manyFlags are those of commands that play a range of seeds.
func manyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "from", Value: "0x1", Usage: "the first seed, a `NUMBER`; the others follow one by one"},
		&cli.IntFlag{Name: "seeds", Value: 20, Usage: "how many seeds"},
		&cli.IntFlag{Name: "jobs", Value: 2, Usage: "processes at a time"},
	}
}

// readScenario reads the scenarioFlags and moduleFlags that a command has; the seed is left to the caller.
func readScenario(c *cli.Command) (scenario, error) {
	s := scenario{
		nodes: c.Int("nodes"), duration: c.Duration("duration"), ops: c.Int64("ops"), pace: c.Duration("pace"),
		module: c.String("module"), before: c.String("before"), cache: c.String("cache"), wall: c.Duration("wall"),
	}
	if s.nodes != 0 || c.Name == "run" || c.Name == "smoke" {
		if s.nodes < sim.MinNodes || s.nodes > sim.MaxNodes {
			return s, usagef("nodes: %d; choose %d to %d", s.nodes, sim.MinNodes, sim.MaxNodes)
		}
	}
	if s.duration < sim.MinDuration || s.duration > sim.MaxDuration {
		return s, usagef("duration: %v; choose %v to %v", s.duration, sim.MinDuration, sim.MaxDuration)
	}
	if s.ops < 0 || s.ops > maxOps {
		return s, usagef("ops: %d; choose 1 to %d, or 0 to leave it to the seed", s.ops, maxOps)
	}
	if s.pace < 0 || s.pace > sim.MaxPace {
		return s, usagef("pace: %v; choose up to %v, or 0 to leave it to the seed", s.pace, sim.MaxPace)
	}
	if s.wall <= 0 {
		return s, usagef("wall: %v; choose a time above nought", s.wall)
	}
	s.schedule = c.String("schedule")
	if c.IsSet("schedule") && s.schedule != sim.ScheduleUniform && s.schedule != sim.SchedulePriority {
		return s, usagef("schedule: %q: unknown; choose of %s %s", s.schedule, sim.ScheduleUniform, sim.SchedulePriority)
	}
	var err error
	if s.workloads, err = names(c, "workload", jepsen.Workloads()); err != nil {
		return s, err
	}
	s.faults, err = names(c, "faults", sim.FaultKinds())
	return s, err
}

// names reads a list flag: nil if it is not given, empty if it is "none".
func names(c *cli.Command, flag string, known []string) ([]string, error) {
	if !c.IsSet(flag) {
		return nil, nil
	}
	list := c.StringSlice(flag)
	if slices.Equal(list, []string{none}) {
		return []string{}, nil
	}
	for _, name := range list {
		if !slices.Contains(known, name) {
			return nil, usagef("%s: %q: unknown; choose of %s, or %s alone", flag, name, strings.Join(known, " "), none)
		}
	}
	return list, nil
}

func readSeed(c *cli.Command, flag string) (uint64, error) {
	seed, err := strconv.ParseUint(c.String(flag), 0, 64)
	if err != nil {
		return 0, usagef("%s: %q: not a number of 64 bits; write it as 0x1f or 31", flag, c.String(flag))
	}
	return seed, nil
}

func readJobs(c *cli.Command) (int, error) {
	if jobs := c.Int("jobs"); jobs >= 1 && jobs <= maxJobs {
		return jobs, nil
	}
	return 0, usagef("jobs: %d; choose 1 to %d", c.Int("jobs"), maxJobs)
}

// with gives the scenario another seed, and with it a number of members if that is left to the seed.
func (s scenario) with(seed uint64) scenario {
	s.seed = seed
	switch {
	case s.nodes != 0:
	case seed%8 == 7:
		s.nodes = 7
	default:
		s.nodes = 3 + 2*int(seed%2)
	}
	return s
}

// command is the subcommand that plays the scenario once.
func (s scenario) command() string {
	if s.decisions != "" {
		return "replay"
	}
	return "run"
}

// args gives the flags that play the scenario with its command or smoke, those at their defaults left out.
func (s scenario) args() []string {
	if s.decisions != "" {
		return append(s.withBefore("--module", s.module, "--other-module"), s.decisions)
	}
	return append([]string{"--seed", fmt.Sprintf("0x%x", s.seed)}, s.flags()...)
}

// flags are those of every seed.
func (s scenario) flags() []string {
	args := []string{"--nodes", strconv.Itoa(s.nodes), "--duration", s.duration.String()}
	list := func(flag string, names []string) {
		switch {
		case names == nil:
		case len(names) == 0:
			args = append(args, flag, none)
		default:
			args = append(args, flag, strings.Join(names, ","))
		}
	}
	list("--workload", s.workloads)
	list("--faults", s.faults)
	if s.schedule != "" {
		args = append(args, "--schedule", s.schedule)
	}
	if s.ops != 0 {
		args = append(args, "--ops", strconv.FormatInt(s.ops, 10))
	}
	if s.pace != 0 {
		args = append(args, "--pace", s.pace.String())
	}
	if s.module != defaultModule {
		args = append(args, "--module", s.module)
	}
	return s.withBefore(args...)
}

// withBefore adds the flag of the earlier version, if there is one.
func (s scenario) withBefore(args ...string) []string {
	if s.before != "" {
		args = append(args, "--before", s.before)
	}
	return args
}

// options makes the simulator's options of the scenario, whose modules it reads.
func (s scenario) options() (sim.Options, error) {
	o, err := s.cached()
	if err != nil {
		return o, err
	}
	if o.Module, err = readModule(s.module); err == nil {
		o.Before, err = readBefore(s.before)
	}
	return o, err
}

// cached are the options but for the module.
func (s scenario) cached() (sim.Options, error) {
	o := sim.Options{
		Seed: s.seed, Nodes: s.nodes, Duration: s.duration, Workloads: s.workloads, Faults: s.faults, OpsPerSecond: s.ops,
		Schedule: s.schedule, Pace: s.pace, CacheDir: s.cache,
	}
	var err error
	if o.CacheDir == "" {
		o.CacheDir, err = userCache()
	}
	return o, err
}

func userCache() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", usagef("cache directory: %w; name one with --cache", err)
	}
	return filepath.Join(base, "holdfast-sim"), nil
}
