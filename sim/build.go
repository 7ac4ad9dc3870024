package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// GuestPackage is the production guest: a member, or a process of clients.
const GuestPackage = "holdfast/sim/guest"

// ErrBuild is wrapped by errors of BuildGuest.
var ErrBuild = errors.New("build guest")

// Build says how a guest module is built.
type Build struct {
	Package string // GuestPackage, unless it is a test's
	Out     string // the file to write
	Overlay string // a file for go build -overlay: faults planted in our sources, or a patched runtime; empty: none
	Modfile string // another go.mod: faults planted in dependencies; empty: none
	Dir     string // where in the module to build; empty: the working directory
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
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", out}
	if b.Overlay != "" {
		args = append(args, "-overlay", b.Overlay)
	}
	if b.Modfile != "" {
		args = append(args, "-modfile", b.Modfile)
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
