package presence

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxName is how many characters the id of a project or a session may have.
	MaxName = 64
	// MaxSection is how many characters a section may have, from the note's
	// CharField(max_length=100).
	MaxSection = 100
)

// Project is the scope of visibility: an opaque id that the host chose.
type Project string

// ParseProject checks a project id from outside. The error is [ErrProjectInvalid].
func ParseProject(s string) (Project, error) {
	if s == "" || s == "." || s == ".." || !isName(s) { // dots alone never arrive: clients take them out of a path
		return "", ErrProjectInvalid
	}
	return Project(s), nil
}

// Section is a place in a project: a path such as manuscript/abstract. The empty
// section is that of somebody who is online without one.
type Section string

// check tells whether a section from outside may be stored: empty, or a path of
// segments that each show something, in at most MaxSection characters.
func (s Section) check() error {
	if s.isPlain() {
		return nil
	}
	if len(s) > utf8.UTFMax*MaxSection || utf8.RuneCountInString(string(s)) > MaxSection {
		return ErrSectionTooLong
	}
	if !utf8.ValidString(string(s)) || strings.ContainsFunc(string(s), isUnseen) {
		return ErrSectionInvalid
	}
	for segment := range strings.SplitSeq(string(s), "/") {
		if !strings.ContainsFunc(segment, isSeen) {
			return ErrSectionInvalid
		}
	}
	return nil
}

// isPlain tells of most sections, quickly, that nothing is wrong with them: ASCII without
// spaces, in segments that are not empty.
func (s Section) isPlain() bool {
	before := byte('/')
	for i := range len(s) {
		c := s[i]
		if c <= ' ' || c > '~' || c == '/' && before == '/' {
			return false
		}
		before = c
	}
	return len(s) <= MaxSection && (before != '/' || s == "")
}

// isName tells whether s has the grammar that project and session ids share,
// the unreserved characters of a URL (RFC 3986, 2.3). The empty string has.
func isName(s string) bool {
	if len(s) > MaxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9',
			c == '.', c == '_', c == '~', c == '-':
		default:
			return false
		}
	}
	return true
}

// isSeen tells of a character that leaves ink, and so can stand alone: not white space,
// nor the letters and symbols that are there to be blank.
func isSeen(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u2800', '\u3164', '\uffa0', utf8.RuneError:
		return false
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// isUnseen tells of a character that would not show as itself: controls, line
// and paragraph separators, marks that turn the direction of what follows, and
// fillers of no width. The joiners U+200C and U+200D are not among them, since
// scripts need them to write words.
func isUnseen(r rune) bool {
	switch {
	case ' ' <= r && r <= '~':
		return false
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return true
	case r == '\u200c', r == '\u200d':
		return false
	case r == utf8.RuneError:
		return true
	default:
		return unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || 0x2060 <= r && r <= 0x2064 || r == '\ufeff' || r == '\u180e' || 0xfff9 <= r && r <= 0xfffb || r == '\u00ad'
	}
}
