package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"holdfast/sim"

	"github.com/urfave/cli/v3"
)

func guestFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "out", Value: defaultModule, Usage: "write the module to `FILE`"},
		&cli.StringFlag{Name: "overlay", Usage: "go build's -overlay `FILE`, to plant a fault in our sources"},
		&cli.StringFlag{Name: "modfile", Usage: "another go.mod `FILE`, to plant a fault in a dependency"},
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
	if err := sim.BuildGuest(ctx, b); err != nil {
		return 0, err
	}
	module, err := os.ReadFile(b.Out)
	if err != nil {
		return 0, fmt.Errorf("read back: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s: %d bytes, module=%s\n", b.Out, len(module), sim.ModuleHash(module))
	return 0, err
}
