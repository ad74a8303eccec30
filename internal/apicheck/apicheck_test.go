package apicheck_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	// The go command reruns a test only when what it imports has changed.
	_ "github.com/writer-presence/writer-presence"
	_ "github.com/writer-presence/writer-presence/client"
	_ "github.com/writer-presence/writer-presence/httpapi"
	_ "github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/apicheck"
	_ "github.com/writer-presence/writer-presence/redisstore"
	_ "github.com/writer-presence/writer-presence/sqlitestore"
	_ "github.com/writer-presence/writer-presence/storetest"
)

var update = flag.Bool("update", false, "write docs/reference/go-api.txt")

const (
	root      = "../.."
	golden    = root + "/docs/reference/go-api.txt"
	reference = root + "/docs/reference/go.md"
)

// goList runs go list in the root of the module and returns its lines.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	c := exec.Command("go", append([]string{"list"}, args...)...)
	c.Dir = root
	out, err := c.Output()
	if err != nil {
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			t.Fatalf("%v: %v\n%s", c, err, exit.Stderr)
		}
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// publicPackages returns the packages that other modules can import, from the compiler's export data.
func publicPackages(t *testing.T) []*types.Package {
	t.Helper()
	var paths []string
	for _, line := range goList(t, "-f", `{{if and (ne .Name "main") .GoFiles}}{{.ImportPath}}{{end}}`, "./...") {
		if !strings.Contains(line, "/internal/") {
			paths = append(paths, line)
		}
	}
	files := map[string]string{}
	for _, line := range goList(t, append([]string{"-export", "-f", "{{.ImportPath}}\t{{.Export}}"}, paths...)...) {
		name, file, _ := strings.Cut(line, "\t")
		files[name] = file
	}
	from := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) { return os.Open(files[path]) })
	var packages []*types.Package
	for _, path := range paths {
		p, err := from.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	return packages
}

func TestExportedAPIIsTheListedOne(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# What the Go packages export. docs/reference/go.md says what is promised about it.\n" +
		"# Written by: go test ./internal/apicheck -update\n")
	for _, p := range publicPackages(t) {
		fmt.Fprintf(&b, "\npackage %s // import %q\n", p.Name(), p.Path())
		for _, line := range apicheck.List(p) {
			b.WriteString(line + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	listed, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	old, exported := strings.Split(string(listed), "\n"), strings.Split(b.String(), "\n")
	for _, line := range old {
		if !slices.Contains(exported, line) {
			t.Errorf("removed: %s", line)
		}
	}
	for _, line := range exported {
		if !slices.Contains(old, line) {
			t.Errorf("added: %s", line)
		}
	}
	if t.Failed() || string(listed) != b.String() {
		t.Error("the exported API differs from docs/reference/go-api.txt. If that is intended, run go test ./internal/apicheck -update, and " +
			"read docs/reference/go.md for what the next version number must be")
	}
}

func TestExportedAPINamesNoInternalPackage(t *testing.T) {
	for _, p := range publicPackages(t) {
		for _, line := range apicheck.List(p) {
			if strings.Contains(line, "/internal/") {
				t.Errorf("%s exports what hosts cannot name: %s", p.Path(), line)
			}
		}
	}
}

func TestReferenceNamesEveryPublicPackage(t *testing.T) {
	page, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range publicPackages(t) {
		name := path.Base(p.Path())
		if p.Name() == "presence" {
			name = "presence"
		}
		if !strings.Contains(string(page), "| `"+name+"`") {
			t.Errorf("docs/reference/go.md has no row for %s", p.Path())
		}
	}
}

func TestListHasAllThatCallersDependOn(t *testing.T) {
	const source = `package p
import "time"
const Limit = 1000
const Wait = 2 * time.Minute
const hidden = 1
var Err error
func Do(first int, then func(name string) (err error), rest ...string) (n int, err error) { return 0, nil }
type ID string
func (id ID) Number() int { return 0 }
type Same = ID
type Doer interface { Do(how string); undo() }
type Box struct { Size int; Done func(n int); inner; Doer; lid bool }
func (b *Box) Open() {}
func (b *Box) close() {}
type inner struct{}
func (inner) Promoted() {}
`
	want := strings.TrimSpace(`
const Limit untyped int = 1000
const Wait time.Duration = 2m0s
var Err error
func Do(int, func(string) error, ...string) (int, error)
type Box struct
type Box struct, Size int
type Box struct, Done func(int)
type Box struct, embeds Doer
type Box struct, unexported fields
method (*Box) Open()
method (Box) Promoted()
type Doer interface
type Doer interface, Do(string)
type Doer interface, unexported methods
type ID string
method (ID) Number() int
type Same = ID`)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := (&types.Config{Importer: importer.ForCompiler(fset, "source", nil)}).Check("example.org/p", fset, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(apicheck.List(p), "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestEveryPublicPackageHasAnOverviewWithCodeAndAnExample(t *testing.T) {
	for _, p := range publicPackages(t) {
		dir := goList(t, "-f", "{{.Dir}}", p.Path())[0]
		sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		overview, example := "", false
		for _, source := range sources {
			file, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(source, "_test.go") {
				overview += file.Doc.Text()
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				example = example || ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example")
			}
		}
		if !strings.HasPrefix(overview, "Package "+p.Name()+" ") || !strings.Contains(overview, "\n\t") {
			t.Errorf("the comment of package %s has no code block:\n%s", p.Path(), overview)
		}
		if !example {
			t.Errorf("package %s has no example", p.Path())
		}
	}
}
