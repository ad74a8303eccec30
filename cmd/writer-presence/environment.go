package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const envPrefix = "WRITER_PRESENCE_"

// Annotations of flags.
const (
	// onlyFlag marks a flag that has no environment variable.
	onlyFlag = "only-flag"
	// neverEmpty marks a flag that is left out or has a value. If one of these were empty, for instance because a script
	// forgot to set its variable, the server would run without the protection that the flag is there for, or a command
	// would be about all projects in place of one.
	neverEmpty = "never-empty"
	// reloadable marks a flag of serve whose new value is used after SIGHUP. A new value of any other needs a restart.
	reloadable = "reloadable"
	// hasContent marks a flag that names a file, and whose value changes when the content of the file does.
	hasContent = "has-content"
)

func annotate(flags *pflag.FlagSet, annotation string, names ...string) {
	for _, name := range names {
		flags.SetAnnotation(name, annotation, []string{"true"})
	}
}

func markNeverEmpty(flags *pflag.FlagSet, names ...string) { annotate(flags, neverEmpty, names...) }

// lookupIn returns os.LookupEnv for an environment in the form of os.Environ. Of a variable that is there twice, the last
// one counts.
func lookupIn(environ []string) func(name string) (value string, ok bool) {
	values := map[string]string{}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// variable returns the name of the environment variable that sets a flag.
func variable(flag *pflag.Flag) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
}

func hasVariable(f *pflag.Flag) bool { return f.Name != "help" && f.Annotations[onlyFlag] == nil }

// addVariablesToHelp appends the name of its variable to the help of each flag.
func addVariablesToHelp(flags *pflag.FlagSet) {
	flags.VisitAll(func(f *pflag.Flag) {
		if hasVariable(f) {
			f.Usage += " [" + variable(f) + "]"
		}
	})
}

// readVariables sets the flags that the command line left out from their variables. It ignores an empty variable, except
// that it returns an error if the flag is marked [neverEmpty].
func readVariables(flags *pflag.FlagSet, env func(string) (string, bool)) error {
	var bad error
	flags.VisitAll(func(f *pflag.Flag) {
		value, ok := "", false
		if hasVariable(f) {
			value, ok = env(variable(f))
		}
		needed := f.Annotations[neverEmpty] != nil
		switch {
		case bad != nil:
		case f.Changed && needed && isEmpty(f):
			bad = fmt.Errorf("--%s is empty and would have no effect: give it a value, or leave it out", f.Name)
		case f.Changed || !ok || value == "" && !needed:
		case value == "":
			bad = fmt.Errorf("%s is empty and would have no effect: give it a value, or unset it", variable(f))
		default:
			if err := flags.Set(f.Name, value); err != nil {
				bad = fmt.Errorf("%s=%q cannot be used: %w", variable(f), value, explainFlagError(flags, err))
			}
			flags.SetAnnotation(f.Name, sourceOfValue, []string{variable(f)})
		}
	})
	return bad
}

// isEmpty reports whether the value of a flag is an empty text or list.
func isEmpty(f *pflag.Flag) bool { return strings.Trim(f.Value.String(), "[]") == "" }

// kubernetesVariable matches the variables that Kubernetes sets in every container of a namespace with a Service named
// writer-presence or writer-presence-redis, such as WRITER_PRESENCE_SERVICE_HOST and
// WRITER_PRESENCE_PORT=tcp://10.0.0.1:80. It matches the values of the latter too, since WRITER_PRESENCE_PORT=8080 is a
// mistake for --addr.
var kubernetesVariable = regexp.MustCompile(`^WRITER_PRESENCE(_[A-Z0-9_]+)?_(` +
	`SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|` +
	`PORT=(tcp|udp|sctp)://|` +
	`PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=)`)

// checkVariables returns an error if environ, in the form of os.Environ, has a variable that is meant for this program
// but that no flag reads: one that begins with WRITER_PRESENCE_, or that is a misspelling of a known one. The error names
// a similar variable if there is one, and never shows a value, which may be a secret.
func checkVariables(root *cobra.Command, environ []string) error {
	known := map[string]bool{}
	for _, c := range root.Commands() {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if hasVariable(f) {
				known[variable(f)] = true
			}
		})
	}
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, _, _ := strings.Cut(entry, "=")
		if known[name] || kubernetesVariable.MatchString(entry) {
			continue
		}
		if _, edits := nearest(name, known); strings.HasPrefix(strings.ToUpper(name), envPrefix) || edits <= 2 {
			return fmt.Errorf("the environment variable %s is unknown and would have no effect%s: rename it, or unset it", name, similar(name, known))
		}
	}
	return nil
}
