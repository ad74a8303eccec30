package access

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

// spellings is testdata/sections.json.
type spellings struct{ Same, Different [][]presence.Section }

func readSpellings(t testing.TB) (s spellings) {
	text, err := os.ReadFile("../../testdata/sections.json")
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil || len(s.Same) == 0 || len(s.Different) == 0 {
		t.Fatalf("got %d and %d lists, %v, want the spellings of testdata/sections.json", len(s.Same), len(s.Different), err)
	}
	return s
}

func TestSpellingsOfOneSectionHaveOneNormalForm(t *testing.T) {
	all := readSpellings(t)
	for _, same := range all.Same {
		for _, spelling := range same {
			if got := NormalSection(spelling); got != same[0] {
				t.Errorf("%q: got %q, want %q", spelling, got, same[0])
			}
		}
	}
	for _, different := range all.Different {
		seen := map[presence.Section]presence.Section{}
		for _, s := range different {
			normal := NormalSection(s)
			if other, ok := seen[normal]; ok {
				t.Errorf("%q and %q are both %q, want them different", s, other, normal)
			}
			seen[normal] = s
		}
	}
}

func TestNormalSectionsAllocateNothing(t *testing.T) {
	for _, s := range []presence.Section{"", "abstract", "manuscript/abstract", "a/b.tex/..", ".x/x."} {
		if n := testing.AllocsPerRun(100, func() { NormalSection(s) }); n != 0 {
			t.Errorf("%q: got %v allocations, want none", s, n)
		}
	}
}

func FuzzNormalSection(f *testing.F) {
	all := readSpellings(f)
	for _, list := range append(all.Same, all.Different...) {
		for _, s := range list {
			f.Add(string(s))
		}
	}
	f.Add("a\n/\tb\x00/\xff")
	f.Fuzz(func(t *testing.T, s string) {
		normal := NormalSection(presence.Section(s))
		if again := NormalSection(normal); again != normal {
			t.Errorf("%q: got %q and then %q, want the normal form to stay", s, normal, again)
		}
		if isNormal(presence.Section(s)) && normal != presence.Section(s) {
			t.Errorf("%q is normal, but got %q", s, normal)
		}
		if strings.HasPrefix(string(normal), "/") || strings.HasSuffix(string(normal), "/") || strings.Contains(string(normal), "//") {
			t.Errorf("%q: got %q, want single slashes inside", s, normal)
		}
	})
}

func BenchmarkNormalSection(b *testing.B) {
	for b.Loop() {
		NormalSection("manuscript/abstract")
	}
}

func TestAllSectionsOfAnUpdateAreNormalised(t *testing.T) {
	u := presence.Update{Section: "/a/", WaitingFor: "b//c", Saved: presence.Saved{Section: " d ", Revision: "1"}}
	normaliseSections(&u)
	if u.Section != "a" || u.WaitingFor != "b/c" || u.Saved != (presence.Saved{Section: "d", Revision: "1"}) {
		t.Errorf("got %+v, want the sections a, b/c and d", u)
	}
}

func TestSaveOfNoSectionIsRejected(t *testing.T) { // rule 19
	alice := presence.User{ID: "1", Name: "Alice"}
	for _, section := range []presence.Section{"/", "//", " ", ".", "./.", ". /.", "\u3000"} {
		u := presence.Update{Saved: presence.Saved{Section: section, Revision: "1"}}
		normaliseSections(&u)
		if _, err := presence.NewService(nil).Update(t.Context(), "p", alice, u); !errors.Is(err, presence.ErrSectionInvalid) {
			t.Errorf("%q: got %v, want ErrSectionInvalid", section, err)
		}
	}
}
