package main

import (
	"net/url"
	"strings"
)

// access describes who gets into which projects, for the log line of the start. Of each address it has the host only,
// without http://: the rest may hold a password or a key, and scripts find the server's own address by its http://.
func (s *settings) access() string {
	var ways []string
	switch {
	case s.gates.jwtSecretFile != "":
		ways = append(ways, "a token signed with the secret in "+s.gates.jwtSecretFile+" opens the projects that it names")
	case s.gates.jwksURL != "":
		ways = append(ways, "a token signed with a key from "+host(s.gates.jwksURL)+" opens the projects that it names")
	}
	if s.gates.authURL != "" {
		ways = append(ways, "the application at "+host(s.gates.authURL)+" opens a project to those whom it answers 200")
	}
	if s.dev {
		ways = append(ways, "anybody on this machine under any name (--dev) gets into every project")
	}
	rule, others := s.visitorRule, "anybody else"
	switch {
	case len(ways) == 0:
		others = "anybody who reaches this server"
	case s.gates.authURL != "": // the application rejects everybody else, except those whom it answers 401
		others = "anybody whom the application answers 401"
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
		ways = append(ways, "nobody: visitors are off, and there is no other way to identify people")
	case s.visitorsChosen:
		ways = append(ways, "nobody else: visitors are off")
	default:
		ways = append(ways, "nobody else: visitors are off unless --visitors lets them in")
	}
	return strings.Join(ways, "; ")
}

// host returns the host and port of an address, without user and password.
func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	return u.Host
}
