package main

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

func TestReleaseIsTheVersionOfPackageJSON(t *testing.T) {
	var pkg struct{ Version string }
	if err := json.Unmarshal(readFile(t, "../../client/package.json"), &pkg); err != nil || pkg.Version != release {
		t.Errorf("client/package.json has version %q, %v; the program has %q", pkg.Version, err, release)
	}
}

func TestVersionDescribesTheBuild(t *testing.T) {
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "294c41534bce0123456789"}, {Key: "vcs.modified", Value: "true"}}
	for name, c := range map[string]struct {
		version, revision, module string
		settings                  []debug.BuildSetting
		want                      string
	}{
		"nothing":                   {want: release + " (revision unknown)"},
		"without stamping":          {module: "(devel)", want: release + " (revision unknown)"},
		"a clone":                   {module: "v0.0.0-20261128100000-294c41534bce+dirty", settings: vcs, want: release + " (revision 294c41534bce, modified)"},
		"a clean clone":             {module: "(devel)", settings: vcs[:1], want: release + " (revision 294c41534bce)"},
		"the linker's revision":     {revision: "abc", module: "(devel)", want: release + " (revision abc)"},
		"the linker wins":           {version: "9.9.9", revision: "abc", module: "v1.2.3", settings: vcs, want: "9.9.9 (revision abc)"},
		"go install of a tag":       {module: "v1.2.3", want: "v1.2.3"},
		"go install of a candidate": {module: "v1.2.3-rc.1", want: "v1.2.3-rc.1"},
		"go install of a commit":    {module: "v1.2.4-0.20261128100000-294c41534bce", want: release + " (revision 294c41534bce)"},
		"a tag with local changes":  {module: "v1.2.3+dirty", settings: vcs, want: release + " (revision 294c41534bce, modified)"},
	} {
		if got := describe(c.version, c.revision, &debug.BuildInfo{Main: debug.Module{Version: c.module}, Settings: c.settings}); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
}

// Images and many packages are built without .git. The test takes only the linker flags from the Dockerfile and the
// Makefile: with the other options everything would be compiled again.
func TestBuildWithoutGitHasTheRevisionOfTheLinkerFlags(t *testing.T) {
	const revision = "0123456789ab"
	flags := func(file string) string {
		t.Helper()
		found := regexp.MustCompile(`(?m)go build .*-ldflags="([^"]*)".* \./cmd/writer-presence`).FindSubmatch(readFile(t, file))
		if found == nil {
			t.Fatalf("%s has no go build with -ldflags", file)
		}
		return strings.NewReplacer("$(REVISION)", revision, "$REVISION", revision).Replace(string(found[1]))
	}
	all := flags("../../Dockerfile")
	if other := flags("../../Makefile"); other != all {
		t.Errorf("the Makefile links with %s, and the Dockerfile with %s; want the same, which is tried only once below", other, all)
	}
	program := filepath.Join(t.TempDir(), "program")
	if text, err := exec.Command("go", "build", "-buildvcs=false", "-ldflags="+all, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v, %s", err, text)
	}
	for _, arg := range []string{"version", "--version"} {
		text, err := exec.Command(program, arg).Output()
		if want := release + " (revision " + revision + ") go1."; err != nil || !strings.HasPrefix(string(text), "writer-presence ") || !strings.Contains(string(text), want) {
			t.Errorf("%s: %q, %v; want %q in it", arg, text, err, want)
		}
	}
}
