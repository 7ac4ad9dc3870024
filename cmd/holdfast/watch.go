package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
)

func afterIndexFlag() cli.Flag {
	return &cli.Uint64Flag{
		Name: "after-index", Local: true,
		Usage: "begin with the first event after store `INDEX`; 0: from now on",
	}
}

func watchCommand() *cli.Command {
	return &cli.Command{
		Name: "watch", Category: categoryWatch,
		Usage: "wait for a change of a key and print it", ArgsUsage: "KEY",
		Description: "With --recursive a line \"[ACTION] KEY\" stands before each value.\n" +
			"Changes of directories are not printed, except as JSON.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "forever", Aliases: []string{"f"}, Usage: "go on until interrupted", Local: true},
			afterIndexFlag(),
			recursiveFlag("watch all that is below the key too"),
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args, err := arguments(cmd, 1, 1, "KEY")
			if err != nil {
				return err
			}
			return follow(ctx, cmd, args[0], func(event client.Result) (more bool, err error) {
				printed, err := printEvent(cmd, event)
				return !printed || cmd.Bool("forever"), err
			})
		},
	}
}

// printEvent prints an event unless it is a directory's.
func printEvent(cmd *cli.Command, event client.Result) (printed bool, err error) {
	out, format := cmd.Root().Writer, outputFormat(cmd)
	if format == formatJSON {
		return true, printRaw(out, event.Raw)
	}
	if event.Node.Dir {
		return false, nil
	}
	if cmd.Bool("recursive") {
		if err := write(out, fmt.Appendf(nil, "[%s] %s\n", event.Action, event.Node.Key)); err != nil {
			return false, err
		}
	}
	return true, printResult(out, event, format)
}

// follow hands the events of a key to take until take wants no more, fails, or
// the user interrupts, which is an ordinary end.
func follow(ctx context.Context, cmd *cli.Command, key string, take func(client.Result) (more bool, err error)) error {
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	watcher := c.Watch(key, cmd.Bool("recursive"), cmd.Uint64("after-index"))
	for {
		event, err := watcher.Next(ctx)
		if errors.Is(err, context.Canceled) {
			return nil
		}
		if err != nil {
			return failRequest(commandName(cmd)+" "+client.CleanKey(key), c, err)
		}
		if more, err := take(event); err != nil || !more {
			return err
		}
	}
}
