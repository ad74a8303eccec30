package main

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

// anyEnvironment is the annotation of a subcommand with flags that reads no settings, and so works with any environment,
// like one without flags.
const anyEnvironment = "any-environment"

// newCommand returns the command line. A subcommand declares its flags; their environment variables and the help follow
// from that, and the keys of the file of --config from the flags of serve. A subcommand with flags returns an error if the
// environment has a variable that no flag reads.
func newCommand(environ []string, stdout, stderr io.Writer) *cobra.Command {
	env := lookupIn(environ)
	root := &cobra.Command{
		Use:           "writer-presence",
		Short:         "Shows who is online in a writing project, and which section each person is in",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       programVersion() + " " + runtime.Version(), // adds --version
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return explainFlagError(c.Flags(), err) })
	serve := newServe(env)
	root.AddCommand(serve, newCheck(env), newConfig(serve.Flags()), newHealth(env), newLs(env), newWho(env), newWhere(env), newKick(env), newTop(env),
		newToken(), newCheckToken(), newVersion(), newMan())
	root.Args = explainCommand(root)
	for _, c := range root.Commands() {
		c.Args = explainArguments(c.Args)
		run, configured := c.RunE, c.HasFlags() && c.Annotations[anyEnvironment] == ""
		if configured {
			addConfigFlag(c.Flags())
		}
		addVariablesToHelp(c.Flags())
		c.RunE = func(c *cobra.Command, args []string) error {
			if !configured {
				return run(c, args)
			}
			if err := checkVariables(root, environ); err != nil {
				return err
			}
			if err := readSettings(c.Flags(), serve.Flags(), env); err != nil {
				return err
			}
			return run(c, args)
		}
	}
	return root
}
