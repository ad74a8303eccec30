package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// synonyms are groups of values that people confuse.
var synonyms = [][]string{
	{"on", "true", "yes", "1", "all", "any", "everyone", "everybody", "enabled"},
	{"off", "false", "no", "0", "none", "nobody", "disabled"},
}

// areSynonyms reports whether two values are in one group.
func areSynonyms(a, b string) bool {
	return slices.ContainsFunc(synonyms, func(group []string) bool { return slices.Contains(group, a) && slices.Contains(group, b) })
}

// misspelt returns the accepted value that was probably meant: one that differs by its case or by one edit, or that is a
// synonym; "" if there is none. The value must not be an accepted one itself. Of two that are equally near, the first wins.
func misspelt(value string, accepted ...string) string {
	lower := strings.ToLower(strings.TrimSpace(value))
	for most := range 2 {
		for _, a := range accepted {
			if areSynonyms(lower, a) || edits(lower, a) <= most {
				return a
			}
		}
	}
	return ""
}

// nearest returns the word with the fewest edits to text, whatever the case, and their number. Of several it returns the
// first in the alphabet.
func nearest(text string, words map[string]bool) (word string, least int) {
	least = -1
	for candidate := range words {
		n := edits(strings.ToUpper(text), strings.ToUpper(candidate))
		if least < 0 || n < least || n == least && candidate < word {
			word, least = candidate, n
		}
	}
	return word, least
}

// similar returns a part of an error that names the nearest word; nothing if more than a third of text would have to be
// edited, since another word was meant then.
func similar(text string, words map[string]bool) string {
	near, n := nearest(text, words)
	if n > max(1, len(strings.TrimPrefix(strings.ToUpper(text), envPrefix))/3) {
		return ""
	}
	return "; the most similar one is " + near
}

// edits returns the number of bytes to insert, remove, replace or swap with their neighbour to turn a into b (optimal
// string alignment). It takes time in proportion to the product of the lengths.
func edits(a, b string) int {
	var before, last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// explainFlagError adds what was probably meant to an error about an unknown flag or an invalid boolean.
func explainFlagError(flags *pflag.FlagSet, err error) error {
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

// explainCommand returns a check of the arguments of root, which are names of commands that do not exist.
func explainCommand(root *cobra.Command) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		names := map[string]bool{}
		for _, c := range root.Commands() {
			if !c.Hidden {
				names[c.Name()] = true
			}
		}
		return fmt.Errorf("there is no command %q%s: writer-presence help lists all", args[0], similar(args[0], names))
	}
}

// explainArguments adds what to write to the error of a check of arguments.
func explainArguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return fmt.Errorf("%w; write: %s", err, c.UseLine())
		}
		return nil
	}
}
