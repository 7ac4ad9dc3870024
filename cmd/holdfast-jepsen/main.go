package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/urfave/cli/v3"
)

// Exit codes of the command.
const (
	exitKept   = 0
	exitFailed = 1
	exitUsage  = 2
)

// failure is an error of a command that was called rightly.
type failure struct{ error }

func (f failure) Unwrap() error { return f.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := newApp(stdout, stderr).Run(ctx, args)
	if err == nil {
		return exitKept
	}
	var failed failure
	if errors.As(err, &failed) {
		fmt.Fprintf(stderr, "holdfast-jepsen: %v\n", err)
		return exitFailed
	}
	fmt.Fprintf(stderr, "holdfast-jepsen: command line: %v; see \"holdfast-jepsen --help\"\n", err)
	return exitUsage
}

func newApp(stdout, stderr io.Writer) *cli.Command {
	return &cli.Command{
		Name:   "holdfast-jepsen",
		Usage:  "torture real processes, and hold them against others",
		Writer: stdout, ErrWriter: stderr,
		HideHelpCommand: true,
		// Exit codes are decided in run, never inside the library.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		OnUsageError:   func(_ context.Context, _ *cli.Command, err error, _ bool) error { return err },
		Commands: slices.Concat([]*cli.Command{
			killCommand(stdout, stderr), versusCommand(stdout, stderr), floorsCommand(stdout, stderr), steadyCommand(stdout, stderr),
			curvesCommand(stdout, stderr), parkCommand(stdout),
		}, diskCommands(stdout, stderr), soakCommands(stdout, stderr)),
		Action: func(_ context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return fmt.Errorf("%q: no such command", cmd.Args().First())
			}
			return errors.New("no command given")
		},
	}
}
