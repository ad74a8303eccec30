package main

import (
	"cmp"
	"fmt"
	"regexp"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// release is the release that this source belongs to. A test compares it with client/package.json.
const release = "0.1.0"

// version and revision are set by the linker: -ldflags "-X main.version=1.2.3 -X main.revision=294c41534bce". If they are
// empty, the build information of the Go tool is used.
var version, revision string

// tagged matches the version of a module that was fetched by a tag, pseudo the end of a pseudo-version: the time and
// revision of a commit.
var (
	tagged = regexp.MustCompile(`^v[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$`)
	pseudo = regexp.MustCompile(`[0-9]{14}-([0-9a-f]{12})`)
)

// programVersion returns the version and the revision of the source, or "unknown" for a revision that is not recorded.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return describe(version, revision, info)
}

// describe returns the version and revision that the linker set, and otherwise those in the build information.
func describe(version, revision string, info *debug.BuildInfo) string {
	if version == "" && tagged.MatchString(info.Main.Version) && !pseudo.MatchString(info.Main.Version) {
		return info.Main.Version // by go install …@v1.2.3: the tag identifies the source
	}
	modified := ""
	if revision == "" {
		if found := pseudo.FindStringSubmatch(info.Main.Version); found != nil {
			revision = found[1]
		}
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value[:min(len(s.Value), 12)]
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = ", modified"
			}
		}
	}
	return fmt.Sprintf("%s (revision %s%s)", cmp.Or(version, release), cmp.Or(revision, "unknown"), modified)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Long:  "Print the version and revision of the program, and the version of Go that it was built with.",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(c.OutOrStdout(), "writer-presence", programVersion(), runtime.Version())
			return err
		},
	}
}
