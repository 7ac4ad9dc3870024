//go:build !linux

package main

import (
	"io"

	"github.com/urfave/cli/v3"
)

// soakCommands are none where nobody tells what a process holds.
func soakCommands(io.Writer, io.Writer) []*cli.Command { return nil }
