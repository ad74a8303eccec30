package main

import (
	"fmt"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// visitorRule is a value of --visitors: the projects that are open to users who have not signed in.
type visitorRule struct {
	every bool
	only  []presence.Project // if not every project is open
}

// projectPrefix marks a name in --visitors as a project, even if it looks like on or off.
const projectPrefix = "project:"

// likeOnOff returns "on" or "off" if the name may be a misspelling of it, or "".
func likeOnOff(name string) string { return misspelt(name, "off", "on") }

// visitorUsage is the end of each error about --visitors.
const visitorUsage = "give on, off, or projects with commas; project:NAME is always the project NAME"

// parseVisitors reads the value of --visitors. If the flag was not given, visitors are on, unless users are authenticated
// in another way: then anybody without a token or session would get into every project. A project whose name looks like
// a misspelt on or off must be written as project:NAME; no project's name has a colon.
func parseVisitors(value string, given, authenticated bool) (visitorRule, error) {
	if !given {
		return visitorRule{every: !authenticated}, nil
	}
	switch value {
	case "on":
		return visitorRule{every: true}, nil
	case "off":
		return visitorRule{}, nil
	}
	var r visitorRule
	for name := range strings.SplitSeq(value, ",") {
		name, exact := strings.CutPrefix(strings.TrimSpace(name), projectPrefix)
		if meant := likeOnOff(name); meant != "" && !exact {
			return visitorRule{}, fmt.Errorf("--visitors %q: did you mean %s? If there is a project %s, write project:%s; %s", value, meant, name, name, visitorUsage)
		}
		project, err := presence.ParseProject(name)
		if err != nil {
			return visitorRule{}, fmt.Errorf("--visitors %q: %w; %s", value, err, visitorUsage)
		}
		r.only = append(r.only, project)
	}
	return r, nil
}

// none reports whether no project is open.
func (r visitorRule) none() bool { return !r.every && len(r.only) == 0 }

// allowed returns the rule in the form of [identity.Visitors.Allowed].
func (r visitorRule) allowed() func(presence.Project) bool {
	if r.every {
		return identity.EveryProject
	}
	projects := map[presence.Project]bool{}
	for _, p := range r.only {
		projects[p] = true
	}
	return func(p presence.Project) bool { return projects[p] }
}

// String returns the rule in the form of --visitors, with at most ten projects.
func (r visitorRule) String() string {
	switch {
	case r.every:
		return "on"
	case r.none():
		return "off"
	}
	return r.list(",", func(name string) string {
		if likeOnOff(name) != "" {
			return projectPrefix + name
		}
		return name
	})
}

// projects returns the number and at most ten names of the open projects, as in "2 projects: blog, wiki".
func (r visitorRule) projects() string {
	noun := "projects"
	if len(r.only) == 1 {
		noun = "project"
	}
	return fmt.Sprintf("%d %s: %s", len(r.only), noun, r.list(", ", func(name string) string { return name }))
}

// list joins the names of the open projects, at most ten of them.
func (r visitorRule) list(separator string, spell func(name string) string) string {
	var names []string
	for _, p := range r.only[:min(len(r.only), 10)] {
		names = append(names, spell(string(p)))
	}
	if more := len(r.only) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(names, separator)
}
