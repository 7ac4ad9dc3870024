// Package holdfast_test holds the house rules that no ready-made linter knows.
// Each rule is a function with a test of its own that plants a fault and sees
// it found; TestHouse then applies them all to this tree.
package holdfast_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

const (
	module       = "holdfast"
	maxFileLines = 600
)

// TestHouse applies every rule to this tree.
func TestHouse(t *testing.T) {
	t.Run("arrows", func(t *testing.T) {
		for _, p := range listPackages(t) {
			assert.Empty(t, checkArrows(p))
			assert.Empty(t, checkReach(p))
		}
	})
	t.Run("purity", func(t *testing.T) {
		for _, p := range loadTypes(t, ".", "./kernel") {
			assert.Empty(t, checkPurity(p.Fset, p.Syntax, p.TypesInfo))
		}
	})
	t.Run("files", func(t *testing.T) {
		files := readTree(t)
		assert.Empty(t, checkTopLevel(t))
		assert.Empty(t, checkPackageDocs(files))
		assert.Empty(t, checkLeaks(files))
		for name, content := range files {
			assert.Empty(t, checkText(name, content))
			if strings.HasSuffix(name, ".go") {
				assert.Empty(t, checkSource(name, content))
			}
		}
	})
}

// --- Arrows: who may import whom -------------------------------------------

// room is a folder of the module and the rooms its code (tests apart) may
// import; a room includes what lies below it unless that is listed itself.
type room struct {
	path    string
	imports []string
}

// rooms are the floors of docs/architecture.md, from the ground up. Builds with
// the tag "faults" are not looked at: there wal and kernel/cluster import
// wal/faults.
var rooms = []room{
	{"kernel", nil},
	{"wal", nil},
	{"wal/faults", nil},
	{"transport", []string{"transport"}},
	{"kernel/replica", []string{"kernel", "kernel/replica", "wal", "transport"}},
	{"kernel/cluster", []string{"kernel", "kernel/replica", "kernel/cluster", "wal", "transport"}},
	{"kernel/archive", []string{"kernel", "kernel/replica", "kernel/archive", "wal", "transport"}},
	{"httpd", []string{"kernel", "kernel/replica", "kernel/cluster", "kernel/archive", "wal", "transport", "httpd"}},
	{"jepsen", []string{"kernel", "jepsen", "wal/faults"}},
	{"sim", []string{"kernel", "kernel/replica", "kernel/cluster", "kernel/archive", "wal", "transport", "httpd", "jepsen", "sim"}},
	{"cmd", []string{"kernel", "kernel/replica", "kernel/cluster", "kernel/archive", "wal", "transport", "httpd", "jepsen", "sim", "cmd"}},
}

// roomOf finds the most specific room of a package of ours.
func roomOf(importPath string) (room, bool) {
	var best room
	path := strings.TrimPrefix(importPath, module+"/")
	for _, r := range rooms {
		if (path == r.path || strings.HasPrefix(path, r.path+"/")) && len(r.path) > len(best.path) {
			best = r
		}
	}
	return best, best.path != ""
}

type goPackage struct {
	ImportPath string
	Imports    []string // direct, without tests
	Deps       []string // all, without tests
}

func listPackages(t *testing.T) []goPackage {
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,Deps", "./...")
	out, err := command.Output()
	require.NoError(t, err, "go list")
	var list []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p goPackage
		require.NoError(t, decoder.Decode(&p))
		if p.ImportPath != module { // these tests
			list = append(list, p)
		}
	}
	require.NotEmpty(t, list)
	return list
}

// checkArrows finds imports of ours that point up.
func checkArrows(p goPackage) (faults []string) {
	from, ok := roomOf(p.ImportPath)
	if !ok {
		return []string{p.ImportPath + ": lies in no room; see docs/architecture.md"}
	}
	for _, imported := range p.Imports {
		to, ours := roomOf(imported)
		if strings.HasPrefix(imported, module+"/") && (!ours || !slices.Contains(from.imports, to.path)) {
			faults = append(faults, fmt.Sprintf("%s: imports %s: %s may import %v only; turn the arrow round",
				p.ImportPath, imported, from.path, from.imports))
		}
	}
	return faults
}

// metricsLibrary is linked into the daemon by httpd/metrics alone: it would make
// the simulator's guest, which is package httpd and what it reaches, a quarter
// larger.
const metricsLibrary = "github.com/prometheus/"

// checkReach finds test machinery in the daemon, and Prometheus' library in the
// guest, by however many steps.
func checkReach(p goPackage) (faults []string) {
	if p.ImportPath == module+"/httpd" {
		for _, reached := range p.Deps {
			if strings.HasPrefix(reached, metricsLibrary) {
				faults = append(faults, fmt.Sprintf("%s: reaches %s: only httpd/metrics may; the simulator's guest would carry it", p.ImportPath, reached))
			}
		}
	}
	if p.ImportPath != module+"/cmd/holdfast" {
		return faults
	}
	for _, reached := range p.Deps {
		r, ours := roomOf(reached)
		if strings.HasPrefix(reached, module+"/") && ours && slices.Contains([]string{"sim", "jepsen", "wal/faults"}, r.path) {
			faults = append(faults, fmt.Sprintf("%s: reaches %s: the daemon must not hold test machinery", p.ImportPath, reached))
		}
	}
	return faults
}

func TestArrowsFindsPlanted(t *testing.T) {
	for _, p := range []goPackage{
		{ImportPath: "holdfast/kernel", Imports: []string{"holdfast/wal"}},
		{ImportPath: "holdfast/kernel", Imports: []string{"holdfast/kernel/replica"}},
		{ImportPath: "holdfast/kernel/replica", Imports: []string{"holdfast/httpd"}},
		{ImportPath: "holdfast/transport/raftrpc", Imports: []string{"holdfast/wal"}},
		{ImportPath: "holdfast/httpd", Imports: []string{"holdfast/sim/guest"}},
		{ImportPath: "holdfast/jepsen/conform", Imports: []string{"holdfast/httpd"}},
		{ImportPath: "holdfast/wal", Imports: []string{"holdfast/util"}},
		{ImportPath: "holdfast/util"},
	} {
		assert.NotEmpty(t, checkArrows(p), p.ImportPath)
	}
	assert.Empty(t, checkArrows(goPackage{ImportPath: "holdfast/transport/raftrpc", Imports: []string{"fmt", "holdfast/transport"}}))
	assert.NotEmpty(t, checkReach(goPackage{ImportPath: "holdfast/cmd/holdfast", Deps: []string{"fmt", "holdfast/sim"}}))
	assert.NotEmpty(t, checkReach(goPackage{ImportPath: "holdfast/httpd", Deps: []string{"fmt", metricsLibrary + "client_golang/prometheus"}}))
	assert.Empty(t, checkReach(goPackage{ImportPath: "holdfast/httpd/metrics", Deps: []string{metricsLibrary + "client_golang/prometheus"}}))
	assert.NotEmpty(t, checkReach(goPackage{ImportPath: "holdfast/cmd/holdfast", Deps: []string{"holdfast/wal", "holdfast/wal/faults"}}))
	assert.Empty(t, checkReach(goPackage{ImportPath: "holdfast/cmd/holdfast-sim", Deps: []string{"holdfast/sim"}}))
}

// --- Purity of the kernel --------------------------------------------------

// impurePackages are what the kernel does not even import: clocks apart, all
// that could make two members differ. A trailing slash means all below.
var impurePackages = []string{
	"os", "os/", "io/fs", "net", "net/", "math/rand", "math/rand/", "crypto/rand", "sync", "sync/",
	"log", "log/", "context", "runtime", "runtime/", "syscall", "plugin", "C", "github.com/hashicorp/go-hclog",
}

// clockFunctions of package time read a clock or wait for one.
var clockFunctions = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// checkPurity finds what would let two members disagree about one log.
func checkPurity(fset *token.FileSet, files []*ast.File, info *types.Info) (faults []string) {
	report := func(node ast.Node, cause string) {
		faults = append(faults, fmt.Sprintf("%s: %s: the kernel's result must follow from its log alone", fset.Position(node.Pos()), cause))
	}
	for _, file := range files {
		for _, spec := range file.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if slices.ContainsFunc(impurePackages, func(bad string) bool {
				return path == bad || strings.HasSuffix(bad, "/") && strings.HasPrefix(path, bad)
			}) {
				report(spec, "imports "+path)
			}
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.GoStmt:
				report(n, "starts a goroutine")
			case *ast.SelectStmt:
				report(n, "selects")
			case *ast.RangeStmt:
				if isMap(info, n.X) {
					report(n, "ranges over a map")
				}
			case *ast.SelectorExpr:
				name, pkg := n.Sel.Name, packageOf(info, n)
				if pkg == "time" && slices.Contains(clockFunctions, name) {
					report(n, "reads a clock with time."+name)
				}
				if pkg == "maps" && slices.Contains([]string{"All", "Keys", "Values"}, name) {
					report(n, "walks a map with maps."+name)
				}
			}
			return true
		})
	}
	return faults
}

func isMap(info *types.Info, expression ast.Expr) bool {
	t := info.TypeOf(expression)
	if t == nil {
		return false
	}
	_, ok := t.Underlying().(*types.Map)
	return ok
}

// packageOf gives the import path of the package a selector selects from.
func packageOf(info *types.Info, selector *ast.SelectorExpr) string {
	if ident, ok := selector.X.(*ast.Ident); ok {
		if name, ok := info.Uses[ident].(*types.PkgName); ok {
			return name.Imported().Path()
		}
	}
	return ""
}

func loadTypes(t *testing.T, dir string, patterns ...string) []*packages.Package {
	config := &packages.Config{
		Dir:  dir,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo | packages.NeedImports,
	}
	list, err := packages.Load(config, patterns...)
	require.NoError(t, err)
	require.NotEmpty(t, list)
	for _, p := range list {
		require.Empty(t, p.Errors, p.PkgPath)
	}
	return list
}

func TestPurityFindsPlanted(t *testing.T) {
	for name, body := range map[string]string{
		"clock":     `import "time"; var V = time.Now()`,
		"renamed":   `import clock "time"; var V = clock.Since`,
		"random":    `import "math/rand/v2"; var V = rand.Int()`,
		"lock":      `import "sync"; var V sync.Mutex`,
		"files":     `import "os"; var V = os.Args`,
		"goroutine": `func F() { go F() }`,
		"map":       `func F(m map[int]int) { for range m { F(nil) } }`,
		"named map": `type M map[int]int; func F(m M) { for k := range m { _ = k } }`,
		"map keys":  `import "maps"; func F(m map[int]int) { for k := range maps.Keys(m) { _ = k } }`,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Len(t, purityOf(t, body), 1)
		})
	}
	assert.Empty(t, purityOf(t, `import "time"; func F(s []time.Duration, m map[int]int) int { for i := range s { _ = i }; return m[1] }`))
}

func purityOf(t *testing.T, body string) []string {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module planted\n\ngo 1.26\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "planted.go"), []byte("package planted\n\n"+body+"\n"), 0o644))
	p := loadTypes(t, dir, ".")[0]
	return checkPurity(p.Fset, p.Syntax, p.TypesInfo)
}

// --- Files -----------------------------------------------------------------

// topLevel is all that may lie in the root.
var topLevel = []string{
	"kernel", "wal", "transport", "httpd", "jepsen", "sim", "cmd", "docs",
	".ci", ".gitignore", "go.mod", "go.sum", "Makefile", "LICENSE", "lint_test.go",
	"README.md", "CONTRIBUTING.md", "CHANGELOG.md",
}

// ignored are results of work, which version control ignores too.
var ignored = []string{".git", "bin", ".cache", "holdfast.data"}

func checkTopLevel(t *testing.T) (faults []string) {
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, e := range entries {
		if !slices.Contains(topLevel, e.Name()) && !slices.Contains(ignored, e.Name()) && filepath.Ext(e.Name()) != ".test" {
			faults = append(faults, e.Name()+": does not belong to the top level; give it a room")
		}
	}
	return faults
}

// readTree reads the files people write: no test data, no results.
func readTree(t *testing.T) map[string]string {
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains(ignored, path) || entry.Name() == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains([]string{".go", ".md", ".sh", ".svg", ""}, filepath.Ext(path)) || path == "LICENSE" {
			return nil
		}
		content, err := os.ReadFile(path)
		files[filepath.ToSlash(path)] = string(content)
		return err
	}))
	return files
}

// The words are put together here so that the rule does not find itself.
var (
	postponed = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	elsewhere = regexp.MustCompile(`(^|[\s"'(=` + "`" + `])(/wo` + `rk|/ro` + `ot|/ho` + `me)(/|\b)|\.\./sha` + `red\b|/tmp/h` + `f\b`)
)

// checkText finds what no file may hold.
func checkText(name, content string) (faults []string) {
	for i, line := range strings.Split(content, "\n") {
		at := fmt.Sprintf("%s:%d", name, i+1)
		if postponed.MatchString(line) {
			faults = append(faults, at+": work put off; do it, or make an issue of it")
		}
		if elsewhere.MatchString(line) {
			faults = append(faults, at+": names a path of one machine; make it relative")
		}
	}
	return faults
}

// checkSource finds what a Go file must not be or hold.
func checkSource(name, content string) (faults []string) {
	if lines := strings.Count(content, "\n"); lines > maxFileLines {
		faults = append(faults, fmt.Sprintf("%s: %d lines, the limit is %d; split it by subject", name, lines, maxFileLines))
	}
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, content, parser.ParseComments)
	if err != nil {
		return append(faults, fmt.Sprintf("%s: %v", name, err))
	}
	report := func(node ast.Node, cause string) {
		faults = append(faults, fmt.Sprintf("%s: %s", fset.Position(node.Pos()), cause))
	}
	findSkips(file, map[string]bool{}, report)
	if !strings.HasSuffix(name, "_test.go") {
		findUndocumented(file, report)
		findSystemAccess(name, content, file, report)
	}
	return faults
}

// findSkips reports skipped tests. rapid's Skip of one action is another thing:
// the receiver must be declared as a test's.
func findSkips(root ast.Node, tests map[string]bool, report func(ast.Node, string)) {
	ast.Inspect(root, func(node ast.Node) bool {
		var kind *ast.FuncType
		var body *ast.BlockStmt
		switch n := node.(type) {
		case *ast.FuncDecl:
			kind, body = n.Type, n.Body
		case *ast.FuncLit:
			kind, body = n.Type, n.Body
		case *ast.SelectorExpr:
			receiver, ok := n.X.(*ast.Ident)
			if ok && tests[receiver.Name] && slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, n.Sel.Name) {
				report(n, "skips a test: a test that did not run proves nothing")
			}
		}
		if body == nil {
			return true
		}
		inner := map[string]bool{}
		for name := range tests {
			inner[name] = tests[name]
		}
		for _, field := range kind.Params.List {
			for _, name := range field.Names {
				inner[name.Name] = strings.HasPrefix(types.ExprString(field.Type), "*testing.")
			}
		}
		findSkips(body, inner, report)
		return false
	})
}

// findUndocumented reports exported names without a comment. One comment
// serves a whole group of constants or variables.
func findUndocumented(file *ast.File, report func(ast.Node, string)) {
	const cause = "exported without a doc comment: say what, in which units, with which errors"
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiverName(d))) {
				report(d, d.Name.Name+": "+cause)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
						report(s, s.Name.Name+": "+cause)
					}
				case *ast.ValueSpec:
					if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						report(s, s.Names[0].Name+": "+cause)
					}
				}
			}
		}
	}
}

func receiverName(d *ast.FuncDecl) string {
	name := strings.TrimPrefix(types.ExprString(d.Recv.List[0].Type), "*")
	name, _, _ = strings.Cut(name, "[")
	return name
}

// guestRooms are compiled into the simulator's guest: what they do with the
// system must work there too.
var guestRooms = []string{"kernel/", "wal/", "transport/", "httpd/"}

// findSystemAccess reports ways past package os and transport.Network in code
// that the guest runs, unless the file is built for some systems only.
func findSystemAccess(name, content string, file *ast.File, report func(ast.Node, string)) {
	inGuest := slices.ContainsFunc(guestRooms, func(r string) bool { return strings.HasPrefix(name, r) })
	tagged := strings.Contains(content, "//go:build ") || strings.HasSuffix(name, "_wasip1.go") || strings.HasSuffix(name, "_linux.go")
	if !inGuest || tagged {
		return
	}
	for _, spec := range file.Imports {
		if path := strings.Trim(spec.Path.Value, `"`); path == "C" || strings.HasPrefix(path, "golang.org/x/sys") {
			report(spec, "imports "+path+" outside a build-tagged file")
		}
	}
	if strings.HasPrefix(name, "transport/") {
		return
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if s, ok := node.(*ast.SelectorExpr); ok && types.ExprString(s.X) == "net" &&
			(strings.HasPrefix(s.Sel.Name, "Listen") || strings.HasPrefix(s.Sel.Name, "Dial")) && s.Sel.Name != "Listener" {
			report(s, "net."+s.Sel.Name+": all talk goes through transport.Network")
		}
		return true
	})
}

// checkPackageDocs finds packages without a doc.go that opens them.
func checkPackageDocs(files map[string]string) (faults []string) {
	dirs := map[string]bool{}
	for name := range files {
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			dirs[filepath.ToSlash(filepath.Dir(name))] = true
		}
	}
	opening := regexp.MustCompile(`(?m)^// (Package|Command) \w+`)
	for dir := range dirs {
		if !opening.MatchString(files[dir+"/doc.go"]) {
			faults = append(faults, dir+": no doc.go that says what the package promises and what it is not for")
		}
	}
	slices.Sort(faults)
	return faults
}

// checkLeaks finds packages that start goroutines and whose tests would not see
// one left behind. Code for WebAssembly alone is not looked at: no test of this
// machine runs it.
func checkLeaks(files map[string]string) (faults []string) {
	watched := regexp.MustCompile(`\bgoleak\.(VerifyTestMain|Find)\(`)
	starts, sees := map[string]string{}, map[string]bool{}
	for name, content := range files {
		dir := filepath.ToSlash(filepath.Dir(name))
		switch {
		case strings.HasSuffix(name, "_test.go"):
			sees[dir] = sees[dir] || watched.MatchString(content)
		case strings.HasSuffix(name, ".go") && !strings.HasPrefix(content, "//go:build wasip1\n") && !strings.HasSuffix(name, "_wasip1.go"):
			if at := findStart(name, content); at != "" && (starts[dir] == "" || at < starts[dir]) {
				starts[dir] = at
			}
		}
	}
	for dir, at := range starts {
		if !sees[dir] {
			faults = append(faults, at+": starts a goroutine, and no test looks for one left behind; give the package a TestMain with goleak.VerifyTestMain")
		}
	}
	slices.Sort(faults)
	return faults
}

// findStart is where a file starts a goroutine, or has a library do so: a go
// statement, an AfterFunc, the method Go of a group; empty if nowhere.
func findStart(name, content string) (at string) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, content, parser.SkipObjectResolution)
	if err != nil {
		return "" // checkSource reports it
	}
	ast.Inspect(file, func(node ast.Node) bool {
		found := false
		switch n := node.(type) {
		case *ast.GoStmt:
			found = true
		case *ast.CallExpr:
			s, ok := n.Fun.(*ast.SelectorExpr)
			found = ok && (s.Sel.Name == "AfterFunc" || s.Sel.Name == "Go")
		}
		if found && at == "" {
			at = fset.Position(node.Pos()).String()
		}
		return at == ""
	})
	return at
}

func TestLeaksFindsPlanted(t *testing.T) {
	const checked = "package a\nfunc TestMain(m *testing.M) { goleak.VerifyTestMain(m) }\n"
	for _, body := range []string{"go f()", "time.AfterFunc(1, f)", "context.AfterFunc(ctx, f)", "group.Go(f)"} {
		source := "package a\nfunc F() { " + body + " }\n"
		assert.Len(t, checkLeaks(map[string]string{"wal/a.go": source}), 1, body)
		assert.Len(t, checkLeaks(map[string]string{"wal/a.go": source, "wal/b_test.go": "package a\n", "wal/sub/a_test.go": checked}), 1, body)
		assert.Empty(t, checkLeaks(map[string]string{"wal/a.go": source, "wal/main_test.go": checked}), body)
		assert.Empty(t, checkLeaks(map[string]string{"wal/a.go": "//go:build wasip1\n\n" + source}), body)
	}
	assert.Empty(t, checkLeaks(map[string]string{"wal/a.go": "package a\n// go f()\nconst s = \"go f()\"\n", "wal/a_test.go": "package a\nfunc f() { go f() }\n"}))
}

func TestFilesFindsPlanted(t *testing.T) {
	for _, text := range []string{
		"// TO" + "DO: later", "x // FIX" + "ME", "see ../sha" + "red/design", "cd /wo" + "rk/main", "(/ro" + "ot/go)",
	} {
		assert.Len(t, checkText("a.go", text), 1, text)
	}
	assert.Empty(t, checkText("a.md", "a PUT to /works, a network/work queue"))

	for name, source := range map[string]string{
		"too long":      strings.Repeat("\n", maxFileLines+1),
		"function":      "func F() {}",
		"method":        "// T is.\ntype T struct{}\n\nfunc (t *T[K]) M() {}",
		"type":          "type T struct{}",
		"constant":      "const C = 1",
		"unfinished":    "func f( {",
		"cgo":           `import "C"`,
		"raw system":    `import "golang.org/x/sys/unix"`,
		"own listener":  `var l = net.ListenTCP`,
		"own dialer":    `var d net.Dialer`,
		"skip":          "func f(t *testing.T) { t.Skip() }",
		"skip in inner": "func f(t *testing.T) { func() { t.Skipf(\"\") }() }",
	} {
		assert.Len(t, checkSource("wal/a.go", "package a\n"+source+"\n"), 1, name)
	}
	for _, source := range []string{
		"//go:build linux\n\npackage a\nimport \"golang.org/x/sys/unix\"\n",
		"package a\nvar l net.Listener\nfunc f(t *rapid.T) { t.Skip() }\n",
		"package a\n// Limits.\nconst (\n\tA = 1\n)\n",
		"package a\nfunc f(t *testing.T) { g(func(t *rapid.T) { t.Skip() }) }\n",
	} {
		assert.Empty(t, checkSource("wal/a.go", source))
	}
	assert.Len(t, checkPackageDocs(map[string]string{"wal/a.go": "package wal", "kernel/doc.go": "// Package kernel is.", "kernel/a.go": ""}), 1)
}
