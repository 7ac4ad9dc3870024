package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"holdfast/sim"
	"holdfast/sim/mutant"

	"github.com/urfave/cli/v3"
)

func guestFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out", Value: defaultModule, Usage: "write the module to `FILE`"},
		&cli.StringFlag{Name: "overlay", Usage: "go build's -overlay `FILE`, to plant a fault in our sources"},
		&cli.StringFlag{Name: "modfile", Usage: "another go.mod `FILE`, to plant a fault in a dependency"},
		&cli.StringFlag{Name: "mutant", Usage: "plant the fault of this `ID`, one that mutants knows; not with the other flags but --out"},
		&cli.BoolFlag{Name: "plain-scheduler", Usage: "leave the guest's goroutine scheduler as Go has it: every seed then runs them in one order"},
	}
}

func buildGuest(ctx context.Context, c *cli.Command, stdout, _ io.Writer) (int, error) {
	b := sim.Build{
		Package: sim.GuestPackage, Out: c.String("out"), Overlay: c.String("overlay"), Modfile: c.String("modfile"),
		PlainScheduler: c.Bool("plain-scheduler"),
	}
	if err := noArguments(c); err != nil {
		return 0, err
	}
	if err := build(ctx, c, b); err != nil {
		return 0, err
	}
	module, err := os.ReadFile(b.Out)
	if err != nil {
		return 0, fmt.Errorf("read back: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s: %d bytes, module=%s\n", b.Out, len(module), sim.ModuleHash(module))
	return 0, err
}

// build builds the guest as it is, or with a planted fault.
func build(ctx context.Context, c *cli.Command, b sim.Build) error {
	if !c.IsSet("mutant") {
		return sim.BuildGuest(ctx, b)
	}
	if b.Overlay != "" || b.Modfile != "" || b.PlainScheduler {
		return usagef("mutant: %s: it brings its own overlay; leave out --overlay, --modfile and --plain-scheduler", c.String("mutant"))
	}
	m, known := mutant.ByID(c.String("mutant"))
	if !known {
		return usagef("mutant: %q: there is none such; choose of %s", c.String("mutant"), strings.Join(ids(mutant.All()), " "))
	}
	return mutant.Build(ctx, m, b.Out)
}
