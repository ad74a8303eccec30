package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Kubernetes gives every container of a namespace with a Service named writer-presence, or writer-presence-redis,
// variables such as WRITER_PRESENCE_SERVICE_HOST and WRITER_PRESENCE_PORT=tcp://10.0.0.1:80. The values of the latter
// are matched too, since WRITER_PRESENCE_PORT=8080 is a mistake for --addr.
var kubernetesVariable = regexp.MustCompile(`^WRITER_PRESENCE(_[A-Z0-9_]+)?_(` +
	`SERVICE_HOST=|SERVICE_PORT(_[A-Z0-9_]+)?=|` +
	`PORT=(tcp|udp|sctp)://|` +
	`PORT_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?=)`)

// checkVariables returns an error if environ, in the form of os.Environ, has a variable that is meant for this program
// and that no flag reads: one that begins with WRITER_PRESENCE_, or that is a misspelling of a known one. The error names
// the nearest known variable, and never shows a value, which may be a secret.
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
		near, edits := nearest(name, known)
		if strings.HasPrefix(strings.ToUpper(name), envPrefix) || edits <= 2 {
			return fmt.Errorf("the environment variable %s is not known and would have no effect; the nearest one is %s: rename it, or unset it", name, near)
		}
	}
	return nil
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
