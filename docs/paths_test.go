package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestFilesNamedInDocumentsExist(t *testing.T) {
	named := regexp.MustCompile("`((\\w+)(?:/[\\w.-]+)+\\.(?:go|js|lua|sql|py|html|md|yaml|json|service))`")
	found := 0
	files(t, " .md ", func(path, text string) {
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			if info, err := os.Stat(filepath.Join(root, m[2])); err != nil || !info.IsDir() {
				continue // a path of another program
			}
			found++
			if _, err := os.Stat(filepath.Join(root, m[1])); err != nil && !strings.HasSuffix(path, "CHANGELOG.md") {
				t.Errorf("%s names %s: there is no such file", path, m[1])
			}
		}
	})
	if found < 50 {
		t.Errorf("found %d names of files; want those of all documents", found)
	}
}

func TestContributingNamesPathsThatExist(t *testing.T) {
	extension := regexp.MustCompile(`\.(go|js|json|lua|md|yaml|sql)$`)
	found := 0
	for _, m := range regexp.MustCompile("`([\\w.][\\w./*-]*)`").FindAllStringSubmatch(page(t, "../CONTRIBUTING.md"), -1) {
		path := m[1]
		first, _, nested := strings.Cut(path, "/")
		if !extension.MatchString(path) {
			if _, err := os.Stat(filepath.Join(root, first)); !nested || err != nil {
				continue // no path, or a package of others
			}
		}
		found++
		if matches, err := filepath.Glob(filepath.Join(root, path)); err != nil || len(matches) == 0 {
			t.Errorf("CONTRIBUTING.md names %s: there is no such file", path)
		}
	}
	if found < 50 {
		t.Errorf("found %d paths in CONTRIBUTING.md; want those of its lists", found)
	}
}

func TestContributingNamesIdentifiersOfTheFile(t *testing.T) {
	text := strings.Join(strings.Fields(page(t, "../CONTRIBUTING.md")), " ")
	name := regexp.MustCompile(`\w+`)
	found := 0
	for _, m := range regexp.MustCompile("((?:`\\w+`(?:,|,? and|,? or)? )+)in `([\\w./-]+\\.(?:go|js|lua))`").FindAllStringSubmatch(text, -1) {
		body := page(t, filepath.Join(root, m[2]))
		for _, quoted := range regexp.MustCompile("`\\w+`").FindAllString(m[1], -1) {
			found++
			identifier := name.FindString(quoted)
			if !regexp.MustCompile(`\b` + identifier + `\b`).MatchString(body) {
				t.Errorf("CONTRIBUTING.md says that %s is in %s, which does not have it", identifier, m[2])
			}
		}
	}
	if found < 8 {
		t.Errorf("found %d identifiers with their files in CONTRIBUTING.md; want those of its lists", found)
	}
}
