package httpapi_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestLookingMakesNoVisitor(t *testing.T) { // rule 10
	w := servertest.New(t)
	p := w.Anonymous()
	p.List()
	if p.SetCookie != nil {
		t.Errorf("looking set the cookie %v", p.SetCookie)
	}
	w.ExpectListed("")
}

func TestAnUpdateMakesAVisitorWhoIsKnownAgain(t *testing.T) { // case 16
	w := servertest.New(t)
	p := w.Anonymous()
	first := p.Update(`{"section":"s"}`)
	if c := p.SetCookie; c == nil || c.Name != servertest.CookieName || !c.HttpOnly || c.Secure || c.Path != "/" || c.Domain != "" || c.MaxAge != 365*24*60*60 {
		t.Errorf("the cookie is %v; due is %s, HttpOnly, for a year, of this host", c, servertest.CookieName)
	}
	id, _ := first.You.ID.(string)
	if !first.You.Visitor || !strings.HasPrefix(id, presence.VisitorPrefix) || !strings.HasPrefix(first.You.Username, "Visitor ") {
		t.Errorf("the newcomer is %+v; due is a visitor, known as one", first.You)
	}
	again := p.Update(`{"section":"t"}`)
	if again.You.ID != first.You.ID || again.You.Username != first.You.Username {
		t.Errorf("the second request is %v's, due is %v's", again.You, first.You)
	}
	if p.SetCookie != nil {
		t.Errorf("a visitor who is known was given the cookie %v", p.SetCookie)
	}
	if got := p.List(); len(*got.Users) != 1 {
		t.Errorf("listed are %q, due is the one visitor", servertest.Names(*got.Users))
	}
	other := w.Anonymous()
	if got := other.Update(`{}`); got.You.ID == first.You.ID {
		t.Errorf("two visitors are both %v", got.You.ID)
	}
	p.Leave(`{}`)
	if got := other.List(); len(*got.Users) != 1 {
		t.Errorf("after one of two visitors left, listed are %q", servertest.Names(*got.Users))
	}
}

func TestOnHTTPSTheCookieIsBoundToTheHost(t *testing.T) {
	w := servertest.New(t)
	p := w.Anonymous()
	first := p.Update(`{}`, "Origin", "https://"+w.Host, "Sec-Fetch-Site", "same-origin")
	if c := p.SetCookie; c == nil || c.Name != servertest.HostCookieName || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Fatalf("the cookie is %v; due is %s, Secure, with Path=/ and no Domain", c, servertest.HostCookieName)
	}
	if again := p.Update(`{}`); again.You.ID != first.You.ID {
		t.Errorf("the second request is %v's, due is %v's", again.You.ID, first.You.ID)
	}

	// A neighbour of the same site can set the plain one: it must not win.
	plain := w.Anonymous()
	stranger := plain.Update(`{}`)
	for _, cookies := range []string{plain.Cookie + "; " + p.Cookie, p.Cookie + "; " + plain.Cookie} {
		both := &servertest.Client{Server: w, Address: p.Address, Cookie: cookies}
		if got := both.Update(`{}`); got.You.ID != first.You.ID {
			t.Errorf("with both cookies the request is %v's (the plain one's: %v), due is %v's", got.You.ID, got.You.ID == stranger.You.ID, first.You.ID)
		}
	}
}

func TestACookieThatANeighbourSetLocksNobodyOutOnHTTPS(t *testing.T) {
	w := servertest.New(t)
	tossed := &servertest.Client{Server: w, Address: "192.0.2.7", Cookie: "writer_presence_visitor=junk"}
	if got := tossed.Update(`{}`, "Origin", "https://"+w.Host, "Sec-Fetch-Site", "same-origin"); !got.You.Visitor || tossed.SetCookie == nil || tossed.SetCookie.Name != servertest.HostCookieName {
		t.Errorf("with a neighbour's plain cookie the request is %+v's, with the cookie %v; due is a new visitor with %s", got.You, tossed.SetCookie, servertest.HostCookieName)
	}
}

func TestABadCookieIsRefusedAndCleared(t *testing.T) {
	w := servertest.New(t)
	p := w.Anonymous()
	p.Update(`{"section":"s"}`)
	good := strings.TrimPrefix(p.Cookie, servertest.CookieName+"=")
	foreign, err := identity.NewKeys([]byte("the key of another server, somewhere"))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.SplitN(good, ".", 2)[0]
	stamp := func(age time.Duration) string { return strconv.FormatInt(time.Now().Add(-age).Unix(), 36) }
	year := 365 * 24 * time.Hour
	before := w.As("watcher", "999").GetList().Body
	for name, value := range map[string]string{
		"forged":                    id + "." + stamp(0) + ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"truncated":                 good[:len(good)-1],
		"grown":                     good + "A",
		"with another id":           "A" + good,
		"of another server":         foreign.Sign("visitor", id+"."+stamp(0)),
		"a year and a minute old":   w.Keys.Sign("visitor", id+"."+stamp(year+time.Minute)),
		"without a date":            w.Keys.Sign("visitor", id),
		"of another kind":           w.Keys.Sign("dev", id+"."+stamp(0)),
		"empty":                     "",
		"nothing but the signature": good[strings.LastIndex(good, "."):],
		"quoted":                    `"` + good + `"`,
	} {
		for _, cookie := range []string{servertest.CookieName, servertest.HostCookieName} {
			for _, what := range []string{"update", "leave", "list"} {
				p := &servertest.Client{Server: w, Address: "127.0.0.1", Cookie: cookie + "=" + value}
				var got servertest.Response
				if what == "list" {
					got = p.GetList()
				} else {
					got = p.Post(what, `{"section":"elsewhere"}`)
				}
				got.ExpectError(t, 401, "cookie_invalid")
				if c := p.SetCookie; c == nil || c.Name != cookie || c.MaxAge >= 0 || c.Value != "" || c.Secure != (cookie == servertest.HostCookieName) {
					t.Errorf("%s with a cookie that is %s: it was not cleared, but %v", what, name, c)
				}
			}
		}
	}
	if after := w.As("watcher", "999").GetList().Body; after != before {
		t.Errorf("requests with bad cookies changed the list\nfrom %s\nto   %s", before, after)
	}
	// What was cleared is not sent again: the next request starts afresh.
	if again := w.Anonymous(); !again.Update(`{}`).You.Visitor {
		t.Error("after the cookie was cleared the newcomer is no visitor")
	}
	old := &servertest.Client{Server: w, Address: "127.0.0.1", Cookie: servertest.CookieName + "=" + w.Keys.Sign("visitor", id+"."+stamp(year-time.Minute))}
	old.Update(`{}`)
}

func TestAnOldKeyIsGoodUntilItIsRemoved(t *testing.T) {
	first, second := []byte(strings.Repeat("1", 32)), []byte(strings.Repeat("2", 32))
	with := func(secrets ...[]byte) *servertest.Server {
		return servertest.New(t, func(p *servertest.Config) {
			keys, err := identity.NewKeys(secrets...)
			if err != nil {
				t.Fatal(err)
			}
			p.Keys = keys
		})
	}
	before, both, after := with(first), with(second, first), with(second)
	p := before.Anonymous()
	who := p.Update(`{}`).You.ID
	p.Server = both
	if got := p.Update(`{}`).You.ID; got != who {
		t.Errorf("with a new key before the old one the visitor is %v, due is %v", got, who)
	}
	fresh := both.Anonymous()
	fresh.Update(`{}`)
	fresh.Server = after
	fresh.Update(`{}`) // was signed by the new key
	p.Server = after
	p.Post("update", `{}`).ExpectError(t, 401, "cookie_invalid")
}

func TestWithoutVisitorsNobodyIsLetIn(t *testing.T) { // rule 15
	closed := servertest.New(t, func(p *servertest.Config) { p.Visitors = nil })
	closed.As("alice", "1").Update(`{}`)
	partly := servertest.New(t, func(p *servertest.Config) {
		p.Visitors = &identity.Visitors{Allowed: func(project presence.Project) bool { return project == "open" }}
	})
	for _, w := range []*servertest.Server{closed, partly} {
		p := w.Anonymous()
		for _, got := range []servertest.Response{p.Post("update", `{}`), p.Post("leave", `{}`), p.GetList()} {
			got.ExpectError(t, 401, "unauthenticated")
		}
		if p.SetCookie != nil {
			t.Errorf("whoever was not let in got the cookie %v", p.SetCookie)
		}
	}
	p := partly.Anonymous()
	p.ExpectSuccess(p.Do("POST", "/writer/api/project/open/presence/update/", `{}`))
	for _, got := range []servertest.Response{p.Post("update", `{}`), p.GetList()} {
		got.ExpectError(t, 401, "unauthenticated")
	}
}

// Case 37: whoever is outside learns nothing by asking, at whichever address.
func TestAProjectWithPeopleAndOneWithoutAreRefusedAlike(t *testing.T) { // rule 14, case 37
	w := servertest.New(t, func(p *servertest.Config) { p.Visitors = nil })
	w.As("alice", "1").Update(`{"section":"s"}`)
	outsider := w.Anonymous()
	for _, what := range []string{"update", "leave", "list"} {
		var seen []string
		for _, name := range []string{"p", "no-such-project"} {
			method := "POST"
			if what == "list" {
				method = "GET"
			}
			got := outsider.Do(method, "/writer/api/project/"+name+"/presence/"+what+"/", `{}`)
			got.Header.Del("Date")
			seen = append(seen, fmt.Sprint(got))
		}
		if seen[0] != seen[1] {
			t.Errorf("%s of a project with people and of none differ:\n%s\n%s", what, seen[0], seen[1])
		}
	}
}

func TestAVisitorCannotBeTakenForAUserOfTheSameName(t *testing.T) { // case 16
	w := servertest.New(t)
	p := w.Anonymous()
	name := p.Update(`{}`).You.Username
	w.As(name, "1").Update(`{}`)
	visitors := 0
	for _, u := range *p.List().Users {
		if u.Username != name {
			t.Errorf("listed is %q, due is %q", u.Username, name)
		}
		if u.Visitor {
			visitors++
		}
	}
	if visitors != 1 {
		t.Errorf("of two who are both called %q, %d are told to be visitors; due is 1", name, visitors)
	}
}
