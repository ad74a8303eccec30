package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"
)

// configFlag is the flag that names a file with values of flags. Every subcommand with flags has it.
const configFlag = "config"

// sourceOfValue is the annotation with the variable or the file that set a flag. A flag that the command line set has none.
const sourceOfValue = "source"

func addConfigFlag(flags *pflag.FlagSet) {
	flags.String(configFlag, "", "`file` in TOML whose keys are the names of the flags of serve; a flag and its variable take precedence")
	markNeverEmpty(flags, configFlag)
}

// readSettings sets the flags that the command line left out: from their variables, and those without one from the file of
// --config. known are the flags that may be keys of the file, those of serve; the keys of other subcommands' flags are skipped.
func readSettings(flags, known *pflag.FlagSet, env func(string) (string, bool)) error {
	if err := readVariables(flags, env); err != nil {
		return err
	}
	path, err := flags.GetString(configFlag)
	if err != nil || path == "" {
		return err
	}
	values, err := readConfig(path)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if f := known.Lookup(key); f == nil || !hasKey(f) {
			return unknownKey(path, key, values[key], known)
		}
		f := flags.Lookup(key)
		if f == nil || f.Changed {
			continue
		}
		if err := setFromConfig(flags, f, values[key]); err != nil {
			return fmt.Errorf("%s: %s cannot be used: %w", path, key, explainFlagError(flags, err))
		}
		if isEmpty(f) && f.Annotations[neverEmpty] != nil {
			return fmt.Errorf("%s: %s is empty and would have no effect: give it a value, or remove the line", path, key)
		}
		flags.SetAnnotation(key, sourceOfValue, []string{path})
	}
	return nil
}

// hasKey reports whether a flag can be a key of the file of --config.
func hasKey(f *pflag.Flag) bool { return hasVariable(f) && f.Name != configFlag }

// readConfig reads the file of --config.
func readConfig(path string) (values map[string]any, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read the file of --config: %w", err)
	}
	_, err = toml.Decode(string(text), &values)
	if syntax := (toml.ParseError{}); errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s, line %d, is not TOML: %s; write lines such as addr = \"127.0.0.1:8080\"", path, syntax.Position.Line, syntax.Message)
	}
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return values, nil
}

// unknownKey returns the error for a key that is no flag of serve, with the most similar one if there is one.
func unknownKey(path, key string, value any, known *pflag.FlagSet) error {
	if _, isTable := value.(map[string]any); isTable {
		return fmt.Errorf("%s has a table [%s], which would have no effect: the keys are not in tables", path, key)
	}
	names := map[string]bool{}
	known.VisitAll(func(f *pflag.Flag) {
		if hasKey(f) {
			names[f.Name] = true
		}
	})
	return fmt.Errorf("%s: the key %q is unknown and would have no effect%s: rename it, or remove the line", path, key, similar(strings.ReplaceAll(key, "_", "-"), names))
}

// setFromConfig sets a flag to a value of TOML, which must have the type of the flag.
func setFromConfig(flags *pflag.FlagSet, f *pflag.Flag, value any) error {
	kind, fits := f.Value.Type(), false
	isNumber := kind == "int" || kind == "float64"
	switch v := value.(type) {
	case string:
		fits = kind != "bool" && !isNumber
	case bool:
		fits = kind == "bool"
	case int64:
		fits = isNumber
	case float64:
		fits = kind == "float64"
	case []any:
		return setList(f, v)
	}
	if !fits {
		return errors.New("write " + exampleOf(f))
	}
	return flags.Set(f.Name, fmt.Sprint(value))
}

// setList sets a flag that is a list.
func setList(f *pflag.Flag, values []any) error {
	list, ok := f.Value.(pflag.SliceValue)
	texts := make([]string, len(values))
	for i, v := range values {
		var isText bool
		texts[i], isText = v.(string)
		ok = ok && isText
	}
	if !ok {
		return errors.New("write " + exampleOf(f))
	}
	f.Changed = true
	return list.Replace(texts)
}

// exampleOf returns how a value of a flag is written in TOML.
func exampleOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false, without quotes"
	case "int":
		return "a whole number without quotes, such as 100"
	case "float64":
		return "a number without quotes, such as 20 or 0.5"
	case "duration":
		return `a time in quotes, such as "30s" or "2m"`
	case "stringSlice":
		return `a list of texts, such as ["a", "b"]`
	default:
		return fmt.Sprintf("a text in quotes, such as %q", cmp.Or(f.DefValue, "a"))
	}
}
