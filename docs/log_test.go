package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// text returns the value of a string literal or of a sum of string literals.
func text(e ast.Expr) (s string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		left, ok := text(e.X)
		right, ok2 := text(e.Y)
		return left + right, ok && ok2
	}
	return "", false
}

// logged returns the messages of the warnings and errors that a Go file logs. The messages of an outage are in its field
// failing, and those of keys in the result warning of a function.
func logged(t *testing.T, path, source string) (messages []string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	add := func(e ast.Expr) {
		message, ok := text(e)
		if name := exprName(e); !ok && name != "failing" && name != "warning" {
			t.Errorf("%s logs %s; want a string that this test can read", path, name)
		}
		if ok {
			messages = append(messages, regexp.MustCompile(`%\d*\w`).ReplaceAllString(message, "…"))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			method, ok := n.Fun.(*ast.SelectorExpr)
			if !ok || !slices.Contains([]string{"log", "Log", "slog"}, exprName(method.X)) {
				break
			}
			switch method.Sel.Name {
			case "Warn", "Error":
				add(n.Args[0])
			case "WarnContext", "ErrorContext":
				add(n.Args[1])
			case "Log", "LogAttrs":
				if level := exprName(n.Args[1]); level != "LevelDebug" && level != "LevelInfo" {
					add(n.Args[2])
				}
			}
		case *ast.KeyValueExpr:
			if exprName(n.Key) == "failing" {
				add(n.Value)
			}
		case *ast.FuncDecl:
			if results := n.Type.Results; results == nil || len(results.List[0].Names) == 0 || results.List[0].Names[0].Name != "warning" {
				break
			}
			ast.Inspect(n.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && exprName(call.Fun) == "Sprintf" {
					add(call.Args[0])
				}
				return true
			})
		}
		return true
	})
	return messages
}

// exprName returns the last name of a selector, or the name of an identifier.
func exprName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestLogPageListsEveryWarningAndError(t *testing.T) {
	var want []string
	files(t, " .go ", func(path, source string) {
		below, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(below, "examples/") || strings.HasPrefix(below, "bench/") {
			return
		}
		want = append(want, logged(t, below, source)...)
	})
	if len(want) < 25 {
		t.Fatalf("found %d messages in the code", len(want))
	}
	var got []string
	for _, m := range regexp.MustCompile("(?m)^\\| (?:warn|error) \\| `([^`]+)` \\|").FindAllStringSubmatch(page(t, "reference/log.md"), -1) {
		got = append(got, m[1])
		if !slices.Contains(want, m[1]) {
			t.Errorf("docs/reference/log.md has %q, which no Go file logs", m[1])
		}
	}
	for _, message := range want {
		if !slices.Contains(got, message) {
			t.Errorf("docs/reference/log.md lacks %q", message)
		}
	}
}
