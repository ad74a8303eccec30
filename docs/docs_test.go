// Package docs_test checks that no reference to a document is broken.
package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

const root = ".."

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"`)
	fence    = regexp.MustCompile("(?ms)^ *```.*?^ *```[ \t]*$")
	code     = regexp.MustCompile("`[^`\n]*`")
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	noSlug   = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	scheme   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	mention  = regexp.MustCompile(`\bdocs/[\w./-]+\.(?:md|yaml|png|svg)\b`)
	decision = regexp.MustCompile(`\bADR (\d+)\b`)
)

// files calls check with the path and text of every file of the repository that is one of the kinds.
func files(t *testing.T, kinds string, check func(path, text string)) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "node_modules" || name == ".git" || name == ".build" || name == "dist"):
			return filepath.SkipDir
		case d.IsDir() || !strings.Contains(kinds, " "+strings.ToLower(filepath.Ext(name))+" "):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found++
		check(path, string(text))
		return nil
	})
	if err != nil || found == 0 {
		t.Fatalf("read %d files: %v", found, err)
	}
}

// anchors are the names by which a link reaches the headings of a page.
func anchors(markdown string) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(markdown, ""), -1) {
		name := strings.ReplaceAll(noSlug.ReplaceAllString(strings.ToLower(strings.TrimSpace(m[1])), ""), " ", "-")
		base := name
		for i := 1; names[name]; i++ {
			name = fmt.Sprintf("%s-%d", base, i)
		}
		names[name] = true
	}
	return names
}

func TestLinksInMarkdownLeadToFilesAndHeadings(t *testing.T) {
	files(t, " .md ", func(path, text string) {
		text = code.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to := m[1] + m[2]
			if scheme.MatchString(to) {
				continue
			}
			file, anchor, _ := strings.Cut(to, "#")
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which does not exist", path, to)
				continue
			}
			if anchor == "" || !strings.HasSuffix(target, ".md") {
				continue
			}
			page, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if !anchors(string(page))[anchor] {
				t.Errorf("%s links to %s, which has no such heading", path, to)
			}
		}
	})
}

func TestDocumentsNamedInCodeExist(t *testing.T) {
	files(t, " .md .go .js .html .py .lua .sql .yaml .yml .json .service .conf  ", func(path, text string) {
		if !strings.Contains(text, "docs/") && !strings.Contains(text, "ADR ") {
			return // the expressions below are slow
		}
		for _, name := range mention.FindAllString(text, -1) {
			if _, err := os.Stat(filepath.Join(root, name)); err != nil {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
		for _, m := range decision.FindAllStringSubmatch(text, -1) {
			number, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			if found, err := filepath.Glob(fmt.Sprintf("adr/%04d-*.md", number)); err != nil || len(found) != 1 {
				t.Errorf("%s names ADR %s: %v, %v; want one file", path, m[1], found, err)
			}
		}
	})
}

// The tables of paths in architecture.md end in a function and its file. Code that moves takes
// its row along.
func TestArchitectureNamesFunctionsThatExist(t *testing.T) {
	page, err := os.ReadFile("explanation/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	step := regexp.MustCompile("(?m)^\\| (\\d+) \\| `(?:\\w+\\.)?#?(\\w+)` \\| `([\\w./-]+)` \\|")
	steps := step.FindAllStringSubmatch(string(page), -1)
	if len(steps) < 40 {
		t.Fatalf("found %d steps; want those of both paths", len(steps))
	}
	for _, m := range steps {
		number, name, file := m[1], m[2], m[3]
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Errorf("step %s: %v", number, err)
			continue
		}
		declared := regexp.MustCompile(`(?m)(^func (\([^)]*\) )?|^\t|^  (async )?#?|^(local )?function )` + name + `\(`)
		if !declared.MatchString(string(text)) {
			t.Errorf("step %s: %s has no %s", number, file, name)
		}
	}
}

func TestIndexesListEveryPage(t *testing.T) {
	for pages, index := range map[string]string{
		"tutorial/*.md": "README.md", "how-to/*.md": "README.md", "how-to/hosts/*.md": "README.md", "reference/*.md": "README.md", "explanation/*.md": "README.md",
		"adr/0*.md": "adr/README.md",
	} {
		text, err := os.ReadFile(index)
		if err != nil {
			t.Fatal(err)
		}
		found, err := filepath.Glob(pages)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pages, err)
		}
		for _, page := range found {
			name, err := filepath.Rel(filepath.Dir(index), page)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "("+name+")") {
				t.Errorf("docs/%s does not list %s", index, page)
			}
		}
	}
}

// Code, tables and headings may be longer, and so may the list of rules.
func TestLinesOfDocumentsAreAtMost120Characters(t *testing.T) {
	files(t, " .md ", func(path, text string) {
		if filepath.Base(path) == "rules.md" {
			return
		}
		prose := fence.ReplaceAllStringFunc(text, func(block string) string { return strings.Repeat("\n", strings.Count(block, "\n")) })
		for i, line := range strings.Split(prose, "\n") {
			if n := utf8.RuneCountInString(line); n > 120 && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "#") {
				t.Errorf("%s:%d is %d characters long", path, i+1, n)
			}
		}
	})
}

// page returns the text of a document.
func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sources returns the text of all Go files that are not tests.
func sources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	files(t, " .go ", func(path, text string) {
		if !strings.HasSuffix(path, "_test.go") {
			all.WriteString(text)
		}
	})
	return all.String()
}

func TestTroubleshootingQuotesLogLinesThatExist(t *testing.T) {
	code := sources(t)
	quotes := regexp.MustCompile("log(?:, [^:|`]*)?: `([^`…]+)").FindAllStringSubmatch(page(t, "how-to/troubleshoot.md"), -1)
	if len(quotes) < 6 {
		t.Fatalf("found %d quotes of the log", len(quotes))
	}
	for _, m := range quotes {
		line := strings.TrimSpace(m[1])
		if strings.ToUpper(line[:2]) == line[:2] {
			continue // of Redis
		}
		if !strings.Contains(code, line) {
			t.Errorf("docs/how-to/troubleshoot.md quotes the log line %q, which no Go file has", line)
		}
	}
}

func TestMetricsPageListsEveryMetric(t *testing.T) {
	metrics := regexp.MustCompile(`(?:counter|counters|histogram|gauge)\("([a-z_]+)"|Name: "([a-z_]+)"`).FindAllStringSubmatch(sources(t), -1)
	if len(metrics) == 0 {
		t.Fatal("found no metric in the code")
	}
	text := page(t, "reference/metrics.md")
	for _, m := range metrics {
		if !strings.Contains(text, "`"+m[1]+m[2]+"`") {
			t.Errorf("docs/reference/metrics.md lacks %s", m[1]+m[2])
		}
	}
}

func TestErrorsPageListsEveryCode(t *testing.T) {
	_, list, ok := strings.Cut(page(t, "reference/openapi.yaml"), "Each response below lists its codes.")
	list, _, ends := strings.Cut(list, "error: {")
	codes := regexp.MustCompile(`(?m)^ +- (\w+)$`).FindAllStringSubmatch(list, -1)
	if !ok || !ends || len(codes) < 20 {
		t.Fatalf("found %d codes in openapi.yaml", len(codes))
	}
	text := page(t, "reference/errors.md")
	for _, m := range codes {
		if !strings.Contains(text, "`"+m[1]+"`") {
			t.Errorf("docs/reference/errors.md lacks %s", m[1])
		}
	}
}

func TestGoCodeOfTheEmbeddingGuideCompiles(t *testing.T) {
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(page(t, "how-to/embed-in-go.md"), -1)
	if len(blocks) < 3 {
		t.Fatalf("found %d blocks of Go; want the program, metrics and an authenticator", len(blocks))
	}
	rest := `package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
)

var mayEnter func(context.Context, presence.UserID, presence.Project) (bool, error)

var _ identity.Authenticator = agents{}
`
	for _, block := range blocks[1:] {
		rest += "\n" + block[1]
	}
	dir := t.TempDir()
	files := []string{filepath.Join(dir, "main.go"), filepath.Join(dir, "rest.go")}
	for i, text := range []string{blocks[0][1], rest} {
		if err := os.WriteFile(files[i], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	vet := exec.Command("go", "vet", files[0], files[1])
	vet.Dir = root
	if out, err := vet.CombinedOutput(); err != nil {
		t.Errorf("go vet: %v\n%s", err, out)
	}
}
