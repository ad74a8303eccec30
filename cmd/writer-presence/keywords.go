package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// meanings are groups of words that people write for one another.
var meanings = [][]string{
	{"on", "true", "yes", "1", "all", "any", "everyone", "everybody", "enabled"},
	{"off", "false", "no", "0", "none", "nobody", "disabled"},
}

// sameMeaning reports whether two words are in one group.
func sameMeaning(a, b string) bool {
	return slices.ContainsFunc(meanings, func(group []string) bool { return slices.Contains(group, a) && slices.Contains(group, b) })
}

// misspelt returns the keyword that a value was probably meant to be: one that it is but for its case, for one letter,
// or for being another word for it; "" for none. The value is not itself one of the keywords. Of two that are as near,
// the first in keywords wins.
func misspelt(value string, keywords ...string) string {
	lower := strings.ToLower(strings.TrimSpace(value))
	for most := range 2 {
		for _, k := range keywords {
			if sameMeaning(lower, k) || edits(lower, k) <= most {
				return k
			}
		}
	}
	return ""
}

// explainFlag adds to an error of the command line, or of a variable, what was probably meant.
func explainFlag(flags *pflag.FlagSet, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		names := map[string]bool{}
		flags.VisitAll(func(f *pflag.Flag) { names["--"+f.Name] = true })
		if near, n := nearest("--"+unknown.GetSpecifiedName(), names); n >= 0 && n <= 2 {
			return fmt.Errorf("%w: did you mean %s?", err, near)
		}
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "bool" {
		if meant := misspelt(invalid.GetValue(), "true", "false"); meant != "" {
			return fmt.Errorf("%w: did you mean %s?", err, meant)
		}
		return fmt.Errorf("%w: give true or false", err)
	}
	return err
}

// checkAdminAddr rejects an address for health and metrics that nobody can listen at.
func checkAdminAddr(addr string) error {
	if addr == "" || addr == "off" {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		if meant := misspelt(addr, "off"); meant != "" {
			return fmt.Errorf("--admin-addr %q: did you mean %s? Give off, or a host and a port such as %s", addr, meant, defaultAdminAddr)
		}
		return fmt.Errorf("--admin-addr %q: give a host and a port such as %s, or off", addr, defaultAdminAddr)
	}
	return nil
}
