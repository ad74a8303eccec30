package main

import (
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const envPrefix = "WRITER_PRESENCE_"

// newCommand makes the command line: the flags of a subcommand are declared once, and
// their environment variables and help follow from that. A subcommand with flags does not
// run while the environment has a variable that none of them reads.
func newCommand(environ []string, stdout, stderr io.Writer) *cobra.Command {
	env := lookup(environ)
	root := &cobra.Command{
		Use:           "writer-presence",
		Short:         "Shows who is online in a writing project, and which section each person is in",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       programVersion() + " " + runtime.Version(), // adds --version
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return explainFlag(c.Flags(), err) })
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newServe(env), newHealth(env), newCheckToken(), newVersion())
	for _, c := range root.Commands() {
		nameVariables(c.Flags())
		run, configured := c.RunE, c.HasFlags()
		c.RunE = func(c *cobra.Command, args []string) error {
			if !configured { // such as version, which has to work whatever else is wrong
				return run(c, args)
			}
			if err := checkVariables(root, environ); err != nil {
				return err
			}
			if err := readVariables(c.Flags(), env); err != nil {
				return err
			}
			return run(c, args)
		}
	}
	return root
}

// lookup makes of os.Environ what os.LookupEnv is. Of a variable that is there twice the last counts.
func lookup(environ []string) func(name string) (value string, ok bool) {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

func variable(flag *pflag.Flag) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

// onlyFlag annotates a flag that no environment variable sets.
const onlyFlag = "only-flag"

func hasVariable(f *pflag.Flag) bool { return f.Name != "help" && f.Annotations[onlyFlag] == nil }

// nameVariables says in the help of every flag which variable sets it, too.
func nameVariables(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if hasVariable(f) {
			f.Usage += " [" + variable(f) + "]"
		}
	})
}

// neverEmpty annotates a flag that is left out or has a value. An empty one would open the server, as if nothing identified
// people or kept tenants and origins apart: a variable that a script forgot to set is enough.
const neverEmpty = "never-empty"

func markNeverEmpty(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		flags.SetAnnotation(name, neverEmpty, []string{"true"})
	}
}

// readVariables sets the flags that the command line left out. An empty variable is as
// if it were not there, but for a flag with [neverEmpty].
func readVariables(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		if bad != nil || !hasVariable(f) {
			return
		}
		value, ok := env(variable(f))
		needed := f.Annotations[neverEmpty] != nil
		switch {
		case f.Changed && needed && strings.Trim(f.Value.String(), "[]") == "":
			bad = fmt.Errorf("--%s is empty and would have no effect: give it a value, or leave it out", f.Name)
		case f.Changed || !ok || value == "" && !needed:
		case value == "":
			bad = fmt.Errorf("%s is empty and would have no effect: give it a value, or unset it", variable(f))
		default:
			if err := flags.Set(f.Name, value); err != nil {
				bad = fmt.Errorf("%s=%q cannot be used: %w", variable(f), value, explainFlag(flags, err))
			}
		}
	})
	return bad
}
