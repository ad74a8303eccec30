package httpapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// newEmbedded returns a server of --embedding on.
func newEmbedded(t *testing.T) *servertest.Server {
	return servertest.New(t, func(p *servertest.Config) {
		p.Embedding = true
		p.Visitors = &identity.Visitors{Allowed: identity.EveryProject, Embedding: true}
	})
}

// ownPage are the headers of a page of the server over https. Browsers send the same in an iframe of another site.
func ownPage(w *servertest.Server) []string {
	return []string{"Origin", "https://" + w.Host, "Sec-Fetch-Site", "same-origin"}
}

func TestVisitorCookieIsPartitionedOnlyWithEmbeddingOverHTTPS(t *testing.T) { // case 46
	for _, c := range []struct {
		embedding, https bool
		site             http.SameSite
		partitioned      bool
	}{
		{true, true, http.SameSiteNoneMode, true},
		{true, false, http.SameSiteLaxMode, false}, // browsers reject SameSite=None without Secure
		{false, true, http.SameSiteLaxMode, false},
		{false, false, http.SameSiteLaxMode, false},
	} {
		w := servertest.New(t)
		if c.embedding {
			w = newEmbedded(t)
		}
		var headers []string
		if c.https {
			headers = ownPage(w)
		}
		p := w.Anonymous()
		first := p.Update(`{"section":"s"}`, headers...)
		got := p.SetCookie
		if got == nil || got.SameSite != c.site || got.Partitioned != c.partitioned || got.Secure != c.https || !got.HttpOnly || got.Path != "/" || got.Domain != "" {
			t.Errorf("%+v: got the cookie %v", c, got)
		}
		if again := p.Update(`{"section":"s"}`, headers...); again.You.ID != first.You.ID || p.SetCookie != nil {
			t.Errorf("%+v: the second request is %v's and sets %v, want %v's and none", c, again.You.ID, p.SetCookie, first.You.ID)
		}
	}
}

func TestBadCookieIsClearedInAndOutsideOfItsPartition(t *testing.T) {
	for _, w := range []*servertest.Server{servertest.New(t), newEmbedded(t)} { // also after --embedding on was taken back
		got := w.Do("POST", "/writer/api"+servertest.ProjectPath+"update/", strings.NewReader(`{}`), "Content-Type", "application/json", "Cookie", servertest.HostCookieName+"=forged")
		got.ExpectError(t, 401, "cookie_invalid")
		cookies := (&http.Response{Header: got.Header}).Cookies()
		if len(cookies) != 2 || cookies[0].Partitioned || !cookies[1].Partitioned || cookies[1].SameSite != http.SameSiteNoneMode {
			t.Fatalf("got the cookies %v, want one outside of partitions and one in the partition", cookies)
		}
		for _, c := range cookies {
			if c.Name != servertest.HostCookieName || c.Value != "" || c.MaxAge >= 0 || !c.Secure || c.Path != "/" {
				t.Errorf("got the cookie %v, want one that clears %s", c, servertest.HostCookieName)
			}
		}
	}
}

// Browsers send cookies with SameSite=None from other sites too, so the check of the origin alone protects.
func TestEmbeddingLetsNoOtherSiteUseTheCookie(t *testing.T) { // case 41
	w := newEmbedded(t)
	p := w.Anonymous()
	p.Update(`{"section":"s","session":"tab"}`, ownPage(w)...)
	before := w.As("watcher", "999").GetList().Body
	for name, headers := range map[string][]string{
		"another site":                        {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
		"another site in an older browser":    {"Origin", "https://evil.example"},
		"a neighbouring host":                 {"Origin", "https://evil." + w.Host, "Sec-Fetch-Site", "same-site"},
		"a sandboxed frame":                   {"Origin", "null", "Sec-Fetch-Site", "cross-site"},
		"a sandboxed frame, an older browser": {"Origin", "null"},
		"a page that hides its origin":        {"Sec-Fetch-Site", "cross-site"},
	} {
		for _, what := range []string{"update", "leave"} {
			if got := p.Post(what, `{"section":"evil","session":"tab"}`, headers...); got.Status != 403 {
				t.Errorf("%s of %s: got %d %s, want 403", what, name, got.Status, got.Body)
			}
		}
	}
	if after := w.As("watcher", "999").GetList().Body; after != before {
		t.Errorf("pages of other sites changed the list\nfrom %s\nto   %s", before, after)
	}
}

func TestOnlyTheReferencePageMayBeEmbedded(t *testing.T) {
	for at, want := range map[string]string{"/": "frame-ancestors *", "/writer/api/client/writer-presence.js": "frame-ancestors 'none'"} {
		if got := newEmbedded(t).Do("GET", at, nil).Header.Get("Content-Security-Policy"); !strings.HasSuffix(got, want) {
			t.Errorf("%s: got the policy %q, want it to end in %s", at, got, want)
		}
	}
}
