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
	// MaxUserID is how many bytes a user's id may have.
	MaxUserID = 200
	// MaxUsername is how many graphemes of a username are kept.
	MaxUsername = 64
	// maxUsernameBytes bounds them together, whatever marks they are piled with.
	maxUsernameBytes = 512
)

// UserID is the id that the host chose for a person, as text: 42 and "42" are
// the same person.
type UserID string

// Number gives the id as an integer if it is a canonical decimal of at most
// MaxSafe; that is the form in which the wire has it then.
func (id UserID) Number() (n uint64, ok bool) {
	if len(id) == 0 || len(id) > 16 || (id[0] == '0' && len(id) > 1) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(id), 10, 64)
	return n, err == nil && n <= MaxSafe
}

// compare orders ids: numbers by value and before all others.
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

// VisitorPrefix begins the ids of visitors, and of nobody else.
const VisitorPrefix = "visitor-"

// User is a person. Make one with [NewUser], which cleans what a host says.
type User struct {
	ID      UserID
	Name    string
	Visitor bool // no host vouches for them
}

// NewUser makes a user of what a host says of a person. The name is cleaned of
// what would not show as itself and cut to MaxUsername graphemes; the id serves
// for a name that is empty then. Cleaning a clean name changes nothing. The
// error is [ErrUserIDInvalid].
func NewUser(id UserID, name string, visitor bool) (User, error) {
	u, err := normalUser(id, name, visitor)
	u.Name = strings.Clone(u.Name) // a part of name would keep all of name in memory
	return u, err
}

// Check returns an error for a user that [NewUser] would not make: [ErrUserIDInvalid]
// or [ErrUsernameInvalid]. It allocates no memory for a valid user.
func (u User) Check() error {
	if u.isPlain() {
		return nil
	}
	made, err := normalUser(u.ID, u.Name, u.Visitor)
	switch {
	case err != nil:
		return err
	case made != u:
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

// normalUser is NewUser, and returns a name that is already clean as it is, without a copy.
func normalUser(id UserID, name string, visitor bool) (User, error) {
	if id == "" || len(id) > MaxUserID || !utf8.ValidString(string(id)) || strings.ContainsFunc(string(id), isUnseen) ||
		strings.HasPrefix(string(id), VisitorPrefix) != visitor {
		return User{}, ErrUserIDInvalid
	}
	if name = cleanName(name); !strings.ContainsFunc(name, isSeen) {
		name = cleanName(string(id))
	}
	if !strings.ContainsFunc(name, isSeen) {
		name = "?"
	}
	return User{ID: id, Name: name, Visitor: visitor}, nil
}

// cleanName drops what does not show, folds white space and bounds the rest. The result may
// be a part of name.
func cleanName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case isUnseen(r):
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

// Initials are one or two graphemes that stand for the name: of the first and the
// last word, or the first two of a single one.
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

// foldedName is the key by which lists are ordered.
func (u User) foldedName() string { return strings.ToLower(strings.ToUpper(u.Name)) }

// grapheme gives the first character of s as a reader counts them: a base with
// its marks and joined parts. It follows the rules of Unicode Annex 29 that
// names meet (marks, joiners, skin tones, flags), without its tables.
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
		case next == '\u200d': // joins what follows, if anything does
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

// joiners are the marks by which scripts and pictograms say what belongs together.
const joiners = "\u200c\u200d"

func isFlagPart(r rune) bool { return 0x1f1e6 <= r && r <= 0x1f1ff }

// isPictogram tells of a grapheme that is a symbol, and so stands for itself.
func isPictogram(g string) bool {
	r, _ := utf8.DecodeRuneInString(g)
	return unicode.Is(unicode.So, r)
}
