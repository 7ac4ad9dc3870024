package patch

import (
	"errors"
	"fmt"
	"strings"
)

// ErrStale is wrapped by errors about edits whose text is not, or not exactly once, in the file: the source has changed
// since they were written.
var ErrStale = errors.New("the source has changed: bring the edit up to date")

// GOROOT is the Module of the standard library's files; paths are relative to its src.
const GOROOT = "GOROOT"

// Edit replaces a piece of a source file.
type Edit struct {
	// Module is the path of the module that holds the file; empty: the main module; or GOROOT.
	Module string
	// File is the file's path in the module, with slashes.
	File string
	// Old is the text that must occur exactly once in the file, New what takes its place. Edits of one file see what those
	// before them have left.
	Old, New string
}

// Apply gives content with the edit made. Any error wraps ErrStale.
func (e Edit) Apply(content string) (string, error) {
	switch n := strings.Count(content, e.Old); {
	case e.Old == "":
		return "", fmt.Errorf("edit %s: no text to look for: %w", e.name(), ErrStale)
	case n != 1:
		return "", fmt.Errorf("edit %s: found %d times instead of once: %w; looked for:\n%s", e.name(), n, ErrStale, e.Old)
	}
	return strings.Replace(content, e.Old, e.New, 1), nil
}

func (e Edit) name() string {
	if e.Module == "" {
		return e.File
	}
	return e.Module + ": " + e.File
}
