package identity_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/writer-presence/writer-presence/identity"
)

func TestNamesAreNormalised(t *testing.T) { // NFC
	for name, want := range map[string]string{
		"Zoe\u0308":                  "Zo\u00eb",
		"e\u200b\u0301":              "\u00e9", // what is dropped kept them apart
		"\u1112\u1161\u11ab":         "\ud55c",
		"\u212b":                     "\u00c5",
		"a\u202eb":                   "ab",
		"\u0646\u200c\u0645":         "\u0646\u200c\u0645", // a joiner that the script needs
		"\U0001f469\u200d\U0001f680": "\U0001f469\u200d\U0001f680",
		"  Ada\t\nLovelace ":         "Ada Lovelace",
	} {
		if user, err := identity.NewUser("1", name); err != nil || user.Name != want {
			t.Errorf("NewUser(%+q): got %+q, %v, want %+q", name, user.Name, err, want)
		}
	}
}

// A user's name is bounded, visible and in NFC, and cleaning it again changes nothing.
func FuzzName(f *testing.F) {
	for _, name := range []string{"", "alice", "\u202e", "e\u200b\u0301", strings.Repeat("a\u0301", 300), "\U0001f469\u200d\U0001f680\u200d", "\xff\xfe", "\u1112\u1161\u11ab", "a\u0323\u0307", "\u0344", "\u2000\u2001"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		user, err := identity.NewUser("1", name)
		if err != nil {
			t.Fatal(err)
		}
		again, err := identity.NewUser("1", user.Name)
		if err != nil || again != user {
			t.Errorf("NewUser(%+q): got %+q, and %+q, %v from that, want the same", name, user.Name, again.Name, err)
		}
		n := user.Name
		if n == "" || len(n) > 1024 || !utf8.ValidString(n) || !norm.NFC.IsNormalString(n) || strings.TrimSpace(n) != n || strings.ContainsFunc(n, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
		}) {
			t.Errorf("NewUser(%+q): got %+q, want a short, clean name in NFC", name, n)
		}
		if i := user.Initials(); i == "" || len(i) > 256 {
			t.Errorf("initials of %+q: got %+q, want 1 to 256 bytes", n, i)
		}
	})
}
