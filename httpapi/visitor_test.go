package httpapi_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestLookingMakesNoVisitor(t *testing.T) {
	w := newWorld(t)
	p := w.newcomer()
	p.list()
	if p.made != nil {
		t.Errorf("looking set the cookie %v", p.made)
	}
	w.isListed("")
}

func TestAnUpdateMakesAVisitorWhoIsKnownAgain(t *testing.T) {
	w := newWorld(t)
	p := w.newcomer()
	first := p.update(`{"section":"s"}`)
	if c := p.made; c == nil || c.Name != cookieName || !c.HttpOnly || c.Secure || c.Path != "/" || c.Domain != "" || c.MaxAge != 365*24*60*60 {
		t.Errorf("the cookie is %v; due is %s, HttpOnly, for a year, of this host", c, cookieName)
	}
	id, _ := first.You.ID.(string)
	if !first.You.Visitor || !strings.HasPrefix(id, presence.VisitorPrefix) || !strings.HasPrefix(first.You.Username, "Visitor ") {
		t.Errorf("the newcomer is %+v; due is a visitor, known as one", first.You)
	}
	again := p.update(`{"section":"t"}`)
	if again.You.ID != first.You.ID || again.You.Username != first.You.Username {
		t.Errorf("the second request is %v's, due is %v's", again.You, first.You)
	}
	if p.made != nil {
		t.Errorf("a visitor who is known was given the cookie %v", p.made)
	}
	if got := p.list(); len(*got.Users) != 1 {
		t.Errorf("listed are %q, due is the one visitor", names(*got.Users))
	}
	other := w.newcomer()
	if got := other.update(`{}`); got.You.ID == first.You.ID {
		t.Errorf("two visitors are both %v", got.You.ID)
	}
	p.leave(`{}`)
	if got := other.list(); len(*got.Users) != 1 {
		t.Errorf("after one of two visitors left, listed are %q", names(*got.Users))
	}
}

func TestOnHTTPSTheCookieIsBoundToTheHost(t *testing.T) {
	w := newWorld(t)
	p := w.newcomer()
	first := p.update(`{}`, "Origin", "https://"+w.host, "Sec-Fetch-Site", "same-origin")
	if c := p.made; c == nil || c.Name != hostCookieName || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" {
		t.Fatalf("the cookie is %v; due is %s, Secure, with Path=/ and no Domain", c, hostCookieName)
	}
	if again := p.update(`{}`); again.You.ID != first.You.ID {
		t.Errorf("the second request is %v's, due is %v's", again.You.ID, first.You.ID)
	}

	// A neighbour of the same site can set the plain one: it must not win.
	plain := w.newcomer()
	stranger := plain.update(`{}`)
	for _, cookies := range []string{plain.cookie + "; " + p.cookie, p.cookie + "; " + plain.cookie} {
		both := &person{w: w, address: p.address, cookie: cookies}
		if got := both.update(`{}`); got.You.ID != first.You.ID {
			t.Errorf("with both cookies the request is %v's (the plain one's: %v), due is %v's", got.You.ID, got.You.ID == stranger.You.ID, first.You.ID)
		}
	}
}

func TestACookieThatANeighbourSetLocksNobodyOutOnHTTPS(t *testing.T) {
	w := newWorld(t)
	tossed := &person{w: w, address: "192.0.2.7", cookie: "writer_presence_visitor=junk"}
	if got := tossed.update(`{}`, "Origin", "https://"+w.host, "Sec-Fetch-Site", "same-origin"); !got.You.Visitor || tossed.made == nil || tossed.made.Name != hostCookieName {
		t.Errorf("with a neighbour's plain cookie the request is %+v's, with the cookie %v; due is a new visitor with %s", got.You, tossed.made, hostCookieName)
	}
}

func TestABadCookieIsRefusedAndCleared(t *testing.T) {
	w := newWorld(t)
	p := w.newcomer()
	p.update(`{"section":"s"}`)
	good := strings.TrimPrefix(p.cookie, cookieName+"=")
	foreign, err := identity.NewKeys([]byte("the key of another server, somewhere"))
	if err != nil {
		t.Fatal(err)
	}
	id := strings.SplitN(good, ".", 2)[0]
	stamp := func(age time.Duration) string { return strconv.FormatInt(time.Now().Add(-age).Unix(), 36) }
	year := 365 * 24 * time.Hour
	before := w.as("watcher", "999").get().body
	for name, value := range map[string]string{
		"forged":                    id + "." + stamp(0) + ".AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"truncated":                 good[:len(good)-1],
		"grown":                     good + "A",
		"with another id":           "A" + good,
		"of another server":         foreign.Sign("visitor", id+"."+stamp(0)),
		"a year and a minute old":   w.keys.Sign("visitor", id+"."+stamp(year+time.Minute)),
		"without a date":            w.keys.Sign("visitor", id),
		"of another kind":           w.keys.Sign("dev", id+"."+stamp(0)),
		"empty":                     "",
		"nothing but the signature": good[strings.LastIndex(good, "."):],
		"quoted":                    `"` + good + `"`,
	} {
		for _, cookie := range []string{cookieName, hostCookieName} {
			for _, what := range []string{"update", "leave", "list"} {
				p := &person{w: w, address: "127.0.0.1", cookie: cookie + "=" + value}
				var got answer
				if what == "list" {
					got = p.get()
				} else {
					got = p.post(what, `{"section":"elsewhere"}`)
				}
				got.fails(t, 401, "cookie_invalid")
				if c := p.made; c == nil || c.Name != cookie || c.MaxAge >= 0 || c.Value != "" || c.Secure != (cookie == hostCookieName) {
					t.Errorf("%s with a cookie that is %s: it was not cleared, but %v", what, name, c)
				}
			}
		}
	}
	if after := w.as("watcher", "999").get().body; after != before {
		t.Errorf("requests with bad cookies changed the list\nfrom %s\nto   %s", before, after)
	}
	// What was cleared is not sent again: the next request starts afresh.
	if again := w.newcomer(); !again.update(`{}`).You.Visitor {
		t.Error("after the cookie was cleared the newcomer is no visitor")
	}
	old := &person{w: w, address: "127.0.0.1", cookie: cookieName + "=" + w.keys.Sign("visitor", id+"."+stamp(year-time.Minute))}
	old.update(`{}`)
}

func TestAnOldKeyIsGoodUntilItIsRemoved(t *testing.T) {
	first, second := []byte(strings.Repeat("1", 32)), []byte(strings.Repeat("2", 32))
	with := func(secrets ...[]byte) *world {
		return newWorld(t, func(p *plan) {
			keys, err := identity.NewKeys(secrets...)
			if err != nil {
				t.Fatal(err)
			}
			p.Keys = keys
		})
	}
	before, both, after := with(first), with(second, first), with(second)
	p := before.newcomer()
	who := p.update(`{}`).You.ID
	p.w = both
	if got := p.update(`{}`).You.ID; got != who {
		t.Errorf("with a new key before the old one the visitor is %v, due is %v", got, who)
	}
	fresh := both.newcomer()
	fresh.update(`{}`)
	fresh.w = after
	fresh.update(`{}`) // was signed by the new key
	p.w = after
	p.post("update", `{}`).fails(t, 401, "cookie_invalid")
}

func TestWithoutVisitorsNobodyIsLetIn(t *testing.T) {
	closed := newWorld(t, func(p *plan) { p.Visitors = nil })
	closed.as("alice", "1").update(`{}`)
	partly := newWorld(t, func(p *plan) {
		p.Visitors = &identity.Visitors{Allowed: func(project presence.Project) bool { return project == "open" }}
	})
	for _, w := range []*world{closed, partly} {
		p := w.newcomer()
		for _, got := range []answer{p.post("update", `{}`), p.post("leave", `{}`), p.get()} {
			got.fails(t, 401, "unauthenticated")
		}
		if p.made != nil {
			t.Errorf("whoever was not let in got the cookie %v", p.made)
		}
	}
	p := partly.newcomer()
	p.succeed(p.do("POST", "/writer/api/project/open/presence/update/", `{}`))
	for _, got := range []answer{p.post("update", `{}`), p.get()} {
		got.fails(t, 401, "unauthenticated")
	}
}

// Case 37: whoever is outside learns nothing by asking, at whichever address.
func TestAProjectWithPeopleAndOneWithoutAreRefusedAlike(t *testing.T) {
	w := newWorld(t, func(p *plan) { p.Visitors = nil })
	w.as("alice", "1").update(`{"section":"s"}`)
	outsider := w.newcomer()
	for _, what := range []string{"update", "leave", "list"} {
		var seen []string
		for _, name := range []string{"p", "no-such-project"} {
			method := "POST"
			if what == "list" {
				method = "GET"
			}
			got := outsider.do(method, "/writer/api/project/"+name+"/presence/"+what+"/", `{}`)
			got.header.Del("Date")
			seen = append(seen, fmt.Sprint(got))
		}
		if seen[0] != seen[1] {
			t.Errorf("%s of a project with people and of none differ:\n%s\n%s", what, seen[0], seen[1])
		}
	}
}

func TestAVisitorCannotBeTakenForAUserOfTheSameName(t *testing.T) {
	w := newWorld(t)
	p := w.newcomer()
	name := p.update(`{}`).You.Username
	w.as(name, "1").update(`{}`)
	visitors := 0
	for _, u := range *p.list().Users {
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
