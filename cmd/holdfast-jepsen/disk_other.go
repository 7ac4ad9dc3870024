//go:build !unix

package main

import (
	"io"

	"github.com/urfave/cli/v3"
)

// diskCommands are none where processes and files have no numbers to go by.
func diskCommands(io.Writer, io.Writer) []*cli.Command { return nil }
