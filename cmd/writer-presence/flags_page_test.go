package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/reference/flags.md instead of comparing it")

const flagsPage = "../../docs/reference/flags.md"

var variableInHelp = regexp.MustCompile(` \[(WRITER_PRESENCE_[A-Z_]+)\]`)

// generateFlagsPage returns the page of flags and variables, from the same declarations as --help.
func generateFlagsPage() []byte {
	var b bytes.Buffer
	var reloaded []string
	b.WriteString("# Flags and environment variables\n\n" +
		"<!-- Generated from the flags: go test ./cmd/writer-presence -run FlagsPage -update -->\n\n" +
		"A flag wins over its variable, and both win over the file of `--config`, whose keys are the names of the flags of\n" +
		"`serve` ([how](../how-to/configure.md)). The server does not start while the environment has an unknown\n" +
		"variable `WRITER_PRESENCE_…`, the file an unknown key, or one of them a value that it cannot use.\n")
	for _, c := range newCommand(nil, os.Stdout, os.Stderr).Commands() {
		if c.Name() == "help" || !c.HasLocalFlags() {
			continue
		}
		if c.Name() == "check" {
			fmt.Fprintf(&b, "\n## check\n\n%s. It has the flags of [serve](#serve).\n", c.Short)
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n| flag | variable | default | meaning |\n| --- | --- | --- | --- |\n", c.Name(), c.Short)
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" || f.Hidden {
				return
			}
			argument, usage := pflag.UnquoteUsage(f)
			variable := ""
			if m := variableInHelp.FindStringSubmatch(usage); m != nil {
				usage, variable = strings.Replace(usage, m[0], "", 1), "`"+m[1]+"`"
			}
			standard := f.DefValue
			switch {
			case standard == "[]" || f.Value.Type() == "bool" && standard == "false":
				standard = ""
			case standard == "0" && strings.Contains(usage, "(default: "):
				standard = "" // the text has the default
			}
			if standard != "" {
				standard = "`" + standard + "`"
			}
			name := strings.TrimSpace("--" + f.Name + " " + argument)
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, variable, standard, strings.ReplaceAll(usage, "|", `\|`))
			if f.Annotations[reloadable] != nil && c.Name() == "serve" {
				reloaded = append(reloaded, "`--"+f.Name+"`")
			}
		})
	}
	fmt.Fprintf(&b, "\n## Which flags does SIGHUP apply?\n\nThese, with the content of their files. All others need a restart.\n\n%s\n", strings.Join(reloaded, ",\n"))
	return b.Bytes()
}

func TestFlagsPageListsEveryFlag(t *testing.T) {
	want := generateFlagsPage()
	if *update {
		if err := os.WriteFile(flagsPage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := readFile(t, flagsPage); !bytes.Equal(got, want) {
		t.Errorf("%s is out of date: run go test ./cmd/writer-presence -run FlagsPage -update", flagsPage)
	}
}
