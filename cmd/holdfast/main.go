package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"
)

// Exit codes of the command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := newApp(stdin, stdout, stderr).Run(ctx, args)
	if err == nil {
		return exitDone
	}
	// What no action returned, the library found wrong before it came to one:
	// a value in the environment that does not parse, for example.
	var ours *actionError
	var wrong *usageError
	if !errors.As(err, &ours) && !errors.As(err, &wrong) {
		err = &usageError{fmt.Sprintf("command line: %v; see \"holdfast --help\"", err)}
	}
	fmt.Fprintf(stderr, "holdfast %v\n", err)
	if errors.As(err, &wrong) {
		return exitUsage
	}
	return exitFailed
}

// Headings of the help text.
const (
	categoryServer  = "server"
	categoryKeys    = "keys"
	categoryWatch   = "watching"
	categoryCluster = "cluster"
	categoryLocal   = "this machine"
)

func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.Command {
	app := &cli.Command{
		Name:    "holdfast",
		Usage:   "a coordination store that speaks the etcd v2 API",
		Version: version,
		Reader:  stdin, Writer: stdout, ErrWriter: stderr,
		HideHelpCommand:       true,
		EnableShellCompletion: true,
		// Exit codes are decided in run, never inside the library.
		ExitErrHandler: func(context.Context, *cli.Command, error) {},
		Flags:          clientFlags(),
		Commands: []*cli.Command{
			agentCommand(),
			getCommand(), setCommand(), mkCommand(), updateCommand(), rmCommand(), lsCommand(),
			mkdirCommand(), setdirCommand(), updatedirCommand(), rmdirCommand(),
			watchCommand(), execWatchCommand(),
			memberCommand(), clusterHealthCommand(), snapshotCommand(),
			benchCommand(), walCommand(), versionCommand(), helpCommand(),
		},
		Action: groupAction,
	}
	cli.VersionPrinter = func(cmd *cli.Command) { printVersion(cmd.Root().Writer) }
	// The library asks each command, not its parents.
	_ = app.Walk(func(cmd *cli.Command) error {
		cmd.Action = markErrors(cmd.Action)
		cmd.OnUsageError = func(_ context.Context, cmd *cli.Command, err error, _ bool) error {
			return usage(cmd, "%v", err)
		}
		return nil
	})
	return app
}

// actionError is an error that one of our actions returned.
type actionError struct{ error }

func (e *actionError) Unwrap() error { return e.error }

func markErrors(action cli.ActionFunc) cli.ActionFunc {
	return func(ctx context.Context, cmd *cli.Command) error {
		if err := action(ctx, cmd); err != nil {
			return &actionError{err}
		}
		return nil
	}
}

// groupAction serves a command that only has subcommands.
func groupAction(_ context.Context, cmd *cli.Command) error {
	if !cmd.Args().Present() {
		return usage(cmd, "a command is missing")
	}
	return usage(cmd, "unknown command %q", cmd.Args().First())
}

// helpCommand is "holdfast help [COMMAND...]", what a newcomer types first.
// The library's own would also take the place of a key called "help".
func helpCommand() *cli.Command {
	return &cli.Command{
		Name: "help", Category: categoryLocal,
		Usage: "explain the commands, or the one named", ArgsUsage: "[COMMAND...]",
		Action: func(_ context.Context, cmd *cli.Command) error {
			about := cmd.Root()
			for _, name := range cmd.Args().Slice() {
				next := about.Command(name)
				if next == nil {
					return usage(cmd, "unknown command %q", name)
				}
				about = next
			}
			if about == cmd.Root() {
				return cli.ShowRootCommandHelp(about)
			}
			return about.Run(context.Background(), []string{about.Name, "--help"})
		},
	}
}
