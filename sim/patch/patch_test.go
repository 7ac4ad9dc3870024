package patch

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestApply(t *testing.T) {
	for name, c := range map[string]struct {
		content, old, want string
	}{
		"once":  {"a b c", "b", "a x c"},
		"gone":  {"a c", "b", ""},
		"twice": {"a b b", "b", ""},
		"empty": {"a b", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Edit{Module: "m", File: "f.go", Old: c.old, New: "x"}.Apply(c.content)
			assert.Equal(t, c.want, got)
			if c.want == "" {
				require.ErrorIs(t, err, ErrStale)
				assert.ErrorContains(t, err, "m: f.go")
			}
		})
	}
}

// tree is a main module with a dependency that this module has too.
func tree(t *testing.T) string {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module main.test\n\ngo 1.26.0\n\nrequire github.com/cespare/xxhash/v2 v2.3.0\n",
		"go.sum": "github.com/cespare/xxhash/v2 v2.3.0 h1:UL815xU9SqsFlibzuggzjXhog7bL6oX9BbNZnL2UFvs=\n" +
			"github.com/cespare/xxhash/v2 v2.3.0/go.mod h1:VGX0DQ3Q6kWi7AoAeZDth3/j3BFtOZR5XLFGgcrjCOs=\n",
		"main.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"strconv\"\n\n\t\"github.com/cespare/xxhash/v2\"\n)\n\n" +
			"func main() { fmt.Println(\"ours\", strconv.Itoa(7), xxhash.Sum64String(\"a\")) }\n",
		"other.go": "package main\n\nvar Other = 1\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
	}
	return dir
}

var everywhere = []Edit{
	{File: "main.go", Old: `"ours"`, New: `"changed"`},
	{File: "main.go", Old: `"changed", `, New: `"changed twice", `},
	{Module: GOROOT, File: "strconv/number.go", Old: "func Itoa(i int) string {\n", New: "func Itoa(i int) string {\n\ti++\n"},
	{Module: "github.com/cespare/xxhash/v2", File: "xxhash.go", Old: "\tprime1 uint64 = 11400714785074694791", New: "\tprime1 uint64 = 3"},
}

// build builds the tree with edits and gives the program.
func build(t *testing.T, dir string, s Sources, edits []Edit) string {
	s.Dir = dir
	flags, err := Write(t.Context(), t.TempDir(), s, edits)
	require.NoError(t, err)
	out := filepath.Join(t.TempDir(), "program")
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-buildid=", "-tags=purego", "-o", out, "-overlay", flags.Overlay}
	if flags.Modfile != "" {
		args = append(args, "-modfile", flags.Modfile)
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, string(said))
	return out
}

// Files of ours, of GOROOT and of a dependency can be changed in one build, which leaves them as they are and which is the
// same from another directory.
func TestWrite(t *testing.T) {
	var programs [2]string
	for i := range programs {
		programs[i] = build(t, tree(t), Sources{}, everywhere)
	}
	said, err := exec.Command(programs[0]).Output()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(said), "changed twice 8 "), string(said))
	assert.NotContains(t, string(said), "15154266338359012955", "the digest of a by the true xxhash")
	first, err := os.ReadFile(programs[0])
	require.NoError(t, err)
	second, err := os.ReadFile(programs[1])
	require.NoError(t, err)
	assert.True(t, string(first) == string(second), "two builds differ")
	assert.NotContains(t, string(first), os.TempDir())
}

// A given overlay is kept, relative paths and all, unless it wants a file that an edit changes.
func TestWriteBesideAGivenOverlay(t *testing.T) {
	dir := tree(t)
	given := func(replace map[string]string) string {
		b, err := json.Marshal(overlay{replace})
		require.NoError(t, err)
		name := filepath.Join(t.TempDir(), "given.json")
		require.NoError(t, os.WriteFile(name, b, 0o600))
		return name
	}
	planted := filepath.Join(t.TempDir(), "other.go")
	require.NoError(t, os.WriteFile(planted, []byte("package main\n\nfunc init() { println(\"given\") }\n"), 0o600))

	program := build(t, dir, Sources{Overlay: given(map[string]string{"other.go": planted})}, everywhere)
	said, err := exec.Command(program).CombinedOutput()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(said), "given\nchanged twice 8 "), string(said))

	_, err = Write(t.Context(), t.TempDir(), Sources{Dir: dir, Overlay: given(map[string]string{"main.go": planted})}, everywhere)
	require.ErrorIs(t, err, ErrConflict)
	assert.ErrorContains(t, err, "main.go")

	bad := filepath.Join(t.TempDir(), "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte("{"), 0o600))
	require.ErrorContains(t, Check(t.Context(), Sources{Dir: dir, Overlay: bad}, nil), "bad.json")
}

// A given go.mod is where the replacement joins.
func TestWriteBesideAGivenModfile(t *testing.T) {
	dir := tree(t)
	other := filepath.Join(t.TempDir(), "other.mod")
	for _, ext := range []string{".mod", ".sum"} {
		b, err := os.ReadFile(filepath.Join(dir, "go"+ext))
		require.NoError(t, err)
		if ext == ".mod" {
			b = append(b, "// given\n"...)
		}
		require.NoError(t, os.WriteFile(strings.TrimSuffix(other, ".mod")+ext, b, 0o600))
	}
	flags, err := Write(t.Context(), t.TempDir(), Sources{Dir: dir, Modfile: other}, everywhere)
	require.NoError(t, err)
	mod, err := os.ReadFile(flags.Modfile)
	require.NoError(t, err)
	assert.Contains(t, string(mod), "// given\n")
	assert.Contains(t, string(mod), "replace github.com/cespare/xxhash/v2 v2.3.0 => ")

	flags, err = Write(t.Context(), t.TempDir(), Sources{Dir: dir, Modfile: other}, everywhere[:1])
	require.NoError(t, err)
	assert.Equal(t, other, flags.Modfile, "nothing to add to it")
}

func TestCheckFails(t *testing.T) {
	dir := tree(t)
	require.NoError(t, Check(t.Context(), Sources{Dir: dir}, everywhere))
	for name, c := range map[string]struct {
		edit Edit
		text string
	}{
		"stale":         {Edit{File: "main.go", Old: "nowhere"}, "bring the edit up to date"},
		"stale runtime": {Edit{Module: GOROOT, File: "runtime/proc.go", Old: "nowhere"}, "GOROOT: runtime/proc.go"},
		"no file":       {Edit{File: "gone.go", Old: "x"}, "gone.go"},
		"no module":     {Edit{Module: "example.com/none", File: "x.go", Old: "x"}, "example.com/none"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorContains(t, Check(t.Context(), Sources{Dir: dir}, []Edit{c.edit}), c.text)
		})
	}
	assert.ErrorContains(t, Check(t.Context(), Sources{Dir: t.TempDir()}, everywhere), "no go.mod")
}
