package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"holdfast/sim/patch"
)

// GuestPackage is the production guest: a member, or a process of clients.
const GuestPackage = "holdfast/sim/guest"

// ErrBuild is wrapped by errors of BuildGuest.
var ErrBuild = errors.New("build guest")

// Build says how a guest module is built.
type Build struct {
	Package string // GuestPackage, unless it is a test's
	Out     string // the file to write
	Overlay string // a file for go build -overlay: faults planted in our sources; empty: none
	Modfile string // another go.mod: faults planted in dependencies; empty: none
	Dir     string // where in the module to build; empty: the working directory
	// Edits are faults planted in sources, ours or others'. They join Overlay and Modfile.
	Edits []patch.Edit
	// PlainScheduler leaves the guest's runtime as the Go project made it: its goroutines then take turns in the order in which
	// they became ready, for every seed. Otherwise see scheduler.
	PlainScheduler bool
}

// BuildGuest compiles a guest with the go command. The module's bytes depend on the sources and the Go version only, not on
// the directory, its history or the environment: the same run must be had from another clone.
func BuildGuest(ctx context.Context, b Build) error {
	out, err := filepath.Abs(b.Out)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBuild, b.Out, err)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("%w: %w", ErrBuild, err)
	}
	edits := b.Edits
	if !b.PlainScheduler {
		edits = slices.Concat(scheduler, edits)
	}
	dir, err := os.MkdirTemp("", "holdfast-guest")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBuild, err)
	}
	defer os.RemoveAll(dir)
	flags, err := patch.Write(ctx, dir, patch.Sources{Dir: b.Dir, Overlay: b.Overlay, Modfile: b.Modfile}, edits)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBuild, err)
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out}
	if flags.Overlay != "" {
		args = append(args, "-overlay", flags.Overlay)
	}
	if flags.Modfile != "" {
		args = append(args, "-modfile", flags.Modfile)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, b.Package)...)
	cmd.Dir = b.Dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=", "GOWASM=", "GOEXPERIMENT=", "GOWORK=off")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s: %w\n%s", ErrBuild, b.Package, err, bytes.TrimSpace(said.Bytes()))
	}
	return nil
}
