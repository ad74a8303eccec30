package access

import (
	"cmp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	presence "github.com/writer-presence/writer-presence"
)

// normaliseSections gives all sections of an update the form in which sections are compared and stored.
func normaliseSections(u *presence.Update) {
	u.Section, u.WaitingFor = NormalSection(u.Section), NormalSection(u.WaitingFor)
	if u.Saved.Section != "" {
		// An empty section would make this the zero Saved, which means no save. The service rejects "/".
		u.Saved.Section = cmp.Or(NormalSection(u.Saved.Section), "/")
	}
}

// NormalSection returns a section in the form in which sections are compared and stored: in NFC, in
// which texts that look the same are equal; without slashes at both ends, repeated slashes and "."
// segments; without white space around segments, and with one space for each white space inside. Other
// spellings of no section at all, such as "/", become the empty section. ".." is a segment like any
// other. The result may still be invalid; [presence.Service] checks it. It allocates no memory for a
// section of plain ASCII that is normal.
//
// client/section.js has the same rules; testdata/sections.json has texts that both are tested with.
func NormalSection(s presence.Section) presence.Section {
	if isNormal(s) {
		return s
	}
	var segments []string
	for segment := range strings.SplitSeq(norm.NFC.String(string(s)), "/") {
		segment = strings.Join(strings.FieldsFunc(segment, isSpace), " ")
		if segment != "" && segment != "." {
			segments = append(segments, segment)
		}
	}
	return presence.Section(strings.Join(segments, "/"))
}

// isSpace reports whether a character is a space that separates words. Line breaks, tabs and other
// controls are not: sections with them are rejected.
func isSpace(r rune) bool { return unicode.Is(unicode.Zs, r) }

// isNormal is the fast path of NormalSection for printable ASCII without spaces. It returns false for
// other sections, normal or not.
func isNormal(s presence.Section) bool {
	segment := 0 // where the current segment begins
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c > '~':
			return false
		case c == '/':
			if i == segment || s[segment:i] == "." {
				return false
			}
			segment = i + 1
		}
	}
	return segment < len(s) && s[segment:] != "." || s == ""
}
