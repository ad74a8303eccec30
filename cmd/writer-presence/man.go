package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// newMan returns the hidden subcommand with which packages make their man pages. The pages have the date of
// SOURCE_DATE_EPOCH, if that is set, so that the same source gives the same bytes.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the man pages of all commands into a directory",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			for _, other := range c.Root().Commands() {
				if other.Name() == "completion" { // its pages say what each shell's documentation says
					c.Root().RemoveCommand(other)
				}
			}
			return doc.GenManTree(c.Root(), &doc.GenManHeader{Source: "Writer Presence", Manual: "Writer Presence"}, args[0])
		},
	}
}
