//go:build wasip1

package main

import (
	"fmt"
	"os"

	"holdfast/sim/client"
	"holdfast/sim/internal/note"
	"holdfast/transport"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("guest: no role; expect member or client")
	}
	switch args[0] {
	case "member":
		return member(args[1:])
	case "client":
		cfg, err := client.ParseArgs(args[1:])
		if err != nil {
			return err
		}
		return client.Run(transport.Sim(), cfg, note.Writer(note.History))
	}
	return fmt.Errorf("guest: role %q; expect member or client", args[0])
}
