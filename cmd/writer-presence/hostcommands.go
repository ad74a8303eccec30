package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/writer-presence/writer-presence/hostapi/client"
)

// maxKick is the longest time for which the host API removes a user.
const maxKick = 24 * time.Hour

// hostCommand returns a subcommand that asks the host API. run returns the value for --json, and writes the table for
// people.
func hostCommand(h *hostFlags, c *cobra.Command, run func(ctx context.Context, c *client.Client, args []string) (value any, table func(io.Writer), err error)) *cobra.Command {
	c.RunE = func(c *cobra.Command, args []string) error {
		if slices.Contains(args, "") { // for instance because a script forgot to set a variable
			return fmt.Errorf("an argument is empty; see writer-presence %s --help", c.Name())
		}
		api, at, err := h.client()
		if err != nil {
			return err
		}
		value, table, err := run(c.Context(), api, args)
		if err != nil {
			return h.explain(err, at)
		}
		if h.json {
			encoder := json.NewEncoder(c.OutOrStdout())
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			return encoder.Encode(value)
		}
		w := tabwriter.NewWriter(c.OutOrStdout(), 0, 0, 2, ' ', 0)
		table(w)
		return w.Flush()
	}
	h.flags(c.Flags())
	c.Flags().SortFlags = false
	return c
}

func newLs(env func(string) (string, bool)) *cobra.Command {
	return hostCommand(&hostFlags{env: env}, &cobra.Command{
		Use:   "ls [PREFIX]",
		Short: "List the active projects, with the number of people in each",
		Long: `List the active projects of a running server, on all its nodes, with the number of people and
of agents in each. With PREFIX only those whose ids begin with it are listed.`,
		Example: "  writer-presence ls --api-key-file /etc/writer-presence/api-key",
		Args:    cobra.MaximumNArgs(1),
	}, func(ctx context.Context, c *client.Client, args []string) (any, func(io.Writer), error) {
		all, err := activeProjects(ctx, c, append(args, "")[0])
		return all, func(w io.Writer) {
			if len(all) == 0 {
				fmt.Fprintln(w, "nobody is online")
				return
			}
			fmt.Fprintln(w, "PROJECT\tPEOPLE\tAGENTS")
			for _, p := range all {
				fmt.Fprintf(w, "%s\t%d\t%d\n", printable(p.Project), p.People, p.Agents)
			}
		}, err
	})
}

// activeProjects returns the active projects whose ids begin with a prefix, each once, in order.
func activeProjects(ctx context.Context, c *client.Client, prefix string) ([]client.Project, error) {
	all := []client.Project{} // [] in JSON
	for p, err := range c.Projects(ctx, prefix) {
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(a, b client.Project) int { return strings.Compare(a.Project, b.Project) })
	return slices.CompactFunc(all, func(a, b client.Project) bool { return a.Project == b.Project }), nil
}

func newWho(env func(string) (string, bool)) *cobra.Command {
	return hostCommand(&hostFlags{env: env}, &cobra.Command{
		Use:   "who PROJECT",
		Short: "List who is in a project, and in which section",
		Long: `List who is in a project: one line for each session, which is one tab of a user or what the
host listed. A session is in conflict if another user claims its section at the same time.`,
		Example: "  writer-presence who 42 --api-key-file /etc/writer-presence/api-key",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, c *client.Client, args []string) (any, func(io.Writer), error) {
		s, err := c.Project(ctx, args[0])
		return s, func(w io.Writer) {
			if s.Partial {
				fmt.Fprintln(w, "the store lost data a short time ago, so people may be missing")
			}
			if len(s.Sessions) == 0 {
				fmt.Fprintf(w, "nobody is in project %s\n", printable(args[0]))
				return
			}
			fmt.Fprintln(w, "USER\tNAME\tSECTION\tACTIVITY\tLAST SEEN")
			for _, r := range rowsOf(s) {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.user, r.name, r.section, r.activity, age(r.seen))
			}
		}, err
	})
}

func newWhere(env func(string) (string, bool)) *cobra.Command {
	return hostCommand(&hostFlags{env: env}, &cobra.Command{
		Use:     "where USER",
		Short:   "List the projects and sections that a user is in",
		Long:    "List the projects and sections that a user is in, by the id of the user, which is the first column of who.",
		Example: "  writer-presence where 7 --api-key-file /etc/writer-presence/api-key",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, c *client.Client, args []string) (any, func(io.Writer), error) {
		places, err := c.User(ctx, client.UserID(args[0]))
		slices.SortFunc(places, func(a, b client.Place) int { return strings.Compare(a.Project, b.Project) })
		places = append([]client.Place{}, slices.CompactFunc(places, func(a, b client.Place) bool { return a.Project == b.Project })...)
		return places, func(w io.Writer) {
			if len(places) == 0 {
				fmt.Fprintf(w, "user %s is in no project\n", printable(args[0]))
				return
			}
			fmt.Fprintln(w, "PROJECT\tNAME\tSECTIONS\tACTIVITY\tLAST SEEN")
			for _, p := range places {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", printable(p.Project), printable(p.User.Name), printable(strings.Join(p.User.Sections, ", ")),
					activity(p.User.Activity, len(p.User.Unsaved) > 0, p.User.WaitingFor, p.User, false), age(p.User.LastSeen))
			}
		}, err
	})
}

func newKick(env func(string) (string, bool)) *cobra.Command {
	var project string
	var until time.Duration
	c := hostCommand(&hostFlags{env: env}, &cobra.Command{
		Use:   "kick USER",
		Short: "Make a user leave a project, or all projects",
		Long: `End all sessions of a user, and close the user's live connections on every node within a second.
Without --for, the page comes back by itself if your application still lets the user in.
--for 0s takes a removal back. USER is the id of the user, which is the first column of who.`,
		Example: "  writer-presence kick 7 --project thesis --for 10m --api-key-file /etc/writer-presence/api-key",
		Args:    cobra.ExactArgs(1),
	}, func(ctx context.Context, c *client.Client, args []string) (any, func(io.Writer), error) {
		id := args[0]
		if until < 0 || until > maxKick {
			return nil, nil, fmt.Errorf("--for %v: give a time from 0s to %v", until, maxKick)
		}
		answer := struct {
			User     string `json:"user_id"`
			Projects int    `json:"projects"`
			Seconds  int    `json:"for"`
		}{id, 1, int((until + time.Second - 1) / time.Second)}
		var err error
		where := "project " + printable(project)
		if project != "" {
			err = c.RemoveUser(ctx, project, client.UserID(id), until)
		} else {
			answer.Projects, err = c.RemoveUserEverywhere(ctx, client.UserID(id), until)
			if where = fmt.Sprintf("%d projects", answer.Projects); answer.Projects == 1 {
				where = "1 project"
			}
		}
		return answer, func(w io.Writer) {
			fmt.Fprintf(w, "ended all sessions of user %s in %s\n", printable(id), where)
			if until > 0 {
				fmt.Fprintf(w, "the server rejects the user for %v\n", until)
			}
			if answer.Projects == 0 {
				fmt.Fprintln(w, "if that is not what you meant, look up the id of the user with who")
			}
		}, err
	})
	c.Flags().StringVar(&project, "project", "", "`project` that the user must leave (default: all)")
	c.Flags().DurationVar(&until, "for", 0, "how long the server rejects the user, at most 24h")
	markOnlyFlags(c.Flags(), "project", "for")
	markNeverEmpty(c.Flags(), "project")
	return c
}

// row is one session of a project as people read it.
type row struct {
	id, session                   string // as the host API has them
	user, name, section, activity string
	seen                          time.Time
	conflict                      bool
}

// key identifies the session.
func (r row) key() string { return r.id + " " + r.session }

// rowsOf returns the sessions of a project, those of a section together, ordered by name in each.
func rowsOf(s client.Snapshot) []row {
	users := map[client.UserID]client.User{}
	for _, u := range s.Users {
		users[u.ID] = u
	}
	contested := conflicts(s.Sessions)
	var rows []row
	for _, session := range s.Sessions {
		u := users[session.User]
		conflict := claims(session) && contested[session.Section]
		rows = append(rows, row{
			string(session.User), session.Session, printable(string(session.User)), printable(u.Name), printable(session.Section),
			activity(session.Activity, session.Unsaved, session.WaitingFor, u, conflict), session.LastSeen, conflict,
		})
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(strings.Compare(a.section, b.section), strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)), strings.Compare(a.user, b.user))
	})
	return rows
}

// claims reports whether a session claims its section (rules 5 and 18): its user edits there or has unsaved changes.
func claims(s client.Session) bool {
	return s.Section != "" && (s.Activity == "editing" || s.Unsaved)
}

// conflicts returns the sections that several users claim.
func conflicts(sessions []client.Session) map[string]bool {
	first, contested := map[string]client.UserID{}, map[string]bool{}
	for _, s := range sessions {
		if !claims(s) {
			continue
		}
		if user, ok := first[s.Section]; !ok {
			first[s.Section] = s.User
		} else if user != s.User {
			contested[s.Section] = true
		}
	}
	return contested
}

// activity describes what somebody does.
func activity(what string, unsaved bool, waitingFor string, u client.User, conflict bool) string {
	what = printable(what)
	if conflict {
		what += ", in conflict"
	}
	if unsaved {
		what += ", unsaved changes"
	}
	if waitingFor != "" {
		what += ", waits for " + printable(waitingFor)
	}
	if u.Agent {
		what += ", agent"
	}
	if u.Visitor {
		what += ", visitor"
	}
	return what
}

// age returns how long ago something was, in the largest unit.
func age(t time.Time) string { return span(max(0, time.Since(t))) + " ago" }

// span returns a duration in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// printable returns text without what would control a terminal or change the order of letters. Characters of except stay.
func printable(text string, except ...rune) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || slices.Contains(except, r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}
