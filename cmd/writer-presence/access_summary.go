package main

import (
	"net/url"
	"strings"
)

// accessSummary describes who gets into which projects, for the log line at the start. Of addresses it has the host only:
// the rest may have a password or a key, and scripts look for http:// to find the server's own address.
func (s *settings) accessSummary() string {
	var ways []string
	switch {
	case s.auth.jwtSecretFile != "":
		ways = append(ways, "a token signed with the secret in "+s.auth.jwtSecretFile+" opens the projects that it names")
	case s.auth.jwksURL != "":
		ways = append(ways, "a token signed with a key from "+hostOf(s.auth.jwksURL)+" opens the projects that it names")
	}
	if s.auth.authURL != "" {
		ways = append(ways, "the application at "+hostOf(s.auth.authURL)+" opens a project to users for whom it answers 200")
	}
	if s.dev {
		ways = append(ways, "anybody on this machine under any name (--dev) gets into every project")
	}
	rule, others := s.visitorRule, "anybody else"
	switch {
	case len(ways) == 0:
		others = "anybody who reaches this server"
	case s.auth.authURL != "": // the application rejects everybody else, except those for whom it answers 401
		others = "anybody for whom the application answers 401"
	}
	switch {
	case rule.every:
		ways = append(ways, others+" gets into every project as a visitor")
	case !rule.none():
		visitors := others + " gets as a visitor into " + rule.projects()
		if len(ways) == 0 {
			visitors += "; nobody gets into any other project"
		}
		ways = append(ways, visitors)
	case len(ways) == 0:
		ways = append(ways, "nobody: visitors are off, and nothing else identifies users")
	case s.changed("visitors"):
		ways = append(ways, "nobody else: visitors are off")
	default:
		ways = append(ways, "nobody else: visitors are off unless --visitors lets them in")
	}
	return strings.Join(ways, "; ")
}

// hostOf returns the host and port of an address, without user and password.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an invalid address"
	}
	return u.Host
}
