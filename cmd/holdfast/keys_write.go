package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
	"holdfast/kernel"
)

// maxStdinBytes bounds a value read from the standard input: a longer one the
// store would refuse.
const maxStdinBytes = kernel.MaxValueBytes

// keyWrite is one write as a command describes it.
type keyWrite struct {
	method      string
	key         string
	query, form url.Values
	silent      bool // prints nothing in simple form
}

// send performs the write and prints its answer.
func (kw keyWrite) send(ctx context.Context, cmd *cli.Command) error {
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	what := commandName(cmd) + " " + client.CleanKey(kw.key)
	result, err := c.WriteKey(ctx, kw.method, kw.key, kw.query, kw.form)
	if err != nil {
		return failRequest(what, c, err)
	}
	format := outputFormat(cmd)
	deletedDir := kw.method == http.MethodDelete && result.Node.Dir
	if (kw.silent || deletedDir) && format == formatSimple {
		return nil
	}
	return printResult(cmd.Root().Writer, result, format)
}

// valueForm is the form of a PUT or POST of a value.
func valueForm(cmd *cli.Command, value string) url.Values {
	form := url.Values{"value": {value}}
	addTTL(cmd, form)
	return form
}

func addTTL(cmd *cli.Command, form url.Values) {
	if seconds := cmd.Int64("ttl"); seconds > 0 {
		form.Set("ttl", strconv.FormatInt(seconds, 10))
	}
}

// keyAndValue takes KEY and VALUE, the latter from the standard input where it
// is not an argument.
func keyAndValue(cmd *cli.Command) (key, value string, err error) {
	args, err := arguments(cmd, 1, 2, "KEY")
	if err != nil {
		return "", "", err
	}
	if len(args) == 2 {
		return args[0], args[1], nil
	}
	input, err := io.ReadAll(io.LimitReader(cmd.Root().Reader, maxStdinBytes+1))
	what := commandName(cmd) + " " + client.CleanKey(args[0])
	switch {
	case err != nil:
		return "", "", fail(what, "standard input", err, "give the value as an argument")
	case len(input) == 0:
		return "", "", usage(cmd, "VALUE is missing, as an argument or on the standard input")
	case len(input) > maxStdinBytes:
		tooLong := fmt.Errorf("a value longer than %d bytes", maxStdinBytes)
		return "", "", fail(what, "standard input", tooLong, "store a reference to it instead")
	}
	return args[0], string(input), nil
}

func setCommand() *cli.Command {
	return &cli.Command{
		Name: "set", Category: categoryKeys,
		Usage:     "write a key, whether it exists or not",
		ArgsUsage: "KEY [VALUE]",
		Description: "The value is read from the standard input if it is not given.\n" +
			"A value that begins with \"-\" goes after \"--\": holdfast set -- KEY -VALUE",
		Flags: []cli.Flag{
			ttlFlag(),
			&cli.StringFlag{Name: "swap-with-value", Usage: "only if the present value is `VALUE`", Local: true},
			&cli.Uint64Flag{Name: "swap-with-index", Usage: "only if last modified at `INDEX`", Local: true},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			key, value, err := keyAndValue(cmd)
			if err != nil {
				return err
			}
			form := valueForm(cmd, value)
			addConditions(cmd, form, "swap-with-value", "swap-with-index")
			return keyWrite{method: http.MethodPut, key: key, form: form}.send(ctx, cmd)
		},
	}
}

// addConditions adds the conditions that were given. An empty value given is
// a condition too, which the store refuses: better than dropping it, as an
// unset shell variable would then overwrite without comparing.
func addConditions(cmd *cli.Command, to url.Values, valueFlag, indexFlag string) {
	if cmd.IsSet(valueFlag) {
		to.Set("prevValue", cmd.String(valueFlag))
	}
	if index := cmd.Uint64(indexFlag); index > 0 {
		to.Set("prevIndex", strconv.FormatUint(index, 10))
	}
}

func mkCommand() *cli.Command {
	return &cli.Command{
		Name: "mk", Category: categoryKeys,
		Usage:     "write a key that must not exist yet",
		ArgsUsage: "KEY [VALUE]",
		Flags: []cli.Flag{
			ttlFlag(),
			&cli.BoolFlag{Name: "in-order", Usage: "make a key with the next number in the directory KEY", Local: true},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			key, value, err := keyAndValue(cmd)
			if err != nil {
				return err
			}
			kw := keyWrite{method: http.MethodPut, key: key, form: valueForm(cmd, value)}
			if cmd.Bool("in-order") {
				kw.method = http.MethodPost
			} else {
				kw.form.Set("prevExist", "false")
			}
			return kw.send(ctx, cmd)
		},
	}
}

func updateCommand() *cli.Command {
	return &cli.Command{
		Name: "update", Category: categoryKeys,
		Usage:     "write a key that must exist",
		ArgsUsage: "KEY [VALUE]",
		Flags:     []cli.Flag{ttlFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			key, value, err := keyAndValue(cmd)
			if err != nil {
				return err
			}
			form := valueForm(cmd, value)
			form.Set("prevExist", "true")
			return keyWrite{method: http.MethodPut, key: key, form: form}.send(ctx, cmd)
		},
	}
}

// dirCommand is one of the three that write a directory; prevExist is empty
// where it does not matter whether it exists.
func dirCommand(name, text, prevExist string) *cli.Command {
	return &cli.Command{
		Name: name, Category: categoryKeys, Usage: text, ArgsUsage: "KEY",
		Flags: []cli.Flag{ttlFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args, err := arguments(cmd, 1, 1, "KEY")
			if err != nil {
				return err
			}
			form := url.Values{"dir": {"true"}}
			addTTL(cmd, form)
			if prevExist != "" {
				form.Set("prevExist", prevExist)
			}
			return keyWrite{method: http.MethodPut, key: args[0], form: form, silent: true}.send(ctx, cmd)
		},
	}
}

func mkdirCommand() *cli.Command {
	return dirCommand("mkdir", "make a directory that must not exist yet", "false")
}

func setdirCommand() *cli.Command {
	return dirCommand("setdir", "make a directory, in place of a key if need be", "")
}

func updatedirCommand() *cli.Command {
	return dirCommand("updatedir", "give a directory that exists a new time to live", "true")
}

func rmCommand() *cli.Command {
	return &cli.Command{
		Name: "rm", Category: categoryKeys,
		Usage: "remove a key or a directory", ArgsUsage: "KEY",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dir", Usage: "remove an empty directory too", Local: true},
			recursiveFlag("remove a directory with all that is below it"),
			&cli.StringFlag{Name: "with-value", Usage: "only if the value is `VALUE`", Local: true},
			&cli.Uint64Flag{Name: "with-index", Usage: "only if last modified at `INDEX`", Local: true},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args, err := arguments(cmd, 1, 1, "KEY")
			if err != nil {
				return err
			}
			query := url.Values{}
			for _, name := range []string{"dir", "recursive"} {
				if cmd.Bool(name) {
					query.Set(name, "true")
				}
			}
			addConditions(cmd, query, "with-value", "with-index")
			return keyWrite{method: http.MethodDelete, key: args[0], query: query}.send(ctx, cmd)
		},
	}
}

func rmdirCommand() *cli.Command {
	return &cli.Command{
		Name: "rmdir", Category: categoryKeys,
		Usage: "remove an empty directory or a key", ArgsUsage: "KEY",
		Action: func(ctx context.Context, cmd *cli.Command) error {
			args, err := arguments(cmd, 1, 1, "KEY")
			if err != nil {
				return err
			}
			query := url.Values{"dir": {"true"}}
			return keyWrite{method: http.MethodDelete, key: args[0], query: query}.send(ctx, cmd)
		},
	}
}
