package tokenheader_test

import (
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/tokenheader"
)

func TestNamesWithAnotherMeaningAreRejected(t *testing.T) {
	for _, name := range []string{"", "X Token", "X-Töken", "X:Token", "Authorization", "cookie", "HOST", "Sec-Token", "x-forwarded-for", "Proxy-Authorization", "Upgrade", strings.Repeat("x", 65)} {
		if got, err := tokenheader.Parse(name); err == nil {
			t.Errorf("%q is accepted as %q", name, got)
		}
	}
	if got, err := tokenheader.Parse("x-presence-TOKEN"); err != nil || got != "X-Presence-Token" {
		t.Errorf("%q, %v", got, err)
	}
}
