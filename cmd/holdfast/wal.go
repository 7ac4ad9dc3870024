package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v3"

	"holdfast/wal"
)

func walCommand() *cli.Command {
	return &cli.Command{
		Name: "wal", Category: categoryLocal,
		Usage:  "look into a member's log without starting it",
		Action: groupAction,
		Commands: []*cli.Command{
			{
				Name: "inspect", Usage: "print each file, what it holds and what is wrong with it",
				ArgsUsage: "DIR", Description: "DIR is a data directory, or the raft directory in one. Nothing is changed.",
				Action: walInspect,
			},
			{
				Name: "verify", Usage: "read everything and report the first damage",
				ArgsUsage: "DIR", Description: "DIR is a data directory, or the raft directory in one. Nothing is changed.\n" +
					"On a member that runs, an entry being written may look like an interrupted write.",
				Action: walVerify,
			},
		},
	}
}

func walInspect(_ context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, 1, 1, "DIR")
	if err != nil {
		return err
	}
	if err := wal.Inspect(cmd.Root().Writer, args[0]); err != nil {
		return fmt.Errorf("wal %w", err)
	}
	return nil
}

func walVerify(_ context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, 1, 1, "DIR")
	if err != nil {
		return err
	}
	report, err := wal.Verify(args[0])
	if err != nil {
		return fmt.Errorf("wal %w", err)
	}
	if outputFormat(cmd) == formatJSON {
		answer, err := json.Marshal(report)
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		return printRaw(cmd.Root().Writer, answer)
	}
	return write(cmd.Root().Writer, describeReport(report))
}

// describeReport says what an intact directory holds, a line each.
func describeReport(report wal.Report) []byte {
	var text bytes.Buffer
	switch {
	case report.Reset != 0:
		fmt.Fprintf(&text, "log: being reset to start with entry %d\n", report.Reset)
	case report.LastIndex == 0:
		fmt.Fprintf(&text, "log: no entries\n")
	default:
		fmt.Fprintf(&text, "log: entries %d to %d, %d bytes in %d segments\n",
			report.FirstIndex, report.LastIndex, report.Bytes, report.Segments)
	}
	if report.Torn != "" {
		fmt.Fprintf(&text, "log: an interrupted write at its end, which the next start cuts off: %s\n", report.Torn)
	}
	fmt.Fprintf(&text, "term: %d\n", report.Term)
	for _, snapshot := range report.Snapshots {
		fmt.Fprintf(&text, "snapshot: %s\n", snapshot)
	}
	for _, note := range report.Notes {
		fmt.Fprintf(&text, "note: %s\n", note)
	}
	text.WriteString("no damage found\n")
	return text.Bytes()
}
