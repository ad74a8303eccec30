package httpapi_test

import (
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestSpellingsOfASectionAreOneSection(t *testing.T) { // rule 5
	for _, spelling := range []string{"/ms/r\u00e9sum\u00e9", "ms/re\u0301sume\u0301/", "ms//./re\u0301sum\u00e9", " ms / r\u00e9sum\u00e9 "} {
		w := servertest.New(t)
		w.As("alice", "1").Update(`{"section":"ms/r\u00e9sum\u00e9"}`)
		got := w.As("bob", "2").Update(`{"section":` + servertest.JSONString(spelling) + `,"unless_occupied":true}`)
		if got.Activity != "viewing" || servertest.Names(got.Conflicts) != "alice" || got.You.Section != "ms/r\u00e9sum\u00e9" {
			t.Errorf("%q: bob is %s in %q with conflicts %q, want viewing in the normal form, and alice", spelling, got.Activity, got.You.Section, servertest.Names(got.Conflicts))
		}
	}
}

func TestSectionIsCheckedInItsNormalForm(t *testing.T) {
	tooLong := "section_too_long"
	for _, c := range []struct{ name, section, want, code string }{
		{"only slashes", "//", "", ""},
		{"only white space", " \u3000", "", ""},
		{"100 characters between slashes", "/" + strings.Repeat("x", 100) + "/", strings.Repeat("x", 100), ""},
		{"101 characters", strings.Repeat("x", 101), "", tooLong},
		{"200 characters that are 100 in NFC", strings.Repeat("e\u0301", 100), strings.Repeat("\u00e9", 100), ""},
		{"202 characters that are 101 in NFC", strings.Repeat("e\u0301", 101), "", tooLong},
		{"100 characters that are 200 in NFC", strings.Repeat("\u0958", 100), "", tooLong},
		{"50 characters that are 100 in NFC", strings.Repeat("\u0958", 50), strings.Repeat("\u0915\u093c", 50), ""},
		{"an invisible segment", "/a/\u200d/", "", "section_invalid"},
		{"a line break around a segment", "a\n/b", "", "section_invalid"},
	} {
		w := servertest.New(t)
		p := w.As("alice", "1")
		body := `{"section":` + servertest.JSONString(c.section) + `}`
		if c.code != "" {
			p.Post("update", body).ExpectError(t, 400, c.code)
			continue
		}
		if got := p.Update(body); got.You.Section != c.want {
			t.Errorf("%s: got the section %q, want %q", c.name, got.You.Section, c.want)
		}
	}
}
