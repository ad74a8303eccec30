package presence

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxName is the length limit of project and session ids, in characters.
	MaxName = 64
	// MaxSection is the length limit of a section, in characters.
	MaxSection = 100
)

// Project is the scope of visibility: an opaque id that the host chose.
type Project string

// ParseProject checks a project id that a caller sent. Its error is [ErrProjectInvalid].
func ParseProject(s string) (Project, error) {
	if s == "" || s == "." || s == ".." || !isName(s) { // clients resolve "." and ".." in a URL's path before they send it
		return "", ErrProjectInvalid
	}
	return Project(s), nil
}

// Section is a place in a project: a path such as manuscript/abstract. A session that is online
// without a section has the empty one.
type Section string

// check returns an error unless the section is empty, or a path of at most MaxSection characters
// whose segments each have a visible character.
func (s Section) check() error {
	if s.isPlain() {
		return nil
	}
	if s.isTooLong() {
		return ErrSectionTooLong
	}
	if !utf8.ValidString(string(s)) || strings.ContainsFunc(string(s), isDisallowed) {
		return ErrSectionInvalid
	}
	for segment := range strings.SplitSeq(string(s), "/") {
		if !strings.ContainsFunc(segment, isVisible) {
			return ErrSectionInvalid
		}
	}
	return nil
}

// isTooLong reports whether the section has more than MaxSection characters.
func (s Section) isTooLong() bool {
	return len(s) > utf8.UTFMax*MaxSection || utf8.RuneCountInString(string(s)) > MaxSection
}

// check returns an error unless the save has a section and a revision, or is zero.
func (s Saved) check() error {
	switch {
	case s == Saved{}:
		return nil
	case s.Section == "":
		return ErrSectionInvalid
	case s.Revision == "", len(s.Revision) > utf8.UTFMax*MaxRevision, utf8.RuneCountInString(s.Revision) > MaxRevision,
		!utf8.ValidString(s.Revision), strings.ContainsFunc(s.Revision, isDisallowed):
		return ErrRevisionInvalid
	}
	return s.Section.check()
}

// isPlain is the fast path of check for most sections: printable ASCII without spaces, in segments
// that are not empty.
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

// isName reports whether s has the grammar of project and session ids: the unreserved characters of
// a URL (RFC 3986, 2.3). It accepts the empty string.
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

// isVisible reports whether a character is visible by itself. White space is not, nor are the letters
// and symbols that Unicode has as blanks.
func isVisible(r rune) bool {
	switch r {
	case '\u115f', '\u1160', '\u2800', '\u3164', '\uffa0', utf8.RuneError:
		return false
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S)
}

// isDisallowed reports whether a character must not be in an id, name or section: controls, line and
// paragraph separators, bidirectional controls and zero-width fillers. The joiners U+200C and U+200D
// are allowed, since some scripts need them inside words.
func isDisallowed(r rune) bool {
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
