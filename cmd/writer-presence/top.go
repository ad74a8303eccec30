package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"

	"github.com/writer-presence/writer-presence/hostapi/client"
)

const (
	// topInterval is the time between two refreshes of top.
	topInterval = 2 * time.Second
	// topProjects is how many projects top reads at most. More can be found by a filter.
	topProjects = 1000
)

// newTop returns the subcommand that shows in a terminal who is online, and refreshes that.
func newTop(env func(string) (string, bool)) *cobra.Command {
	h := &hostFlags{env: env}
	c := &cobra.Command{
		Use:   "top",
		Short: "Show who is online, live, in a terminal",
		Long: `Show the active projects of a running server and the people in them, every two seconds, and the
state of the node that answers. Keys: arrows choose, enter opens a project, / filters, k makes the
chosen user leave (it asks first), esc goes back, q ends.`,
		Example: "  writer-presence top --api-key-file /etc/writer-presence/api-key",
		Args:    cobra.NoArgs,
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if out, ok := c.OutOrStdout().(*os.File); !ok || !isTerminal(out) || !isTerminal(os.Stdin) {
			return errors.New("top needs a terminal; in scripts use ls or who with --json")
		}
		api, at, err := h.client()
		if err != nil {
			return err
		}
		source := topSource{api, func(err error) error { return h.explain(err, at) }}
		first := source.read(c.Context(), topQuery{})
		if first.err != nil {
			return first.err
		}
		m := newTopModel(at, first, source.read, source.kick)
		_, err = tea.NewProgram(m, tea.WithContext(c.Context()), tea.WithoutSignalHandler()).Run()
		if c.Context().Err() != nil { // SIGTERM
			return nil
		}
		return err
	}
	h.flags(c.Flags())
	c.Flags().Lookup("json").Hidden = true // for a terminal only
	c.Flags().SortFlags = false
	return c
}

// isTerminal reports whether a file is a terminal, or another device.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// topQuery says what top shows.
type topQuery struct {
	prefix string // of the projects
	open   string // the project that is open; empty for the list
	first  int    // the first project on the screen, and how many there are
	rows   int
}

// topData is what top read.
type topData struct {
	query    topQuery
	at       time.Time
	status   client.Status
	projects []client.Project
	more     bool // there are more projects than topProjects
	// people are the snapshots of the projects on the screen, or of the one that is open.
	people map[string]client.Snapshot
	err    error
}

// topSource reads from the host API.
type topSource struct {
	api     *client.Client
	explain func(error) error
}

// read reads what a query asks for. An error is in the data.
func (t topSource) read(ctx context.Context, q topQuery) topData {
	d := topData{query: q, at: time.Now(), people: map[string]client.Snapshot{}}
	err := func() (err error) {
		if d.status, err = t.api.Status(ctx); err != nil {
			return err
		}
		seen := map[string]bool{}
		for p, err := range t.api.Projects(ctx, q.prefix) {
			if err != nil {
				return err
			}
			if !seen[p.Project] {
				d.projects = append(d.projects, p)
			}
			seen[p.Project] = true
			if d.more = len(d.projects) >= topProjects; d.more {
				break
			}
		}
		slices.SortFunc(d.projects, func(a, b client.Project) int {
			return cmp.Or(cmp.Compare(b.People, a.People), strings.Compare(a.Project, b.Project))
		})
		names := []string{q.open}
		if q.open == "" {
			names = nil
			first := min(q.first, len(d.projects))
			for _, p := range d.projects[first:min(first+q.rows, len(d.projects))] {
				names = append(names, p.Project)
			}
		}
		for _, name := range names {
			if d.people[name], err = t.api.Project(ctx, name); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		d.err = t.explain(err)
	}
	return d
}

// kick makes a user leave a project.
func (t topSource) kick(ctx context.Context, project, user string, until time.Duration) error {
	if err := t.api.RemoveUser(ctx, project, client.UserID(user), until); err != nil {
		return t.explain(err)
	}
	return nil
}
