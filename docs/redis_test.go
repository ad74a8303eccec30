package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

var (
	goFunction  = regexp.MustCompile(`(?m)^func (?:\([^)]*\) )?(\w+)\(`)
	luaFunction = regexp.MustCompile(`(?m)^local function (\w+)\(`)
)

// functions returns the names of the functions of a file, in order.
func functions(t *testing.T, file string, declaration *regexp.Regexp) (names []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range declaration.FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	return names
}

// snakeCase returns the Lua name of a Go function: end_session for endSession.
func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func TestLuaFunctionsHaveTheOrderOfTheirGoFunctions(t *testing.T) {
	for file, least := range map[string]int{"member": 14, "roster": 12, "save": 5, "update": 4, "leave": 3, "section_move": 4, "removal": 2} {
		lua := functions(t, "redisstore/"+file+".lua", luaFunction)
		var want []string
		for _, name := range functions(t, file+".go", goFunction) {
			if name = snakeCase(name); slices.Contains(lua, name) && !slices.Contains(want, name) {
				want = append(want, name)
			}
		}
		var got []string
		for _, name := range lua {
			if slices.Contains(want, name) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) || len(got) < least {
			t.Errorf("%s.lua has these functions of %s.go: %q; want at least %d, in this order: %q", file, file, got, least, want)
		}
	}
}

func TestRedisPageNamesFunctionsThatExist(t *testing.T) {
	text, err := os.ReadFile("explanation/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| [0-9, ]+ \|.*$`).FindAllString(string(text), -1)
	if len(rows) < 20 {
		t.Fatalf("found %d rules in docs/explanation/redis.md", len(rows))
	}
	named := regexp.MustCompile("`(\\w+)` in `(\\w+\\.(go|lua))`")
	for _, row := range rows {
		found := named.FindAllStringSubmatch(row, -1)
		if len(found) != 2 {
			t.Errorf("names %d functions; want 2: %s", len(found), row)
		}
		for _, m := range found {
			name, file, declaration := m[1], m[2], goFunction
			if m[3] == "lua" {
				file, declaration = "redisstore/"+file, luaFunction
			}
			if !slices.Contains(functions(t, file, declaration), name) {
				t.Errorf("%s has no function %s: %s", file, name, row)
			}
		}
	}
}
