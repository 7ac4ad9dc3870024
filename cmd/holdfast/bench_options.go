package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
	"holdfast/cmd/holdfast/internal/load"
)

const (
	defaultSlice      = time.Second
	defaultWarmup     = time.Second
	defaultValueBytes = 256
	maxPIDs           = 64 // of one target
	maxExpect         = 1000
	standardOutput    = "-"
	modePoll          = "poll"
	modeStream        = "stream"
)

// benchOptions is what the flags of bench ask for.
type benchOptions struct {
	load.Options
	floor              load.Floor
	jsonFile, htmlFile string // empty: not wanted
}

func benchFlags() []cli.Flag {
	text := func(name, value, usage string) cli.Flag {
		return &cli.StringFlag{Name: name, Value: value, Usage: usage, Local: true}
	}
	list := func(name, usage string) cli.Flag {
		return &cli.StringSliceFlag{Name: name, Usage: usage, Local: true}
	}
	return []cli.Flag{
		text("target", "", "`[NAME=]URL[,URL...]` of the store to measure; default: --endpoints"),
		list("against", "`[NAME=]URL[,URL...]` of a store to hold it against; may be repeated"),
		list("pid", "`NAME=PID[,PID...]`: processes of that store on this machine; may be repeated"),
		text("workload", string(load.Put), "comma-separated `WORKLOADS`, each its own run"),
		text("connections", "64", "comma-separated `COUNTS` of clients, each its own run"),
		boundedFlag("slices", 5, 1, load.MaxSlices, "`COUNT` of slices for each store and run"),
		durationFlag("slice", defaultSlice, load.MinSlice, load.MaxSlice, "`TIME` of a slice"),
		durationFlag("warmup", defaultWarmup, 0, load.MaxSlice, "`TIME` of work before the first slice"),
		boundedFlag("value-bytes", defaultValueBytes, 0, load.MaxValueBytes, "`BYTES` of a value"),
		boundedFlag("keys", 10_000, 1, load.MaxKeys, "`COUNT` of keys"),
		text("keep", "", "leave the keys in directory `NAME`, and use those that are there from an earlier call"),
		boundedFlag("read-percent", 90, 0, 100, "`PERCENT` of reads in mixed"),
		boundedFlag("hot-keys", 1, 1, load.MaxKeys, "`COUNT` of keys that cas competes for"),
		boundedFlag("watchers", 1000, 1, load.MaxWatchers, "`COUNT` of watchers in watch"),
		text("watch-mode", modePoll, "`MODE` of watchers: poll or stream"),
		boundedFlag("ttl-seconds", 2, 1, load.MaxTTLSeconds, "`SECONDS` that a key of ttl lives"),
		ratioFlag("expect", "fail if a median `RATIO` to --against is lower"),
		ratioFlag("expect-cpu", "fail if a median `RATIO` per server CPU second is lower"),
		text("json", "", "write all figures as JSON to a `FILE`; -: to the standard output"),
		text("html", "", "write a page with the latency curves to a `FILE`"),
	}
}

// boundedFlag is a flag of a whole number within bounds.
func boundedFlag(name string, value, least, most int, usage string) cli.Flag {
	return &cli.IntFlag{
		Name: name, Value: value, Usage: usage, Local: true,
		Validator: func(n int) error { return inBounds(n, least, most) },
	}
}

func durationFlag(name string, value, least, most time.Duration, usage string) cli.Flag {
	return &cli.DurationFlag{
		Name: name, Value: value, Usage: usage, Local: true,
		Validator: func(d time.Duration) error { return inBounds(d, least, most) },
	}
}

func ratioFlag(name, usage string) cli.Flag {
	return &cli.FloatFlag{
		Name: name, Usage: usage, Local: true, HideDefault: true,
		Validator: func(r float64) error {
			if !(r > 0) {
				return errors.New("must be above 0")
			}
			return inBounds(r, 0, maxExpect)
		},
	}
}

func inBounds[T int | float64 | time.Duration](n, least, most T) error {
	if !(n >= least && n <= most) {
		return fmt.Errorf("must be from %v to %v", least, most)
	}
	return nil
}

// parseBenchOptions checks what single flags cannot see.
func parseBenchOptions(cmd *cli.Command) (benchOptions, error) {
	o := benchOptions{
		Options: load.Options{
			Slices: cmd.Int("slices"), Slice: cmd.Duration("slice"), Warmup: cmd.Duration("warmup"), Timeout: cmd.Duration("timeout"),
			ValueBytes: cmd.Int("value-bytes"), Keys: cmd.Int("keys"), HotKeys: cmd.Int("hot-keys"),
			Watchers: cmd.Int("watchers"), TTLSeconds: cmd.Int("ttl-seconds"), ReadPercent: cmd.Int("read-percent"),
		},
		floor:    load.Floor{PerSecond: cmd.Float("expect"), PerCPU: cmd.Float("expect-cpu")},
		jsonFile: cmd.String("json"), htmlFile: cmd.String("html"),
	}
	if o.jsonFile == "" && outputFormat(cmd) == formatJSON {
		o.jsonFile = standardOutput
	}
	for _, part := range []struct {
		flag  string
		parse func(cmd *cli.Command, o *benchOptions) error
	}{
		{"target", parseTargets}, {"pid", parsePIDs}, {"workload", parseWorkloads}, {"connections", parseConnections},
		{"watch-mode", parseWatchMode}, {"keep", parseKeep}, {"hot-keys", checkHotKeys}, {"expect", checkExpect},
	} {
		if err := part.parse(cmd, &o); err != nil {
			return o, usage(cmd, "%v", err)
		}
	}
	return o, nil
}

func parseTargets(cmd *cli.Command, o *benchOptions) error {
	first := cmd.String("target")
	if !cmd.IsSet("target") {
		first = cmd.String("endpoints")
	}
	given := append([]string{first}, cmd.StringSlice("against")...)
	if len(given) > load.MaxTargets {
		return fmt.Errorf("--against: %d stores are too many, the limit is %d", len(given), load.MaxTargets)
	}
	for i, text := range given {
		flag := "--against"
		if i == 0 {
			flag = "--target"
		}
		target, err := parseTarget(text, o.Timeout)
		if err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
		if slices.ContainsFunc(o.Targets, func(t load.Target) bool { return t.Name == target.Name }) {
			return fmt.Errorf("%s: %q names two stores; give each its own name, NAME=URL", flag, target.Name)
		}
		o.Targets = append(o.Targets, target)
	}
	return nil
}

// parseTarget reads [NAME=]URL[,URL...]. The name is that of the first address
// by default.
func parseTarget(text string, timeout time.Duration) (load.Target, error) {
	name, urls, named := strings.Cut(text, "=")
	if !named {
		urls = text
	}
	addresses, err := parseAddresses(urls, timeout)
	if err != nil {
		return load.Target{}, err
	}
	if !named {
		name = addresses[0]
	}
	if !plainName(name) {
		return load.Target{}, fmt.Errorf("%q is no name: use up to %d letters, digits, \".\", \":\", \"-\", \"_\"", name, maxNameBytes)
	}
	return load.Target{Name: name, Addresses: addresses}, nil
}

const maxNameBytes = 64

func plainName(name string) bool {
	return name != "" && len(name) <= maxNameBytes && !strings.ContainsFunc(name, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".:-_[]", r))
	})
}

// parseAddresses reads comma-separated URLS as the other commands do, into
// host:port.
func parseAddresses(urls string, timeout time.Duration) ([]string, error) {
	c, err := client.New(strings.Split(urls, ","), timeout)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var addresses []string
	for _, endpoint := range c.Endpoints() {
		addresses = append(addresses, strings.TrimPrefix(endpoint, "http://"))
	}
	return addresses, nil
}

func parsePIDs(cmd *cli.Command, o *benchOptions) error {
	for _, text := range cmd.StringSlice("pid") {
		name, list, ok := strings.Cut(text, "=")
		at := slices.IndexFunc(o.Targets, func(t load.Target) bool { return t.Name == name })
		if !ok || at < 0 {
			return fmt.Errorf("--pid: %q does not begin with the name of a store and \"=\"; name the store with --target NAME=URL", text)
		}
		for _, number := range strings.Split(list, ",") {
			pid, err := strconv.Atoi(number)
			if err != nil || pid <= 0 {
				return fmt.Errorf("--pid: %q is no process id", number)
			}
			o.Targets[at].PIDs = append(o.Targets[at].PIDs, pid)
		}
		if len(o.Targets[at].PIDs) > maxPIDs {
			return fmt.Errorf("--pid: more than %d processes of %q", maxPIDs, name)
		}
	}
	return nil
}

func parseWorkloads(cmd *cli.Command, o *benchOptions) error {
	for _, name := range strings.Split(cmd.String("workload"), ",") {
		w, err := load.ParseWorkload(name)
		if err != nil {
			return fmt.Errorf("--workload: %w", err)
		}
		if slices.Contains(o.Workloads, w) {
			return fmt.Errorf("--workload: %q stands there twice", name)
		}
		o.Workloads = append(o.Workloads, w)
	}
	return nil
}

func parseConnections(cmd *cli.Command, o *benchOptions) error {
	for _, text := range strings.Split(cmd.String("connections"), ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("--connections: %q is no whole number", text)
		}
		if err := inBounds(n, 1, load.MaxConnections); err != nil {
			return fmt.Errorf("--connections: %d %w", n, err)
		}
		if slices.Contains(o.Connections, n) {
			return fmt.Errorf("--connections: %d stands there twice", n)
		}
		o.Connections = append(o.Connections, n)
	}
	return nil
}

func parseWatchMode(cmd *cli.Command, o *benchOptions) error {
	switch mode := cmd.String("watch-mode"); mode {
	case modePoll, modeStream:
		o.Stream = mode == modeStream
		return nil
	default:
		return fmt.Errorf("--watch-mode: %q is no mode: %s or %s", mode, modePoll, modeStream)
	}
}

func parseKeep(cmd *cli.Command, o *benchOptions) error {
	o.Keep = cmd.String("keep")
	// The name goes into requests as it is.
	if cmd.IsSet("keep") && (!plainName(o.Keep) || strings.Trim(o.Keep, ".") == "" || strings.ContainsAny(o.Keep, "[]")) {
		return fmt.Errorf("--keep: %q is no name: use up to %d letters, digits, \".\", \":\", \"-\", \"_\"", o.Keep, maxNameBytes)
	}
	return nil
}

func checkHotKeys(_ *cli.Command, o *benchOptions) error {
	if o.HotKeys > o.Keys {
		return fmt.Errorf("--hot-keys: %d are more than the %d of --keys", o.HotKeys, o.Keys)
	}
	return nil
}

// checkExpect refuses a floor that could not fail.
func checkExpect(_ *cli.Command, o *benchOptions) error {
	if o.floor != (load.Floor{}) && len(o.Targets) < 2 {
		return errors.New("--expect: there is nothing to hold the store against; name it with --against")
	}
	for _, t := range o.Targets {
		if o.floor.PerCPU > 0 && len(t.PIDs) == 0 {
			return fmt.Errorf("--expect-cpu: no process of %q is known; name it with --pid %s=PID", t.Name, t.Name)
		}
	}
	return nil
}
