package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v3"
)

// version is the release this tree is or will become. It stands in the source
// and not in linker flags, so that the same source gives the same bytes.
const version = "0.1.0-dev"

// apiVersion is the version of etcd's API that is served and spoken.
const apiVersion = "2"

func versionCommand() *cli.Command {
	return &cli.Command{
		Name: "version", Category: categoryLocal,
		Usage: "print the version of this program",
		Action: func(_ context.Context, cmd *cli.Command) error {
			if _, err := arguments(cmd, 0, 0); err != nil {
				return err
			}
			if outputFormat(cmd) != formatJSON {
				return printVersion(cmd.Root().Writer)
			}
			answer, err := json.Marshal(map[string]string{
				"holdfast": version, "api": apiVersion, "revision": revision(), "go": runtime.Version(),
			})
			if err != nil {
				return fmt.Errorf("encode version: %w", err)
			}
			return printRaw(cmd.Root().Writer, answer)
		},
	}
}

func printVersion(w io.Writer) error {
	return write(w, fmt.Appendf(nil, "holdfast version: %s\nAPI version: %s\nrevision: %s\n%s\n",
		version, apiVersion, revision(), runtime.Version()))
}

// revision is the commit the Go tool built, "-dirty" with changes on top, or
// "unknown" outside version control.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	name, suffix := "unknown", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			name = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			suffix = "-dirty"
		}
	}
	return name + suffix
}
