package kernel

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// allowedImports is all that the kernel may import directly. None of them
// reads a clock, randomness or the environment, starts anything, or locks
// what the kernel calls. A new entry needs the same to be true of it.
var allowedImports = []string{
	"crypto/sha256", "encoding/binary", "encoding/hex", "errors", "fmt", "hash/crc32", "io", "math/bits",
	"slices", "strconv", "strings", "unsafe",
	"github.com/cespare/xxhash/v2", "github.com/tidwall/btree",
}

// TestPurity checks the kernel's own sources.
func TestPurity(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	sources := map[string]string{}
	for _, file := range files {
		if !strings.HasSuffix(file, "_test.go") {
			b, err := os.ReadFile(file)
			require.NoError(t, err)
			sources[file] = string(b)
		}
	}
	require.Greater(t, len(sources), 10)
	assert.Empty(t, impurities(t, newImports(t), sources))
}

// TestPurityCheckerSees plants each fault and expects the checker to name it,
// and only it.
func TestPurityCheckerSees(t *testing.T) {
	imports := newImports(t)
	for _, test := range []struct{ name, source, want string }{
		{"nothing", `func f(a []int, n int) { for range a {}; for range n {}; for range "s" {} }`, ""},
		{"an index into a map", `var m = map[int]int{1: 2}; var x = m[1]`, ""},
		{"a clock", `import "time"; var x = time.Now()`, "imports time"},
		{"a clock under another name", `import fmt "time"; var x = fmt.Now()`, "imports time"},
		{"the environment", `import "os"; var x = os.Getpid()`, "imports os"},
		{"the network", `import "net"; var x net.Addr`, "imports net"},
		{"randomness", `import "math/rand"; var x = rand.Int()`, "imports math/rand"},
		{"secret randomness", `import _ "crypto/rand"`, "imports crypto/rand"},
		{"a lock", `import "sync"; var x sync.Mutex`, "imports sync"},
		{"an atomic", `import "sync/atomic"; var x atomic.Int64`, "imports sync/atomic"},
		{"a log", `import . "log"; var x = Default()`, "imports log"},
		{"the runtime", `import "runtime"; var x = runtime.NumCPU()`, "imports runtime"},
		{"a goroutine", `func f() { go f() }`, "go statement"},
		{"a goroutine far inside", `func f() { func() { defer func() { go f() }() }() }`, "go statement"},
		{"a channel", `func f() { c := make(chan int, 1); _ = c }`, "channel"},
		{"a range over a channel", `func f(c <-chan int) { for range c {} }`, "channel"},
		{"a select", `func f() { select {} }`, "select"},
		{"a range over a map", `func f(m map[int]int) { for range m {} }`, "range over a map"},
		{"a range over a map's copy", `func f() { m := map[string]bool{}; for k := range m { _ = k } }`, "range over a map"},
		{"a range over a named map", `type set map[int]bool; type other = set; func f(m other) { for k, v := range m { _, _ = k, v } }`, "range over a map"},
		{"a range over a field", `type s struct { m map[int]int }; func f(x *s) { for range x.m {} }`, "range over a map"},
		{"a range over a generic map", `func f[M ~map[int]int](m M) { for range m {} }`, "range over a map"},
		{"a map's keys", `import "maps"; var x = maps.Keys(map[int]int{})`, "imports maps"},
		{"a map printed", `import "fmt"; var x = fmt.Sprint(map[int]int{})`, ""}, // sorted by fmt
		{"an address printed", `import "fmt"; func f(p *int) string { return fmt.Sprintf("%p", p) }`, "%p"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := impurities(t, imports, map[string]string{"planted.go": "package planted; " + test.source})
			if test.want == "" {
				assert.Empty(t, found)
				return
			}
			require.NotEmpty(t, found)
			for _, fault := range found {
				assert.Contains(t, fault, test.want)
			}
		})
	}
}

// impurities type-checks the sources as one package and lists what the
// kernel must not do.
func impurities(t *testing.T, imports types.ImporterFrom, sources map[string]string) []string {
	fset := token.NewFileSet()
	var files []*ast.File
	for name, source := range sources {
		f, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	_, err := (&types.Config{Importer: imports}).Check("kernel", fset, files, info)
	require.NoError(t, err)

	found := []string{}
	report := func(at ast.Node, what string) { found = append(found, fset.Position(at.Pos()).String()+": "+what) }
	for _, f := range files {
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			require.NoError(t, err)
			if !slices.Contains(allowedImports, path) {
				report(spec, "imports "+path)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				report(n, "go statement")
			case *ast.SelectStmt:
				report(n, "select")
			case *ast.ChanType:
				report(n, "channel")
			case *ast.BasicLit:
				if n.Kind == token.STRING && strings.Contains(n.Value, "%p") {
					report(n, "prints an address with %p")
				}
			case *ast.RangeStmt:
				if overMap(info.TypeOf(n.X)) {
					report(n, "range over a map")
				}
			}
			return true
		})
	}
	slices.Sort(found)
	return found
}

// overMap tells whether a type is a map, or may be instantiated with one.
func overMap(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Map:
		return true
	case *types.Interface: // of a type parameter
		for i := range u.NumEmbeddeds() {
			if overMap(u.EmbeddedType(i)) {
				return true
			}
		}
	case *types.Union:
		for i := range u.Len() {
			if overMap(u.Term(i).Type()) {
				return true
			}
		}
	}
	return false
}

// newImports gives the types of what the kernel and the planted faults
// import, from the compiler's export data.
func newImports(t *testing.T) types.ImporterFrom {
	args := []string{"list", "-export", "-f", "{{.ImportPath}}={{.Export}}", "--", "maps", "time", "os", "net", "math/rand", "crypto/rand", "sync", "sync/atomic", "log", "runtime"}
	var stderr bytes.Buffer
	cmd := exec.Command("go", append(args, allowedImports...)...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}
	lookup := func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", lookup).(types.ImporterFrom)
}
