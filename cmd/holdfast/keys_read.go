package main

import (
	"bytes"
	"context"
	"errors"
	"net/url"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
)

// readOptions turns the flags of a reading command into its query.
func readOptions(cmd *cli.Command) url.Values {
	query := url.Values{}
	for _, option := range []struct{ flag, parameter string }{
		{"sort", "sorted"}, {"recursive", "recursive"}, {"quorum", "quorum"},
	} {
		if cmd.Bool(option.flag) {
			query.Set(option.parameter, "true")
		}
	}
	return query
}

// errIsDir is get's answer to a directory.
var errIsDir = errors.New("is a directory")

func getCommand() *cli.Command {
	return &cli.Command{
		Name: "get", Category: categoryKeys,
		Usage: "print the value of a key", ArgsUsage: "KEY",
		Flags: []cli.Flag{sortFlag(), quorumFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args, err := arguments(cmd, 1, 1, "KEY")
			if err != nil {
				return err
			}
			return read(ctx, cmd, args[0], func(result client.Result, format string) error {
				if result.Node.Dir && format != formatJSON {
					return fail("get", client.CleanKey(args[0]), errIsDir, `list it with "holdfast ls"`)
				}
				return printResult(cmd.Root().Writer, result, format)
			})
		},
	}
}

func lsCommand() *cli.Command {
	return &cli.Command{
		Name: "ls", Category: categoryKeys,
		Usage: "list a directory, by default the root", ArgsUsage: "[KEY]",
		Flags: []cli.Flag{
			sortFlag(),
			recursiveFlag("list all that is below it"),
			&cli.BoolFlag{Name: "p", Usage: "mark directories with a slash", Local: true},
			quorumFlag(),
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args, err := arguments(cmd, 0, 1)
			if err != nil {
				return err
			}
			key := "/"
			if len(args) == 1 {
				key = args[0]
			}
			return read(ctx, cmd, key, func(result client.Result, format string) error {
				if format != formatSimple {
					return printResult(cmd.Root().Writer, result, format)
				}
				return write(cmd.Root().Writer, listing(result.Node, cmd.Bool("p")))
			})
		},
	}
}

// read gets a key and has it printed.
func read(ctx context.Context, cmd *cli.Command, key string, print func(client.Result, string) error) error {
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	result, err := c.GetKey(ctx, key, readOptions(cmd))
	if err != nil {
		return failRequest(commandName(cmd)+" "+client.CleanKey(key), c, err)
	}
	return print(result, outputFormat(cmd))
}

// listing gives the names below a directory, depth first, or a key's own.
func listing(node client.Node, markDirs bool) []byte {
	var text bytes.Buffer
	if !node.Dir {
		text.WriteString(node.Key + "\n")
	}
	var list func(nodes []client.Node)
	list = func(nodes []client.Node) {
		for _, n := range nodes {
			text.WriteString(n.Key)
			if n.Dir && markDirs {
				text.WriteByte('/')
			}
			text.WriteByte('\n')
			list(n.Nodes)
		}
	}
	list(node.Nodes)
	return text.Bytes()
}
