package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const fixture = "## Rules\n\n1. One.\n2. Two.\n3. Planned: three.\n\n## Cases\n\n### Some\n1. First.\n\n## Tests\n\n" + begin + end

// write makes a repository of a page and two files with tests.
func write(t *testing.T, page, goLine, jsLine string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range map[string]string{
		"docs/reference/rules.md": page,
		"a/a_test.go":             "package a\n" + goLine + "\n}\n",
		"b/b.test.js":             "  " + jsLine + "\n  });\n",
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	goLine = "func TestA(t *testing.T) { // rules 1 and 2"
	jsLine = "test(`it's ${x} | <b>`, async () => { // rule 2, case 1"
)

func TestTableHasTheTestsOfEveryRuleAndCase(t *testing.T) {
	root := write(t, fixture, goLine, jsLine)
	if err := run(root); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs/reference/rules.md"))
	if err != nil {
		t.Fatal(err)
	}
	const a, b = "`a/a_test.go`: TestA", "`b/b.test.js`: it's … \\| &lt;b>"
	want := strings.Replace(fixture, begin, begin+"| | tests | among them |\n| --- | --- | --- |\n| rule 1 | 1 | "+a+" |\n| rule 2 | 2 | "+a+"<br>"+b+
		" |\n| rule 3 | planned |  |\n| case 1 | 1 | "+b+" |\n", 1)
	if string(text) != want {
		t.Errorf("the page is\n%s\nwant\n%s", text, want)
	}
	if again, err := generate(root, want); err != nil || again != want {
		t.Errorf("a second run gives %v and\n%s", err, again)
	}
}

func TestAllTestsOfAnItemArePrinted(t *testing.T) {
	root := write(t, fixture, goLine, jsLine)
	const a, b = "rule 2\ta/a_test.go: TestA\n", "rule 2\tb/b.test.js: it's … | <b>\n"
	for name, want := range map[string]string{
		"rule 2": a + b, "rules 1 and 2": "rule 1\ta/a_test.go: TestA\n" + a + b, "case 1": "case 1\tb/b.test.js: it's … | <b>\n",
	} {
		var out strings.Builder
		if err := show(&out, root, name); err != nil || out.String() != want {
			t.Errorf("%q prints %q, %v; want %q", name, out.String(), err, want)
		}
	}
	for name, want := range map[string]string{"rule 7": "no test names rule 7", "8": `cannot read "8"`, "law 8": `cannot read "law 8"`} {
		var out strings.Builder
		if err := show(&out, root, name); err == nil || !strings.Contains(err.Error(), want) || out.Len() > 0 {
			t.Errorf("%q prints %q, %v; want the error %q", name, out.String(), err, want)
		}
	}
}

func TestProblemsAreReported(t *testing.T) {
	for name, c := range map[string]struct{ page, goLine, jsLine, want string }{
		"a rule without a test":          {fixture, "func TestA(t *testing.T) { // rule 2", jsLine, "rule 1 has no test"},
		"a case without a test":          {fixture, goLine, "test('b', () => { // rule 2", "case 1 has no test"},
		"a rule that does not exist":     {fixture, goLine + " and 4", jsLine, `"TestA" names rule 4`},
		"a planned rule that has a test": {fixture, goLine + " and 3", jsLine, `rule 3 is planned and has the test "TestA"`},
		"an unreadable marker":           {fixture, goLine + ": both", jsLine, `cannot read the marker "rules 1 and 2: both" of "TestA"`},
		"a page without a place":         {strings.Replace(fixture, begin, "", 1), goLine, jsLine, "has no lines"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(write(t, c.page, c.goLine, c.jsLine)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; want one with %q", err, c.want)
			}
		})
	}
}

func TestRulesPageIsUpToDate(t *testing.T) {
	const root = "../.."
	old, err := os.ReadFile(filepath.Join(root, page))
	if err != nil {
		t.Fatal(err)
	}
	text, err := generate(root, string(old))
	if err != nil {
		t.Error(err)
	}
	if text != string(old) {
		t.Errorf("%s is out of date; run make docs", page)
	}
}
