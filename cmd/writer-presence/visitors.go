package main

import (
	"fmt"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// visitorRule says which projects are open to people who have not signed in.
type visitorRule struct {
	every bool
	only  []presence.Project // where it is not every project
}

// projectPrefix precedes the name of a project that looks like a keyword of --visitors.
const projectPrefix = "project:"

// likeKeyword returns the keyword of --visitors that a name may be a spelling of, or "".
func likeKeyword(name string) string { return misspelt(name, "off", "on") }

// visitorUsage ends each error about --visitors.
const visitorUsage = "give on, off, or projects with commas; project:NAME is always the project NAME"

// parseVisitors reads the value of --visitors. A value that was not given is on while there is no other way to identify
// people, and off as soon as there is one: else whoever leaves the token out, or is signed out, would get in everywhere.
// A project whose name looks like a misspelt keyword has to be written as project:NAME; ':' is in no project's name.
func parseVisitors(value string, given, otherWay bool) (visitorRule, error) {
	if !given {
		return visitorRule{every: !otherWay}, nil
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
		if meant := likeKeyword(name); meant != "" && !exact {
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

// allowed is the rule as an authenticator takes it.
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

// String returns the rule as --visitors takes it, with at most ten projects.
func (r visitorRule) String() string {
	switch {
	case r.every:
		return "on"
	case r.none():
		return "off"
	}
	return r.list(",", func(name string) string {
		if likeKeyword(name) != "" {
			return projectPrefix + name
		}
		return name
	})
}

// projects describes the open projects of a rule that names them, as in "2 projects: blog, wiki", with at most ten names.
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
