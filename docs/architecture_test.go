package docs_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/writer-presence/writer-presence"

// imports returns the packages of this module by their folder ("." is the root), with what each imports from it.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	folder := func(path string) string {
		if path == module {
			return "."
		}
		return strings.TrimPrefix(path, module+"/")
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from := folder(fields[0])
		packages[from] = nil
		for _, path := range fields[1:] {
			if path == module || strings.HasPrefix(path, module+"/") {
				packages[from] = append(packages[from], folder(path))
			}
		}
	}
	if len(packages) < 20 {
		t.Fatalf("found %d packages; want those of the module", len(packages))
	}
	return packages
}

// reachable adds to seen all packages that from imports, directly or not.
func reachable(packages map[string][]string, from string, seen map[string]bool) {
	for _, to := range packages[from] {
		if !seen[to] {
			seen[to] = true
			reachable(packages, to, seen)
		}
	}
}

func TestArchitecturePictureShowsTheImportsOfThePackages(t *testing.T) {
	text := page(t, "explanation/architecture.md")
	_, picture, _ := strings.Cut(text, "flowchart TD")
	picture, _, _ = strings.Cut(picture, "```")

	folders := map[string]string{} // by the name of the node
	for _, m := range regexp.MustCompile(`(\w+)\["([\w/ ().-]+)<br>`).FindAllStringSubmatch(picture, -1) {
		folders[m[1]] = m[2]
		if m[2] == "presence (root)" {
			folders[m[1]] = "."
		}
	}
	packages := imports(t)
	drawn := map[string]bool{}
	for _, folder := range folders {
		drawn[folder] = true
		if _, ok := packages[folder]; !ok {
			t.Errorf("the picture has %s; there is no such package", folder)
		}
	}

	// An import is drawn unless another path in the picture leads to the same package.
	want := map[string]bool{}
	for from := range drawn {
		all := map[string]bool{}
		reachable(packages, from, all)
		longer := map[string]bool{}
		for to := range all {
			if drawn[to] {
				reachable(packages, to, longer)
			}
		}
		for to := range all {
			if drawn[to] && !longer[to] {
				want[from+" --> "+to] = true
			}
		}
	}
	got := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\s*(\w+)(?:\[[^\]]*\])? --> (\w+)`).FindAllStringSubmatch(picture, -1) {
		got[folders[m[1]]+" --> "+folders[m[2]]] = true
	}
	for _, arrow := range slices.Sorted(maps.Keys(want)) {
		if !got[arrow] {
			t.Errorf("the picture lacks %s", arrow)
		}
	}
	for _, arrow := range slices.Sorted(maps.Keys(got)) {
		if !want[arrow] {
			t.Errorf("the picture has %s; that is no import, or a longer path has it", arrow)
		}
	}

	for folder := range packages {
		if !drawn[folder] && !strings.Contains(text, "`"+folder+"`") && !strings.HasPrefix(folder, "examples/") && folder != "docs" {
			t.Errorf("the page does not name the package %s", folder)
		}
	}
}

func TestArchitectureSaysWhereFunctionsThatExistAre(t *testing.T) {
	_, section, _ := strings.Cut(page(t, "explanation/architecture.md"), "## Where is")
	section, _, _ = strings.Cut(section, "\n## ")
	name := regexp.MustCompile("`([^`]+)`")
	checked := 0
	for _, row := range regexp.MustCompile(`(?m)^\| where (?:is|are) [^|]*\| (.*) \|$`).FindAllStringSubmatch(section, -1) {
		file, text := "", ""
		for _, m := range name.FindAllStringSubmatch(row[1], -1) {
			if strings.Contains(m[1], "/") || strings.HasSuffix(m[1], ".go") {
				body, err := os.ReadFile(filepath.Join(root, m[1]))
				if err != nil {
					t.Error(err)
				}
				file, text = m[1], string(body)
				continue
			}
			checked++
			function := m[1][strings.LastIndexByte(m[1], '.')+1:]
			declared := regexp.MustCompile(`(?m)(^func (\([^)]*\) )?|^  (async )?#?|^(export )?(local )?function )` + function + `\(|^export const ` + function + ` =`)
			if !declared.MatchString(text) {
				t.Errorf("%s has no %s", file, function)
			}
		}
	}
	if checked < 20 {
		t.Errorf("checked %d functions; want those of the table", checked)
	}
}
