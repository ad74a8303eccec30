package main

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"
)

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
