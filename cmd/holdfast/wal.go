package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"
)

func walCommand() *cli.Command {
	return &cli.Command{
		Name: "wal", Category: categoryLocal,
		Usage:  "look into a member's log without starting it",
		Action: groupAction,
		Commands: []*cli.Command{{
			Name: "inspect", Usage: "print the log", ArgsUsage: "DIR",
			Action: func(context.Context, *cli.Command) error { return errors.New("wal: not wired") },
		}},
	}
}
