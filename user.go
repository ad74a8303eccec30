package presence

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxUserID is the length limit of a user's id, in bytes.
	MaxUserID = 512
	// MaxUsername is the length limit of a username, in graphemes.
	MaxUsername = 64
	// maxUsernameBytes bounds a username whose graphemes have many combining marks.
	maxUsernameBytes = 512
	// maxAvatarURL is the length limit of the address of a picture, in bytes.
	maxAvatarURL = 1000
)

// UserID is the id that the host chose for a person, as text: 42 and "42" are the same person.
type UserID string

// Number returns the id as an integer if it is a decimal of at most [MaxSafe] without a sign or leading
// zeros; otherwise ok is false. Messages have such an id as a JSON number, and any other as a string.
func (id UserID) Number() (n uint64, ok bool) {
	if len(id) == 0 || len(id) > 16 || (id[0] == '0' && len(id) > 1) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(id), 10, 64)
	return n, err == nil && n <= MaxSafe
}

// isValid reports whether id can be the id of a user or a visitor.
func (id UserID) isValid() bool {
	return id != "" && len(id) <= MaxUserID && utf8.ValidString(string(id)) && !strings.ContainsFunc(string(id), isDisallowed)
}

// compare orders ids: numbers by value, before all others.
func (id UserID) compare(other UserID) int {
	a, aNumber := id.Number()
	b, bNumber := other.Number()
	switch {
	case aNumber && bNumber:
		return cmp.Compare(a, b)
	case aNumber:
		return -1
	case bNumber:
		return 1
	}
	return strings.Compare(string(id), string(other))
}

// VisitorPrefix begins the ids of visitors. No other id may begin with it.
const VisitorPrefix = "visitor-"

// User is a person. Make one with [NewUser], which cleans the name.
type User struct {
	ID      UserID
	Name    string
	Visitor bool // not authenticated by the host; identified by a cookie
	// AvatarURL is the address of a picture, as [AvatarURL] returns it; empty for none.
	AvatarURL string
	// Agent says that this is software that acts by itself.
	Agent bool
}

// AvatarURL returns s if it can be the address of a user's picture, and "" otherwise: an absolute https
// URL of at most 1,000 bytes of printable ASCII, without user and password.
func AvatarURL(s string) string {
	rest, ok := strings.CutPrefix(s, "https://")
	if !ok || len(s) > maxAvatarURL {
		return ""
	}
	for i := range len(rest) {
		if c := rest[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return ""
		}
	}
	host := rest
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		host = rest[:end]
	}
	if host == "" || host[0] == ':' || strings.Contains(host, "@") {
		return ""
	}
	return s
}

// NewUser returns a user with an id and a name that a host gave. It removes control and zero-width
// characters from the name, cuts it to MaxUsername graphemes, and uses the id instead if nothing is
// left. Cleaning a clean name changes nothing. Its error is [ErrUserIDInvalid].
func NewUser(id UserID, name string, visitor bool) (User, error) {
	u, err := normalUser(id, name, visitor)
	u.Name = strings.Clone(u.Name) // a part of name would keep all of name in memory
	return u, err
}

// Check returns an error for a user that [NewUser] and [AvatarURL] would not make: [ErrUserIDInvalid],
// [ErrUsernameInvalid] or [ErrAvatarInvalid]. It allocates no memory for a valid user.
func (u User) Check() error {
	if u.AvatarURL != AvatarURL(u.AvatarURL) {
		return ErrAvatarInvalid
	}
	if u.isPlain() {
		return nil
	}
	made, err := normalUser(u.ID, u.Name, u.Visitor)
	switch {
	case err != nil:
		return err
	case made.Name != u.Name:
		return ErrUsernameInvalid
	}
	return nil
}

// isPlain is the fast path of Check for most users: no visitor, and an id and a name of
// printable ASCII with single spaces inside.
func (u User) isPlain() bool {
	if u.ID == "" || len(u.ID) > MaxUserID || u.Name == "" || len(u.Name) > MaxUsername || u.Visitor || strings.HasPrefix(string(u.ID), VisitorPrefix) {
		return false
	}
	for i := range len(u.ID) {
		if c := u.ID[i]; c < ' ' || c > '~' {
			return false
		}
	}
	before := byte(' ')
	for i := range len(u.Name) {
		c := u.Name[i]
		if c < ' ' || c > '~' || c == ' ' && before == ' ' {
			return false
		}
		before = c
	}
	return before != ' '
}

// normalUser is NewUser without the copy: the name may share memory with its argument.
func normalUser(id UserID, name string, visitor bool) (User, error) {
	if !id.isValid() || strings.HasPrefix(string(id), VisitorPrefix) != visitor {
		return User{}, ErrUserIDInvalid
	}
	if name = cleanName(name); !strings.ContainsFunc(name, isVisible) {
		name = cleanName(string(id))
	}
	if !strings.ContainsFunc(name, isVisible) {
		name = "?"
	}
	return User{ID: id, Name: name, Visitor: visitor}, nil
}

// cleanName removes disallowed characters, collapses white space and bounds the length. The result may
// share memory with name.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case isDisallowed(r):
			return -1
		}
		return r
	}, name)
	if !hasSingleSpaces(name) {
		words := slices.DeleteFunc(strings.Fields(name), func(word string) bool { return strings.Trim(word, joiners) == "" })
		name = strings.Join(words, " ")
	}
	name = strings.TrimLeft(name, joiners)
	end := 0
	for count := 0; end < len(name) && count < MaxUsername; count++ {
		g := grapheme(name[end:])
		if end+len(g) > maxUsernameBytes {
			break
		}
		end += len(g)
	}
	return strings.TrimRight(name[:end], " "+joiners)
}

// hasSingleSpaces reports whether single spaces separate the words of name, with none around
// them, and every word is more than joiners.
func hasSingleSpaces(name string) bool {
	for word := range strings.SplitSeq(name, " ") {
		if strings.Trim(word, joiners) == "" {
			return false
		}
	}
	return true
}

// Initials returns one or two graphemes for an avatar: the first of the first and last word, or the
// first two of a single word.
func (u User) Initials() string {
	words := strings.Fields(u.Name)
	if len(words) == 0 {
		return "?"
	}
	first := grapheme(words[0])
	second := grapheme(words[0][len(first):])
	if len(words) > 1 {
		second = grapheme(words[len(words)-1])
	}
	if isPictogram(first) {
		second = ""
	}
	return strings.ToUpper(first + second)
}

// sortKey returns the case-folded name, by which lists are ordered.
func (u User) sortKey() string { return strings.ToLower(strings.ToUpper(u.Name)) }

// grapheme returns the first grapheme of s: a base character with its marks and joined parts. It
// implements the rules of Unicode Annex 29 that names need (marks, joiners, skin tones, flags), without
// its tables.
func grapheme(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if isFlagPart(r) {
		if next, m := utf8.DecodeRuneInString(s[n:]); isFlagPart(next) {
			return s[:n+m]
		}
	}
	for n < len(s) {
		next, m := utf8.DecodeRuneInString(s[n:])
		switch {
		case next == '\u200d': // joins the next character, if there is one
			after, k := utf8.DecodeRuneInString(s[n+m:])
			if k == 0 || unicode.IsSpace(after) || !isPictogram(string(after)) {
				n += m
			} else {
				n += m + k
			}
		case unicode.Is(unicode.M, next), next == '\u200c', 0x1f3fb <= next && next <= 0x1f3ff:
			n += m
		default:
			return s[:n]
		}
	}
	return s[:n]
}

// joiners are the zero-width characters with which scripts and pictograms join others.
const joiners = "\u200c\u200d"

func isFlagPart(r rune) bool { return 0x1f1e6 <= r && r <= 0x1f1ff }

// isPictogram reports whether a grapheme is a symbol such as an emoji.
func isPictogram(g string) bool {
	r, _ := utf8.DecodeRuneInString(g)
	return unicode.Is(unicode.So, r)
}
