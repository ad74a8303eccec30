package main

import (
	"errors"
	"fmt"
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

// nearest returns the word that takes the fewest edits to get from text, whatever the case, and how many. Of several it
// returns the first in the alphabet.
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

// edits counts the characters to insert, remove, replace or swap with their neighbour to make b of a (optimal string
// alignment). It compares bytes, and takes time in proportion to the product of the lengths.
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
