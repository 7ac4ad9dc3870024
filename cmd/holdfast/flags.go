package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
)

const (
	defaultEndpoint = "http://127.0.0.1:2379"
	defaultTimeout  = 5 * time.Second
)

// Output formats, as etcdctl names them.
const (
	formatSimple   = "simple"
	formatExtended = "extended"
	formatJSON     = "json"
)

// clientFlags are understood by every command that asks a server, before or
// after the command's name.
func clientFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{
			Name: "endpoints", Aliases: []string{"endpoint", "peers", "C"},
			Usage:   "comma-separated `URLS` of members, asked in this order",
			Value:   defaultEndpoint,
			Sources: cli.EnvVars("HOLDFAST_ENDPOINTS"),
		},
		&cli.DurationFlag{
			Name:    "timeout",
			Usage:   "`TIME` a command may take; a watch or a snapshot: to begin",
			Value:   defaultTimeout,
			Sources: cli.EnvVars("HOLDFAST_TIMEOUT"),
			Validator: func(d time.Duration) error {
				if d <= 0 {
					return errors.New("must be above zero, like 5s")
				}
				return nil
			},
		},
		&cli.StringFlag{
			Name: "output", Aliases: []string{"o"},
			Usage:   "`FORMAT` of results: simple, extended or json",
			Value:   formatSimple,
			Sources: cli.EnvVars("HOLDFAST_OUTPUT"),
			Validator: func(format string) error {
				switch format {
				case formatSimple, formatExtended, formatJSON:
					return nil
				}
				return fmt.Errorf("%q is no format: simple, extended or json", format)
			},
		},
		&cli.BoolFlag{Name: "json", Usage: "print the server's JSON answer, short for --output json"},
	}
}

func outputFormat(cmd *cli.Command) string {
	if cmd.Bool("json") {
		return formatJSON
	}
	return cmd.String("output")
}

// newClient makes the client that the flags describe.
func newClient(cmd *cli.Command) (*client.Client, error) {
	c, err := client.New(strings.Split(cmd.String("endpoints"), ","), cmd.Duration("timeout"))
	if err != nil {
		return nil, usage(cmd, "--endpoints: %v", err)
	}
	return c, nil
}

// ttlFlag is the --ttl of the writing commands.
func ttlFlag() cli.Flag {
	return &cli.Int64Flag{
		Name: "ttl", Usage: "remove it after so many `SECONDS`; 0: never", Local: true,
		Validator: func(seconds int64) error {
			if seconds < 0 {
				return errors.New("must not be negative")
			}
			return nil
		},
	}
}

func recursiveFlag(usage string) cli.Flag {
	return &cli.BoolFlag{Name: "recursive", Aliases: []string{"r"}, Usage: usage, Local: true}
}

func sortFlag() cli.Flag {
	return &cli.BoolFlag{Name: "sort", Usage: "print in the order of the keys", Local: true}
}

func quorumFlag() cli.Flag {
	return &cli.BoolFlag{
		Name: "quorum", Aliases: []string{"q"}, Local: true,
		Usage: "see every write acknowledged before, at the price of asking a majority",
	}
}

// arguments checks the number of arguments; most < 0 is no limit. names calls
// the required ones by name for the message.
func arguments(cmd *cli.Command, least, most int, names ...string) ([]string, error) {
	args := cmd.Args().Slice()
	if len(args) < least {
		return nil, usage(cmd, "%s is missing", names[len(args)])
	}
	if most >= 0 && len(args) > most {
		return nil, usage(cmd, "argument %q is one too many", args[most])
	}
	return args, nil
}
