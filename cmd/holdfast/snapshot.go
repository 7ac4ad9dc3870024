package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v3"

	"holdfast/cmd/holdfast/internal/client"
	"holdfast/kernel"
	"holdfast/kernel/archive"
)

func snapshotCommand() *cli.Command {
	return &cli.Command{
		Name: "snapshot", Category: categoryCluster,
		Usage:  "save the whole store in a file, and look into one",
		Action: groupAction,
		Commands: []*cli.Command{
			{
				Name: "save", Usage: "save the store, as it is at this moment, in FILE",
				ArgsUsage: "FILE",
				Description: "The file is written beside FILE, checked, synced, and only then takes its name;\n" +
					"what FILE held before is replaced. It holds all keys and values: only you may read it.",
				Flags: []cli.Flag{
					&cli.BoolFlag{Name: "stale", Usage: "take what the member asked has, however old, even without a leader", Local: true},
				},
				Action: snapshotSave,
			},
			{
				Name: "inspect", Usage: "check the snapshot in FILE and print what it holds",
				ArgsUsage: "FILE",
				Action:    snapshotInspect,
			},
		},
	}
}

func snapshotSave(ctx context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, 1, 1, "FILE")
	if err != nil {
		return err
	}
	c, err := newClient(cmd)
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The file before the question: no member makes an archive for nothing.
	file, err := createBeside(args[0])
	if err != nil {
		return fail("snapshot save", args[0], err, "name a file in a directory that you may write to")
	}
	defer file.discard()
	from, err := c.Snapshot(ctx, cmd.Bool("stale"))
	if err != nil {
		return failSave(c, err, cmd.Bool("stale"))
	}
	defer from.Close()
	about, _, err := archive.Verify(io.TeeReader(from, file))
	if err != nil {
		return fail("snapshot save", from.Endpoint, err, adviseSave(err, file.failed))
	}
	if err := file.keep(); err != nil {
		return fail("snapshot save", args[0], err, "see to the disk and the room on it, then save again")
	}
	if outputFormat(cmd) == formatJSON {
		return printJSON(cmd.Root().Writer, about)
	}
	return write(cmd.Root().Writer, fmt.Appendf(nil, "Saved and verified snapshot to index %d\n", about.Index))
}

// failSave words a failure before anything came. Without a leader a member refuses
// after a while, or longer than the command waits.
func failSave(c *client.Client, err error, stale bool) error {
	var refusal *client.StoreError
	var unreachable *client.UnreachableError
	switch {
	case errors.As(err, &refusal) && stale:
		return fail("snapshot save", refusal.Endpoint, err, "try again, or name another member with --endpoints")
	case errors.As(err, &refusal):
		return fail("snapshot save", refusal.Endpoint, err, "try again, or take what a member has with --stale")
	case errors.As(err, &unreachable) && !stale:
		return fail("snapshot save", unreachable.Endpoints(), err, "is the store running, and has it a leader? name its address with --endpoints, or take what a member has with --stale")
	}
	return failRequest("snapshot save", c, err)
}

// adviseSave says what to do about an archive that did not come whole.
func adviseSave(err error, disk bool) string {
	switch {
	case disk:
		return "nothing was saved; see to the disk and the room on it, then try again"
	case errors.Is(err, kernel.ErrNewerVersion):
		return "nothing was saved; save with a holdfast as new as the store's"
	case errors.Is(err, archive.ErrDamaged):
		return "nothing was saved; is it a store's client address, with nothing in between?"
	}
	return "nothing was saved; try again"
}

func snapshotInspect(_ context.Context, cmd *cli.Command) error {
	args, err := arguments(cmd, 1, 1, "FILE")
	if err != nil {
		return err
	}
	file, err := os.Open(args[0])
	if err != nil {
		return fail("snapshot inspect", args[0], plainPath(err), `name a file that "holdfast snapshot save" made`)
	}
	defer file.Close()
	about, found, err := archive.Verify(file)
	if err != nil {
		advice := `do not restore it; name a file that "holdfast snapshot save" made`
		if errors.Is(err, kernel.ErrNewerVersion) {
			advice = "inspect it with a holdfast as new as its maker"
		}
		return fail("snapshot inspect", args[0], plainPath(err), advice)
	}
	if outputFormat(cmd) == formatJSON {
		return printJSON(cmd.Root().Writer, struct {
			archive.Meta
			Holds map[string]kernel.Tally
		}{about, map[string]kernel.Tally{
			"Members": found.Members, "RemovedMembers": found.Removed, "Directories": found.Dirs,
			"Keys": found.Keys, "WithTTL": found.WithTTL, "Events": found.Events,
		}})
	}
	return write(cmd.Root().Writer, describeSnapshot(about, found))
}

// describeSnapshot prints the fields that Consul prints, and our own.
func describeSnapshot(about archive.Meta, found *kernel.Survey) []byte {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 8, 6, ' ', 0)
	for _, field := range []struct {
		name  string
		value any
	}{
		{"ID", about.ID}, {"Size", about.Size}, {"Index", about.Index}, {"Term", about.Term}, {"Version", about.Version},
		{"StoreIndex", about.StoreIndex}, {"ClusterID", about.ClusterID}, {"Taken", about.Taken.UTC().Format(time.RFC3339)},
	} {
		fmt.Fprintf(w, "%s\t%v\n", field.name, field.value)
	}
	fmt.Fprintf(w, "\nType\tCount\tSize\n")
	for _, kind := range []struct {
		name  string
		tally kernel.Tally
	}{
		{"Members", found.Members}, {"Removed members", found.Removed}, {"Directories", found.Dirs}, {"Keys", found.Keys},
		{"  of both with TTL", found.WithTTL}, {"Events", found.Events},
	} {
		fmt.Fprintf(w, "%s\t%d\t%d\n", kind.name, kind.tally.Count, kind.tally.Bytes)
	}
	_ = w.Flush() // a buffer takes everything
	return text.Bytes()
}

func printJSON(w io.Writer, value any) error {
	answer, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return printRaw(w, answer)
}
