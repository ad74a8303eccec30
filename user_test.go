package presence

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestUserIDIsANumberIfItIsACanonicalDecimal(t *testing.T) {
	for id, want := range map[UserID]bool{
		"0": true, "1": true, "9007199254740991": true,
		"9007199254740992": false, "01": false, "-1": false, "+1": false, "1.0": false, "": false, "1e3": false, " 1": false, "٣": false,
		"18446744073709551617": false,
	} {
		if _, ok := id.Number(); ok != want {
			t.Errorf("id %q is a number: %v; want %v", id, ok, want)
		}
	}
}

func TestColorIsThePaletteOfTheNoteAtIDModulo8(t *testing.T) { // rule 17
	for id, want := range map[UserID]string{
		"0": "#ef4444", "1": "#f59e0b", "7": "#14b8a6", "9": "#f59e0b", "9007199254740991": "#14b8a6",
		// FNV-1a, 32 bit: of "a" e40c292c, of "foobar" bf9cf968 (from its authors' test suite).
		"a": "#6366f1", "foobar": "#ef4444",
	} {
		if got := (User{ID: id}).Color(); got != want {
			t.Errorf("colour of %q is %s; want %s", id, got, want)
		}
	}
}

func TestInitialsAreOneOrTwoGraphemes(t *testing.T) { // case 17
	for name, want := range map[string]string{
		"alice": "AL", "Alice Bonner": "AB", "a": "A", "Ana María de la Cruz": "AC",
		"éa": "ÉA", "e\u0301a": "E\u0301A", "王小明": "王小", "🦊": "🦊", "🦊 fox": "🦊", "👩🏽‍💻 Ada": "👩🏽‍💻",
		"🇩🇪 Jan": "🇩🇪", "नमस्ते": "नम", "مريم": "مر",
	} {
		if got := (User{Name: name}).Initials(); got != want {
			t.Errorf("initials of %q are %q; want %q", name, got, want)
		}
	}
}

func TestNewUserCleansAndBoundsNames(t *testing.T) { // cases 17, 43
	for name, want := range map[string]string{
		"  Alice \t Bonner\n":       "Alice Bonner",
		"Al\u202eice":               "Alice",
		"Al\x00ice\x1b[31m":         "Alice[31m",
		"Al\u200bice\ufeff":         "Alice",
		"می\u200cخواهم":             "می\u200cخواهم", // the joiner is part of the word
		"\u200dAlice":               "Alice",
		"a\xffb":                    "ab",
		"👩🏽‍💻":                      "👩🏽‍💻",
		"":                          "7",
		" \u200b":                   "7",
		strings.Repeat("x", 10<<10): strings.Repeat("x", MaxUsername),
	} {
		u, err := NewUser("7", name, false)
		if err != nil || u.Name != want {
			t.Errorf("%.40q became %q, %v; want %q", name, u.Name, err, want)
		}
	}
}

func TestNewUserRejectsInvalidIDs(t *testing.T) { // case 16
	for _, id := range []UserID{UserID(strings.Repeat("x", MaxUserID)), UserID(strings.Repeat("é", MaxUserID/2)), "did:web:example.org:user:alice", "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"} {
		if u, err := NewUser(id, "Alice", false); err != nil || u.ID != id || u.Check() != nil {
			t.Errorf("NewUser(%q): %+v, %v, want the id accepted", id, u, err)
		}
	}
	for _, id := range []UserID{"", "a\nb", "a\u202eb", "\xff", UserID(strings.Repeat("x", MaxUserID+1)), "visitor-7"} {
		if _, err := NewUser(id, "Alice", false); !errors.Is(err, ErrUserIDInvalid) {
			t.Errorf("id %.20q: %v; want %v", id, err, ErrUserIDInvalid)
		}
	}
	if _, err := NewUser("7", "Alice", true); !errors.Is(err, ErrUserIDInvalid) {
		t.Errorf("a visitor without the prefix in the id: %v; want %v", err, ErrUserIDInvalid)
	}
}

func TestAvatarIsAnHTTPSAddress(t *testing.T) { // rule 21, invariant 12
	for s, valid := range map[string]bool{
		"":                                          true,
		"https://example.org/a.png?s=64#x":          true,
		"https://[2001:db8::1]/a":                   true,
		"http://example.org/a.png":                  false,
		"javascript:alert(1)":                       false,
		"data:image/png;base64,AAAA":                false,
		"//example.org/a.png":                       false,
		"https://":                                  false,
		"https:///a.png":                            false,
		"https://:443/":                             false,
		"https://user:pass@example.org/":            false,
		"https://example.org/a b":                   false,
		"https://example.org/\"><script>":           false,
		"https://example.org/ü":                     false,
		"https://example.org/\n":                    false,
		"https://example.org/'":                     true,
		"https://e.org/" + strings.Repeat("0", 986): true,
		"https://e.org/" + strings.Repeat("0", 987): false,
	} {
		want := ""
		if valid {
			want = s
		}
		if got := AvatarURL(s); got != want {
			t.Errorf("AvatarURL(%q) = %q; want %q", s, got, want)
		}
		err := User{ID: "1", Name: "Alice", AvatarURL: s}.Check()
		if (err == nil) != valid || err != nil && err != ErrAvatarInvalid {
			t.Errorf("the check of a user with %q is %v", s, err)
		}
	}
}

func FuzzCleaningAName(f *testing.F) {
	for _, seed := range []string{"Alice", " a  b ", "e\u0301\u0301", "👩🏽‍💻", "\u200d\u200da", "a\u200d", "🇩🇪🇩", "\xff", "a\u0300 \u0300b", strings.Repeat("é\u0301", 400)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		u, err := NewUser("7", name, false)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := NewUser("7", u.Name, false); again.Name != u.Name {
			t.Errorf("cleaning %q gives %q, and cleaning that %q", name, u.Name, again.Name)
		}
		if !utf8.ValidString(u.Name) || u.Name == "" || len(u.Name) > maxUsernameBytes || strings.ContainsFunc(u.Name, isDisallowed) {
			t.Errorf("%q became %q", name, u.Name)
		}
		if !utf8.ValidString(u.Initials()) || u.Initials() == "" {
			t.Errorf("initials of %q are %q", u.Name, u.Initials())
		}
	})
}
