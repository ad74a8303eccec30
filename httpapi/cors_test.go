package httpapi_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

const (
	named   = "https://write.example.org"
	below   = "https://a.pages.example"
	foreign = "https://evil.example"
)

func listed(p *servertest.Config) { p.Dev, p.Origins = nil, []string{named, "https://*.pages.example"} }

func TestPagesOfAllowedOriginsMayReadAnswers(t *testing.T) {
	w := servertest.New(t, listed, func(p *servertest.Config) { p.Dev = &identity.Dev{} })
	alice := w.As("alice", "1")
	for name, c := range map[string]struct {
		origin      string
		due         string
		credentials bool
	}{
		"named":            {named, named, true},
		"spelt otherwise":  {"https://Write.Example.org:443", named, true},
		"below a wildcard": {below, below, false},
		"foreign":          {foreign, "", false},
		"null":             {"null", "", false},
		"none":             {"", "", false},
	} {
		headers := []string{}
		if c.origin != "" {
			headers = []string{"Origin", c.origin, "Sec-Fetch-Site", "cross-site"}
		}
		list := alice.GetList(headers...)
		list.ExpectCORS(t, name+", list", c.due, c.credentials)
		if got := alice.GetList(append(headers, "If-None-Match", list.Header.Get("ETag"))...); got.Status != 304 {
			t.Errorf("%s: answered %d; due is 304", name, got.Status)
		} else {
			got.ExpectCORS(t, name+", 304", c.due, c.credentials)
		}
		w.Do("GET", "/writer/api/client/writer-presence.js", nil, headers...).ExpectCORS(t, name+", a file", c.due, c.credentials)
		w.Do("GET", "/writer/api/project/:/presence/list/", nil, headers...).ExpectCORS(t, name+", an error", c.due, c.credentials)
		w.Do("GET", "/writer/api/nothing/", nil, headers...).ExpectCORS(t, name+", nothing", c.due, c.credentials)
		for _, what := range []string{"update", "leave"} {
			got := alice.Post(what, `{}`, headers...)
			got.ExpectCORS(t, name+", "+what, c.due, c.credentials)
			if refused := got.Status == 403; refused == (c.due != "" || c.origin == "") {
				t.Errorf("%s: %s answered %d %s", name, what, got.Status, got.Body)
			}
		}
	}
	page := w.Do("GET", "/", nil, "Origin", named)
	if page.Header.Get("Access-Control-Allow-Origin") != "" || page.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("the reference page has the headers %v; it is for this origin only", page.Header)
	}
}

func TestWithoutAListNoAnswerHasCORS(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) { p.Dev = nil })
	for _, method := range []string{"GET", "POST", "OPTIONS"} {
		for _, path := range []string{"/writer/api" + servertest.ProjectPath + "list/", "/writer/api" + servertest.ProjectPath + "update/", "/writer/api/client/writer-presence.js"} {
			got := w.Do(method, path, strings.NewReader(`{}`), "Origin", named, "Access-Control-Request-Method", "POST", "Content-Type", "application/json")
			for name := range got.Header {
				if name == "Vary" && got.Header.Get(name) != "Accept-Encoding" || strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s %s has %s", method, path, name)
				}
			}
			if method == "OPTIONS" && got.Status != 405 {
				t.Errorf("OPTIONS %s answered %d", path, got.Status)
			}
		}
	}
	if got := w.Do("GET", "/writer/api/client/writer-presence.js", nil); got.Header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
		t.Errorf("a file of the client has the headers %v", got.Header)
	}
}

func TestPreflightsAreAnsweredForAllowedOrigins(t *testing.T) {
	w := servertest.New(t, listed)
	ask := func(path, origin, method string) servertest.Response {
		return w.Do("OPTIONS", "/writer/api"+path, nil, "Origin", origin, "Access-Control-Request-Method", method, "Access-Control-Request-Headers", "authorization,content-type", "Sec-Fetch-Site", "cross-site")
	}
	for path, method := range map[string]string{servertest.ProjectPath + "update/": "POST", servertest.ProjectPath + "leave/": "POST", servertest.ProjectPath + "list/": "GET", "/client/writer-presence.js": "GET"} {
		for _, origin := range []string{named, below} {
			got := ask(path, origin, method)
			got.ExpectCORS(t, path, origin, origin == named)
			allowed := strings.ToLower(got.Header.Get("Access-Control-Allow-Headers"))
			if got.Status != 204 || got.Header.Get("Access-Control-Allow-Methods") != method || got.Header.Get("Access-Control-Max-Age") != "7200" ||
				!strings.Contains(allowed, "authorization") || !strings.Contains(allowed, "content-type") || !strings.Contains(allowed, "x-csrftoken") {
				t.Errorf("OPTIONS %s answered %d %v", path, got.Status, got.Header)
			}
		}
		for _, origin := range []string{foreign, "null", "https://pages.example"} {
			got := ask(path, origin, method)
			got.ExpectError(t, 403, "cross_origin")
			got.ExpectCORS(t, path, "", false)
		}
	}
	ask("/nothing/", named, "POST").ExpectError(t, 404, "not_found")
	w.Do("OPTIONS", "/writer/api"+servertest.ProjectPath+"update/", nil, "Origin", named).ExpectError(t, 405, "method_not_allowed") // no preflight
}

func TestCookiesOfPagesOfOtherSitesDoNotCount(t *testing.T) { // case 41
	w := servertest.New(t, servertest.Direct, listed, func(p *servertest.Config) { p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	visitor := w.Anonymous()
	name := visitor.Update(`{}`).You.Username
	value := strings.TrimPrefix(visitor.Cookie, servertest.CookieName)
	for what, c := range map[string]struct {
		headers []string
		counts  bool
	}{
		"the same origin, by a proxy that changes Host": {[]string{"Origin", named, "Sec-Fetch-Site", "same-origin"}, true},
		"the same site":                            {[]string{"Origin", named, "Sec-Fetch-Site", "same-site"}, true},
		"the same site, below a wildcard":          {[]string{"Origin", below, "Sec-Fetch-Site", "same-site"}, false},
		"another site":                             {[]string{"Origin", named, "Sec-Fetch-Site", "cross-site"}, false},
		"another site, below a wildcard":           {[]string{"Origin", below, "Sec-Fetch-Site", "cross-site"}, false},
		"an old browser":                           {[]string{"Origin", named}, false},
		"an old browser, and the same Host":        {[]string{"Origin", named, "Host", "write.example.org"}, true},
		"an old browser, and a client's word":      {[]string{"Origin", named, "X-Forwarded-Host", "write.example.org"}, false},
		"an old browser, and a proxy's word":       {[]string{"by a proxy", "", "Origin", named, "X-Forwarded-Host", "write.example.org"}, true},
		"an old browser, and a proxy's other word": {[]string{"by a proxy", "", "Origin", named, "Host", "write.example.com", "X-Forwarded-Host", "presence.example.com"}, false},
		"a word that Sec-Fetch-Site does not have": {[]string{"Origin", named, "Sec-Fetch-Site", "Same-Origin"}, false},
		"no browser":                               {nil, true},
	} {
		visitor.Cookie, visitor.Address = servertest.HostCookieName+value, "192.0.2.1" // pages are on https
		if len(c.headers) == 0 {
			visitor.Cookie = servertest.CookieName + value
		} else if c.headers[0] == "by a proxy" {
			visitor.Address, c.headers = "10.0.0.1", c.headers[2:]
		}
		got := visitor.Post("update", `{}`, c.headers...)
		if c.counts {
			if you := visitor.ExpectSuccess(got).You.Username; you != name {
				t.Errorf("%s: the visitor is %s; due is %s", what, you, name)
			}
			continue
		}
		got.ExpectError(t, 401, "unauthenticated")
		visitor.Post("leave", `{}`, c.headers...).ExpectError(t, 401, "unauthenticated")
		if visitor.SetCookie != nil {
			t.Errorf("%s: a cookie was given: %v", what, visitor.SetCookie)
		}
	}
}

func TestTokensOfPagesOfOtherSitesCount(t *testing.T) {
	w := servertest.New(t, listed, func(p *servertest.Config) { p.Dev = &identity.Dev{} })
	alice := w.As("alice", "1")
	alice.Cookie = servertest.HostCookieName + "=forged" // which nobody looks at
	for _, origin := range []string{named, below} {
		if you := alice.Update(`{}`, "Origin", origin, "Sec-Fetch-Site", "cross-site").You.Username; you != "alice" {
			t.Errorf("a page of %s with a token is %s's", origin, you)
		}
	}
	if got := w.Anonymous().GetList("Origin", below, "Sec-Fetch-Site", "cross-site"); got.Status != 200 || !strings.Contains(got.Body, "alice") {
		t.Errorf("whoever may look got %d %s", got.Status, got.Body)
	}
}

// What browsers add by themselves never reaches the host application from another site.
func TestTheHostIsNotAskedWithCredentialsOfAnotherSite(t *testing.T) {
	for what, c := range map[string]struct {
		headers []string
		due     http.Header
	}{
		"another site":               {[]string{"Origin", named, "Sec-Fetch-Site", "cross-site", "Authorization", "Basic YWxpY2U6"}, http.Header{}},
		"another site, with a token": {[]string{"Origin", named, "Sec-Fetch-Site", "cross-site", "Authorization", "Bearer t"}, http.Header{"Authorization": {"Bearer t"}}},
		"a link from another site":   {[]string{"Sec-Fetch-Site", "cross-site"}, http.Header{}},
		"the same origin":            {[]string{"Origin", named, "Sec-Fetch-Site", "same-origin", "Authorization", "Basic YWxpY2U6"}, http.Header{"Cookie": {"session=alice"}, "Authorization": {"Basic YWxpY2U6"}}},
	} {
		seen := capture{}
		w := servertest.New(t, servertest.Direct, listed, seen.gate)
		w.Do("GET", "/writer/api"+servertest.ProjectPath+"list/", nil, append(c.headers, "Cookie", "session=alice")...)
		for _, name := range []string{"Cookie", "Authorization"} {
			if got, due := seen.Header.Get(name), c.due.Get(name); got != due {
				t.Errorf("%s: %s is %q; due is %q", what, name, got, due)
			}
		}
	}
}

func TestLiveCookiesOfPagesOfOtherSitesDoNotCount(t *testing.T) { // case 41
	const cookie = "session=alice"
	for what, c := range map[string]struct {
		headers []string
		counts  bool
	}{
		"another origin than Host's":     {[]string{"Origin", named, "Host", "presence.example.com"}, false},
		"the same, by a wildcard":        {[]string{"Origin", below, "Host", "presence.example.com"}, false},
		"another site, by its word":      {[]string{"Origin", named, "Host", "write.example.org", "Sec-Fetch-Site", "cross-site"}, false},
		"the same origin":                {[]string{"Origin", named, "Host", "write.example.org:443"}, true},
		"the same origin, by its word":   {[]string{"Origin", named, "Host", "inner:8080", "Sec-Fetch-Site", "same-origin"}, true},
		"the same origin, by its cookie": {[]string{"Origin", named, "Host", "inner:8080", "Cookie", cookie + "; __Host-writer_presence_page=1"}, true},
		"a wildcard with that cookie":    {[]string{"Origin", below, "Host", "inner:8080", "Cookie", cookie + "; __Host-writer_presence_page=1"}, false},
	} {
		seen := capture{}
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			s := w.Connect(append([]string{"Cookie", cookie}, c.headers...)...)
			s.Send("hello", `"session": "s", "token": "t"`)
			s.Next("ack")
			if counts := strings.Contains(seen.Header.Get("Cookie"), cookie); counts != c.counts || seen.CrossOrigin && counts {
				t.Errorf("%s: the cookies are %q; they count: %v", what, seen.Header.Get("Cookie"), counts)
			}
		}, listed, seen.gate)
	}
}

// Chromium says nothing of the site in handshakes. Where a proxy changes Host, pages of the same
// origin have a cookie that others do not send.
func TestPagesBehindAProxyThatChangesHostGetThePageCookie(t *testing.T) {
	w := servertest.New(t, listed)
	for what, c := range map[string]struct {
		headers []string
		due     bool
	}{
		"the same origin":            {[]string{"Origin", named, "Sec-Fetch-Site", "same-origin"}, true},
		"the same origin, and Host":  {[]string{"Origin", named, "Sec-Fetch-Site", "same-origin", "Host", "write.example.org"}, false},
		"the same origin, and again": {[]string{"Origin", named, "Sec-Fetch-Site", "same-origin", "Cookie", "__Host-writer_presence_page=1"}, false},
		"below a wildcard":           {[]string{"Origin", below, "Sec-Fetch-Site", "same-origin"}, false},
		"the same site":              {[]string{"Origin", named, "Sec-Fetch-Site", "same-site"}, false},
		"no word of it":              {[]string{"Origin", named, "Host", "write.example.org"}, false},
	} {
		visitor := w.Anonymous()
		visitor.Update(`{}`, "Origin", named, "Host", "write.example.org")
		visitor.Update(`{}`, c.headers...)
		if given := visitor.SetCookie != nil && visitor.SetCookie.Name == "__Host-writer_presence_page"; given != c.due || given && visitor.SetCookie.SameSite != http.SameSiteStrictMode {
			t.Errorf("%s: the cookie is %v", what, visitor.SetCookie)
		}
	}
}

// capture is a gate that lets everybody in, and keeps the last request to it.
type capture struct{ identity.Request }

func (c *capture) gate(p *servertest.Config) {
	p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
		c.Request = r
		user, err := identity.NewUser("1", "alice")
		return identity.Principal{User: user}, err
	})
}
