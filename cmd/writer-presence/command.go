package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const envPrefix = "WRITER_PRESENCE_"

// newCommand makes the command line: the flags of a subcommand are declared once, and
// their environment variables and help follow from that.
func newCommand(env func(string) (string, bool), stdout, stderr io.Writer) *cobra.Command {
	root := &cobra.Command{
		Use:           "writer-presence",
		Short:         "Shows who is online in a writing project, and which section each person is in",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newServe(env), newHealth(), newVersion())
	for _, c := range root.Commands() {
		nameVariables(c.Flags())
		run := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			if err := readVariables(c.Flags(), env); err != nil {
				return err
			}
			return run(c, args)
		}
	}
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Print the version of the program, and of Go that it was built with.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			version, goVersion := "unknown", "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version, goVersion = info.Main.Version, info.GoVersion
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "writer-presence %s (%s)\n", version, goVersion)
			return err
		},
	}
}

func variable(flag *pflag.Flag) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// nameVariables says in the help of every flag which variable sets it, too.
func nameVariables(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) { f.Usage += " [" + variable(f) + "]" })
}

// readVariables sets the flags that the command line left out. An empty variable is as
// if it were not there.
func readVariables(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		value, ok := env(variable(f))
		if f.Changed || !ok || value == "" || bad != nil || f.Name == "help" {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			bad = fmt.Errorf("%s=%q cannot be used: %w", variable(f), value, err)
		}
	})
	return bad
}
