package main

import (
	"fmt"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

// beforeFlags are those of commands that can play runs of mixed versions.
func beforeFlags() []cli.Flag {
	return []cli.Flag{&cli.StringFlag{Name: "before", Usage: "the guest of an earlier version, a `FILE`: members begin with it and are upgraded (default: all are of one version)"}}
}

// readBefore reads the module of an earlier version; no name, no module.
func readBefore(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	module, err := readModule(name)
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	return module, nil
}

// hashes names the modules of a scenario as the last lines of runs do.
func (s scenario) hashes() (string, error) {
	module, err := readModule(s.module)
	if err != nil {
		return "", err
	}
	before, err := readBefore(s.before)
	if err != nil {
		return "", err
	}
	if before == nil {
		return sim.ModuleHash(module), nil
	}
	return sim.ModuleHash(module) + " before=" + sim.ModuleHash(before), nil
}

// sameBefore refuses to play a log of mixed versions without the module of the earlier one, or with another one unless that is
// asked for.
func sameBefore(c *cli.Command, d *sim.Decisions, before []byte) error {
	switch {
	case !d.Mixed():
		return nil
	case before == nil:
		return usagef("before: none given, and the log has members of an earlier version, module %s; name it with --before", orUnknown(d.Before))
	}
	if hash := sim.ModuleHash(before); hash != d.Before && !c.Bool("other-module") {
		return usagef("before: %s: its hash is %s and the log's is %s; name the log's earlier module, or play it with this one by --other-module",
			c.String("before"), hash, orUnknown(d.Before))
	}
	return nil
}
