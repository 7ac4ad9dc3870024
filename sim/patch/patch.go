package patch

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrConflict is wrapped by the error about a file that both an edit and a given overlay would change.
var ErrConflict = errors.New("changed twice")

// Sources says what is to be changed.
type Sources struct {
	Dir     string // somewhere in the main module; empty: the working directory
	Overlay string // a file for go build -overlay to start from, with paths from Dir; empty: none
	Modfile string // another go.mod to start from, its go.sum beside it; empty: the module's own
}

// Flags are files for the flags of the go command of the same names; empty: not needed.
type Flags struct {
	Overlay, Modfile string
}

// virtualDir is where, in the main module, a replaced module seems to lie. Nothing is ever written there.
const virtualDir = ".patched"

// Write writes what a build with the edits needs into the directory into, which must last as long as the build. Errors wrap
// ErrStale, ErrConflict, or what the go command or the disk said.
func Write(ctx context.Context, into string, s Sources, edits []Edit) (Flags, error) {
	into, err := filepath.Abs(into)
	if err != nil {
		return Flags{}, fmt.Errorf("patch: %w", err)
	}
	f, err := s.apply(ctx, edits)
	if err != nil {
		return Flags{}, fmt.Errorf("patch: %w", err)
	}
	flags, err := f.write(into, s)
	if err != nil {
		return Flags{}, fmt.Errorf("patch: %w", err)
	}
	return flags, nil
}

// Check tells whether Write would accept the edits.
func Check(ctx context.Context, s Sources, edits []Edit) error {
	if _, err := s.apply(ctx, edits); err != nil {
		return fmt.Errorf("patch: %w", err)
	}
	return nil
}

// patched is the outcome of edits, in memory.
type patched struct {
	main    string // the main module's root
	gomod   string // its go.mod, or the one given instead
	replace map[string]string
	changed map[string]string // content, by the path that it takes the place of
	moved   []module          // modules of which a file was changed, by path
}

// module is a module or GOROOT, and where it lies.
type module struct {
	path, version, dir string
}

func (s Sources) apply(ctx context.Context, edits []Edit) (*patched, error) {
	p := &patched{changed: map[string]string{}}
	var err error
	if p.replace, err = s.given(); err != nil {
		return nil, err
	}
	dirs, err := s.locate(ctx, p, edits)
	if err != nil {
		return nil, err
	}
	for _, e := range edits {
		path := filepath.Join(dirs[e.Module].dir, filepath.FromSlash(e.File))
		if by, ok := p.replace[path]; ok {
			return nil, fmt.Errorf("edit %s: the given overlay puts %s in its place: %w; leave the file out of one of the two", e.name(), by, ErrConflict)
		}
		content, seen := p.changed[path]
		if !seen {
			b, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("edit %s: %w", e.name(), err)
			}
			content = string(b)
		}
		if p.changed[path], err = e.Apply(content); err != nil {
			return nil, err
		}
		m := dirs[e.Module]
		if m.version != "" && !slices.Contains(p.moved, m) {
			p.moved = append(p.moved, m)
		}
	}
	slices.SortFunc(p.moved, func(a, b module) int { return cmp.Compare(a.path, b.path) })
	return p, nil
}

// overlay is the go command's form of one.
type overlay struct {
	Replace map[string]string
}

// given reads the overlay to start from. Its paths become absolute, as the go command takes them: from where it runs.
func (s Sources) given() (map[string]string, error) {
	if s.Overlay == "" {
		return map[string]string{}, nil
	}
	b, err := os.ReadFile(s.Overlay)
	if err != nil {
		return nil, fmt.Errorf("read the given overlay: %w", err)
	}
	var o overlay
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, fmt.Errorf("read the given overlay: %s: %w", s.Overlay, err)
	}
	base, err := filepath.Abs(s.Dir)
	if err != nil {
		return nil, fmt.Errorf("read the given overlay: %w", err)
	}
	whole := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(base, path)
	}
	replace := map[string]string{}
	for path, by := range o.Replace {
		replace[whole(path)] = whole(by)
	}
	return replace, nil
}

// locate asks the go command where the modules of edits lie.
func (s Sources) locate(ctx context.Context, p *patched, edits []Edit) (map[string]module, error) {
	out, err := s.run(ctx, "env", "GOROOT", "GOMOD")
	if err != nil {
		return nil, err
	}
	goroot, gomod, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if gomod == "" || gomod == os.DevNull {
		return nil, fmt.Errorf("%s: no go.mod here or above", cmp.Or(s.Dir, "."))
	}
	p.main, p.gomod = filepath.Dir(gomod), gomod
	dirs := map[string]module{"": {dir: p.main}, GOROOT: {dir: filepath.Join(goroot, "src")}}
	args := []string{"list", "-m", "-f", "{{.Path}}\t{{.Version}}\t{{.Dir}}"}
	if s.Modfile != "" {
		if p.gomod, err = filepath.Abs(s.Modfile); err != nil {
			return nil, err
		}
		args = append(args, "-modfile", p.gomod)
	}
	known := len(args)
	for _, e := range edits {
		if _, ok := dirs[e.Module]; !ok && !slices.Contains(args[known:], e.Module) {
			args = append(args, e.Module)
		}
	}
	if len(args) == known {
		return dirs, nil
	}
	if out, err = s.run(ctx, args...); err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 && f[2] != "" {
			dirs[f[0]] = module{path: f[0], version: f[1], dir: f[2]}
		}
	}
	for _, path := range args[known:] {
		if _, ok := dirs[path]; !ok {
			return nil, fmt.Errorf("module %s: its sources are not here; run go mod download", path)
		}
	}
	return dirs, nil
}

func (s Sources) run(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = s.Dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
	return out.String(), nil
}

func (p *patched) write(into string, s Sources) (Flags, error) {
	var flags Flags
	for i, path := range slices.Sorted(maps.Keys(p.changed)) {
		to := filepath.Join(into, fmt.Sprintf("%03d-%s", i, filepath.Base(path)))
		if err := os.WriteFile(to, []byte(p.changed[path]), 0o600); err != nil {
			return Flags{}, err
		}
		p.replace[path] = to
	}
	for _, m := range p.moved {
		if err := p.move(m); err != nil {
			return Flags{}, err
		}
	}
	if len(p.replace) > 0 {
		b, err := json.MarshalIndent(overlay{p.replace}, "", "\t")
		if err != nil {
			return Flags{}, err
		}
		flags.Overlay = filepath.Join(into, "overlay.json")
		if err := os.WriteFile(flags.Overlay, b, 0o600); err != nil {
			return Flags{}, err
		}
	}
	var err error
	switch {
	case len(p.moved) > 0:
		flags.Modfile, err = p.writeModfile(into)
	case s.Modfile != "":
		flags.Modfile = p.gomod
	}
	return flags, err
}

// virtual is where a moved module seems to lie, from the main module's root.
func (m module) virtual() string { return "./" + virtualDir + "/" + m.path }

// move makes a module's files appear in its virtual directory: the changed ones changed, the others as they are.
func (p *patched) move(m module) error {
	return filepath.WalkDir(m.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") {
			return err
		}
		rel, err := filepath.Rel(m.dir, path)
		if err != nil {
			return err
		}
		by, changed := p.replace[path]
		if !changed {
			by = path
		}
		delete(p.replace, path) // it would be refused: the path lies in the module cache
		p.replace[filepath.Join(p.main, filepath.FromSlash(m.virtual()), rel)] = by
		return nil
	})
}

// writeModfile copies go.mod and go.sum and adds the replacements.
func (p *patched) writeModfile(into string) (string, error) {
	mod, err := os.ReadFile(p.gomod)
	if err != nil {
		return "", err
	}
	sum, err := os.ReadFile(strings.TrimSuffix(p.gomod, ".mod") + ".sum")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	mod = append(mod, '\n')
	for _, m := range p.moved {
		mod = fmt.Appendf(mod, "replace %s %s => %s\n", m.path, m.version, strconv.Quote(m.virtual()))
	}
	to := filepath.Join(into, "patched.mod")
	if err := os.WriteFile(to, mod, 0o600); err != nil {
		return "", err
	}
	return to, os.WriteFile(filepath.Join(into, "patched.sum"), sum, 0o600)
}
