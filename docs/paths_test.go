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
