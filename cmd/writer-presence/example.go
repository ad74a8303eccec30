package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// exampleWidth is the length of the comment lines in an example, in bytes.
const exampleWidth = 100

// newConfig returns the subcommand that prints an example of a file for --config, with the flags of serve.
func newConfig(serve *pflag.FlagSet) *cobra.Command {
	var example bool
	c := &cobra.Command{
		Use:         "config",
		Short:       "Print an example of a configuration file",
		Long:        "Print an example of a file for --config, with every key, its meaning and its default as comments.",
		Example:     "  writer-presence config --example > /etc/writer-presence/presence.toml",
		Args:        cobra.NoArgs,
		Annotations: map[string]string{anyEnvironment: "true"},
		RunE: func(c *cobra.Command, _ []string) error {
			if !example {
				return c.Help()
			}
			printExample(c.OutOrStdout(), serve)
			return nil
		},
	}
	c.Flags().BoolVar(&example, "example", false, "print the example")
	c.Flags().SetAnnotation("example", onlyFlag, []string{"true"})
	return c
}

// printExample prints the flags as a file for --config in which every line is a comment.
func printExample(out io.Writer, flags *pflag.FlagSet) {
	fmt.Fprint(out, "# Settings of writer-presence serve --config FILE. The keys are the names of its flags. A flag on the\n"+
		"# command line and its environment variable take precedence. Remove the # before a key to set it.\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if !hasKey(f) {
			return
		}
		_, usage := pflag.UnquoteUsage(f)
		usage, _, _ = strings.Cut(usage, " ["+envPrefix)
		fmt.Fprintln(out)
		line := "#"
		for word := range strings.FieldsSeq(usage) {
			if len(line)+len(word) >= exampleWidth {
				fmt.Fprintln(out, line)
				line = "#"
			}
			line += " " + word
		}
		fmt.Fprintf(out, "%s\n# %s = %s\n", line, f.Name, tomlValue(f))
	})
}

// tomlValue returns the value of a flag in TOML.
func tomlValue(f *pflag.Flag) string {
	if list, ok := f.Value.(pflag.SliceValue); ok {
		quoted := []string{}
		for _, text := range list.GetSlice() {
			quoted = append(quoted, strconv.Quote(text))
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	}
	switch f.Value.Type() {
	case "bool", "int", "float64":
		return f.Value.String()
	default:
		return strconv.Quote(f.Value.String())
	}
}
