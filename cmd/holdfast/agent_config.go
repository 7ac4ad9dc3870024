package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/urfave/cli/v3"
	"gopkg.in/yaml.v3"
)

// maxConfigBytes bounds the configuration file.
const maxConfigBytes = 1 << 20

// checkConfigFile refuses a file that the flags would look into in vain: the
// library takes an unreadable file for an empty one and passes over a
// misspelt name.
func checkConfigFile(cmd *cli.Command, path string) error {
	if path == "" {
		return nil
	}
	settings, err := readConfigFile(path)
	if err != nil {
		return usageFailure("--config "+path, err, "correct the file or leave the flag out")
	}
	for i := 0; i+1 < len(settings.Content); i += 2 {
		name, value := settings.Content[i], settings.Content[i+1]
		where := fmt.Sprintf("--config %s, line %d", path, name.Line)
		if name.Value == "config" || !slices.ContainsFunc(cmd.Flags, func(f cli.Flag) bool {
			return slices.Contains(f.Names(), name.Value)
		}) {
			return usageFailure(where, fmt.Errorf("no setting is called %q", name.Value),
				`see "holdfast agent --help" for the names`)
		}
		if value.Kind == yaml.MappingNode {
			return usageFailure(where, fmt.Errorf("%s takes a value or a list of values", name.Value),
				"write it as the flag's text")
		}
	}
	return nil
}

// readConfigFile gives the file's top-level mapping, an empty one for an empty
// file.
func readConfigFile(path string) (*yaml.Node, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Unwrap(err) // the path is in the message already
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxConfigBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if len(content) > maxConfigBytes {
		return nil, fmt.Errorf("longer than %d bytes", maxConfigBytes)
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	if document.Kind == 0 {
		return &document, nil
	}
	top := document.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, errors.New("not a list of \"name: value\" lines")
	}
	// Decoding finds what parsing alone passes over, duplicate names above all.
	if err := document.Decode(&map[string]any{}); err != nil {
		return nil, err
	}
	return top, nil
}

// usageFailure is a wrong call by way of the file.
func usageFailure(where string, cause error, advice string) error {
	return &usageError{fail("agent", where, cause, advice).Error()}
}
