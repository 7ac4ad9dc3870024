package process

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoEtcd says that no etcd is installed to compare with.
var ErrNoEtcd = errors.New("etcd: not found in PATH; install it with: apt-get install etcd-server")

// Program is a daemon to run.
type Program struct {
	// Title names the program in errors.
	Title string
	// Path is the executable; Lead are the arguments before all others.
	Path string
	Lead []string
	// Ops tells whether the program takes --listen-ops-urls.
	Ops bool
	// V3 says that the program has etcd's v3 API only. Members of it cannot be
	// asked for their leader here.
	V3 bool
}

// Holdfast is the daemon in the executable at path.
func Holdfast(path string) Program {
	return Program{Title: "holdfast", Path: path, Lead: []string{"agent"}, Ops: true}
}

// BuildHoldfast builds the daemon of this module into dir, with build tags if
// any are named. It must be called from inside the module, as tests are.
func BuildHoldfast(dir string, tags ...string) (Program, error) {
	path := filepath.Join(dir, "holdfast")
	out, err := exec.Command("go", "build", "-tags", strings.Join(tags, ","), "-o", path, "holdfast/cmd/holdfast").CombinedOutput()
	if err != nil {
		return Program{}, fmt.Errorf("build holdfast: %w; see:\n%s", err, out)
	}
	return Holdfast(path), nil
}

// Etcd is the etcd installed on this machine, with its v2 API on. The error is
// [ErrNoEtcd] if there is none.
func Etcd() (Program, error) {
	path, err := exec.LookPath("etcd")
	if err != nil {
		return Program{}, ErrNoEtcd
	}
	return Program{Title: "etcd", Path: path, Lead: []string{"--enable-v2=true"}}, nil
}

// FromPath is the program in the executable at path: etcd if that is its file
// name, etcd 3.6 if that is "etcd36", and Holdfast otherwise.
func FromPath(path string) (Program, error) {
	full, err := exec.LookPath(path)
	if err != nil {
		return Program{}, fmt.Errorf("find daemon: %w; build it with: make build", err)
	}
	if full, err = filepath.Abs(full); err != nil {
		return Program{}, fmt.Errorf("find daemon: %w", err)
	}
	if _, err := os.Stat(full); err != nil {
		return Program{}, fmt.Errorf("find daemon: %w", err)
	}
	switch filepath.Base(full) {
	case "etcd":
		return Program{Title: "etcd", Path: full, Lead: []string{"--enable-v2=true"}}, nil
	case "etcd36":
		return Program{Title: "etcd 3.6", Path: full, V3: true}, nil
	}
	return Holdfast(full), nil
}
