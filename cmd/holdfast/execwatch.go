package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
)

func execWatchCommand() *cli.Command {
	flagsEndAtKey := 1
	return &cli.Command{
		Name: "exec-watch", Category: categoryWatch,
		Usage:     "run a command for every change of a key",
		ArgsUsage: "KEY [--] COMMAND [ARGUMENT...]",
		Description: "The change is in the command's environment: ETCD_WATCH_ACTION,\n" +
			"ETCD_WATCH_KEY, ETCD_WATCH_VALUE, ETCD_WATCH_MODIFIED_INDEX, and the same as\n" +
			"HOLDFAST_WATCH_... Commands run one after the other, in the order of the\n" +
			"changes. A command that fails is reported and the watch goes on.",
		StopOnNthArg: &flagsEndAtKey,
		Flags: []cli.Flag{
			afterIndexFlag(),
			recursiveFlag("watch all that is below the key too"),
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args, err := arguments(cmd, 1, -1, "KEY")
			if err != nil {
				return err
			}
			key, command := args[0], args[1:]
			if len(command) > 0 && command[0] == "--" {
				command = command[1:]
			}
			if len(command) == 0 {
				return usage(cmd, "COMMAND is missing")
			}
			if _, err := exec.LookPath(command[0]); err != nil {
				return fail("exec-watch "+client.CleanKey(key), command[0], err, "name a command that can be run")
			}
			return follow(ctx, cmd, key, func(event client.Result) (bool, error) {
				if event.Node.Dir {
					fmt.Fprintf(cmd.Root().ErrWriter, "Ignored dir %s change\n", event.Node.Key)
					return true, nil
				}
				return true, runForEvent(ctx, cmd, command, event)
			})
		},
	}
}

// runForEvent runs the command once, to its end: commands that overlap could
// finish in another order than the changes they act upon. Only a command that
// cannot be started ends the watch.
func runForEvent(ctx context.Context, cmd *cli.Command, command []string, event client.Result) error {
	child := exec.CommandContext(ctx, command[0], command[1:]...)
	child.Env = append(os.Environ(), eventEnvironment(event)...)
	child.Stdout, child.Stderr = cmd.Root().Writer, cmd.Root().ErrWriter
	err := child.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		fmt.Fprintf(cmd.Root().ErrWriter, "holdfast exec-watch %s: %s: %v; the watch goes on\n",
			event.Node.Key, command[0], err)
		return nil
	case err != nil:
		return fail("exec-watch "+event.Node.Key, command[0], err, "name a command that can be run")
	}
	return nil
}

// eventEnvironment describes an event in the variables etcdctl sets, and again
// under our own name.
func eventEnvironment(event client.Result) []string {
	var env []string
	for _, prefix := range []string{"ETCD_WATCH_", "HOLDFAST_WATCH_"} {
		env = append(env,
			prefix+"ACTION="+event.Action,
			prefix+"MODIFIED_INDEX="+strconv.FormatUint(event.Node.ModifiedIndex, 10),
			prefix+"KEY="+event.Node.Key,
			prefix+"VALUE="+event.Node.Value,
		)
	}
	return env
}
