package httpapi_test

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func tenants(p *servertest.Config) {
	p.Dev, p.TenantFromHost = nil, true
	p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
		user, err := identity.NewUser("1", cmpOr(r.Token, "looker")+" of "+r.Tenant)
		return identity.Principal{User: user}, err
	})
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func TestOneProjectNameAtTwoHostsIsTwoProjects(t *testing.T) { // case 56, invariant 9
	w := servertest.New(t, servertest.Direct, tenants)
	update := func(peer string, headers ...string) string {
		return w.DoFrom(peer, "POST", "/writer/api"+servertest.ProjectPath+"update/", strings.NewReader(`{"section": "s", "known_version": 0}`), append(headers, "Content-Type", "application/json", "Authorization", "Bearer alice")...).Body
	}
	list := func(peer string, headers ...string) string {
		return w.DoFrom(peer, "GET", "/writer/api"+servertest.ProjectPath+"list/", nil, headers...).Body
	}
	update("192.0.2.1", "Host", "a.example")
	if got := update("192.0.2.1", "Host", "b.example"); strings.Contains(got, "a.example") || !strings.Contains(got, `"conflicts":[]`) {
		t.Errorf("b.example has the users of a.example: %s", got)
	}
	for name, c := range map[string]struct {
		peer    string
		headers []string
		want    string
	}{
		"the Host":                             {"192.0.2.1", []string{"Host", "a.example"}, "a.example"},
		"capitals":                             {"192.0.2.1", []string{"Host", "A.Example"}, "a.example"},
		"the default port":                     {"192.0.2.1", []string{"Host", "a.example:443"}, "a.example"},
		"a dot at the end":                     {"192.0.2.1", []string{"Host", "a.example."}, "a.example"},
		"another port":                         {"192.0.2.1", []string{"Host", "a.example:8443"}, ""},
		"another host":                         {"192.0.2.1", []string{"Host", "c.example"}, ""},
		"a proxy that changes Host":            {"10.0.0.1", []string{"Host", "inner:8080", "X-Forwarded-Host", "b.example"}, "b.example"},
		"a proxy that appends":                 {"10.0.0.1", []string{"Host", "inner:8080", "X-Forwarded-Host", "a.example, b.example"}, "b.example"},
		"a proxy that writes Forwarded":        {"10.0.0.1", []string{"Host", "inner:8080", "Forwarded", `for=192.0.2.1;host="b.example"`}, "b.example"},
		"a proxy that keeps Host":              {"10.0.0.1", []string{"Host", "b.example"}, "b.example"},
		"a client that writes a header":        {"192.0.2.1", []string{"Host", "a.example", "X-Forwarded-Host", "b.example"}, "a.example"},
		"a client that writes Forwarded":       {"192.0.2.1", []string{"Host", "a.example", "Forwarded", "for=192.0.2.2;host=b.example"}, "a.example"},
		"the part of Forwarded a client wrote": {"10.0.0.1", []string{"Host", "a.example", "Forwarded", "for=1.2.3.4;host=b.example, for=192.0.2.1"}, "a.example"},
	} {
		got := list(c.peer, c.headers...)
		for _, host := range []string{"a.example", "b.example"} {
			if listed := strings.Contains(got, `"alice of `+host+`"`); listed != (host == c.want) {
				t.Errorf("%s: alice of %s is listed: %v, want who is at %q", name, host, listed, c.want)
			}
		}
	}
	for _, host := range []string{"a.example/b", "a b", "x@a.example", "a.example:0", "[::1", "<b>"} {
		got := w.DoFrom("10.0.0.1", "GET", "/writer/api"+servertest.ProjectPath+"list/", nil, "X-Forwarded-Host", host)
		got.ExpectError(t, http.StatusNotFound, "project_unknown")
	}
}

func TestHostIsIgnoredWithoutTenants(t *testing.T) {
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Dev = nil })
	w.Do("POST", "/writer/api"+servertest.ProjectPath+"update/", strings.NewReader(`{}`), "Content-Type", "application/json", "Host", "a.example")
	for _, host := range []string{"a.example", "b.example", "a b"} {
		if got := w.Do("GET", "/writer/api"+servertest.ProjectPath+"list/", nil, "Host", host); !strings.Contains(got.Body, "Visitor ") {
			t.Errorf("at %s are listed %s, want the one visitor", host, got.Body)
		}
	}
}

func TestRateLimitsOfTenantsAreSeparate(t *testing.T) {
	w := servertest.New(t, servertest.Direct, tenants, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 2} })
	for _, host := range []string{"a.example", "b.example"} {
		for i, want := range []int{200, 200, 429} {
			if got := w.Do("GET", "/writer/api"+servertest.ProjectPath+"list/", nil, "Host", host); got.Status != want {
				t.Errorf("request %d of user 1 of %s got %d, want %d", i, host, got.Status, want)
			}
		}
	}
}

func TestLiveRoomsOfTenantsAreSeparate(t *testing.T) { // case 56, invariant 9
	var mu sync.Mutex
	var rechecked []identity.Request
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		a, b := w.Connect("Host", "a.example", "Origin", "http://a.example", "Accept-Language", "de"), w.Connect("Host", "b.example", "Origin", "http://b.example")
		for _, s := range []*servertest.Socket{a, b} {
			s.Send("hello", `"session": "s", "token": "alice", "section": "s"`)
			s.Next("ack")
		}
		if m := a.Next("snapshot"); servertest.Names(m.Users) != "alice of a.example" {
			t.Errorf("a.example is shown %s", m.Text)
		}
		if m := b.Next("snapshot"); servertest.Names(m.Users) != "alice of b.example" {
			t.Errorf("b.example is shown %s", m.Text)
		}
		a.Send("update", `"section": "t"`)
		a.Pending()
		b.ExpectNothing(time.Second)
		a.ExpectNothing(30 * time.Second)
		mu.Lock()
		defer mu.Unlock()
		if len(rechecked) == 0 {
			t.Error("nobody was asked about again")
		}
		for _, r := range rechecked {
			if r.Project != "p" || r.Tenant != r.Forwarded.Host || r.Tenant != "a.example" && r.Tenant != "b.example" || r.Tenant == "a.example" && r.Forwarded.Language != "de" {
				t.Errorf("asked again was about %q of %q, with %+v", r.Project, r.Tenant, r.Forwarded)
			}
		}
	}, tenants, func(p *servertest.Config) {
		authenticator := p.Authenticator
		p.Authenticator = servertest.AuthenticatorFunc(func(ctx context.Context, r identity.Request) (identity.Principal, error) {
			if r.Recheck && r.Token != "" {
				mu.Lock()
				rechecked = append(rechecked, r)
				mu.Unlock()
			}
			return authenticator.Authenticate(ctx, r)
		})
	})
}

func TestTokenIsValidForItsTenantOnly(t *testing.T) { // rule 14, case 56
	w := servertest.New(t, servertest.Direct, tenants, func(p *servertest.Config) { p.Authenticator = sharedSecret(t) })
	for _, c := range []struct {
		projects []string
		want     map[string]int
	}{
		{[]string{"a.example/p"}, map[string]int{"a.example": 200, "b.example": 404}},
		{[]string{"a.example/*"}, map[string]int{"a.example": 200, "b.example": 404}},
		{[]string{"a.example/*", "b.example/p"}, map[string]int{"a.example": 200, "b.example": 200, "c.example": 404}},
		{[]string{"p"}, map[string]int{"a.example": 404, "b.example": 404}},
		{[]string{"a.example/q"}, map[string]int{"a.example": 404}},
	} {
		for host, want := range c.want {
			if got := w.Do("GET", httpapi.DefaultPrefix+servertest.ProjectPath+"list/", nil, "Host", host, "Authorization", "Bearer "+token(t, jwtSecret, 0, c.projects...)); got.Status != want {
				t.Errorf("a token for %q got %d at %s, want %d", c.projects, got.Status, host, want)
			}
		}
	}
}

// The values must be bounded and safe in a header.
func TestForwardedHeadersForTheHostAreSanitised(t *testing.T) {
	var seen identity.Forwarded
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.Dev = nil
		p.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
		p.Authenticator = servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
			seen = r.Forwarded
			return identity.Principal{}, identity.ErrNobody
		})
	})
	address := netip.MustParseAddr
	for name, c := range map[string]struct {
		peer    string
		headers []string
		want    identity.Forwarded
	}{
		"a client":           {"192.0.2.1", []string{"Host", "A.example:80", "Accept-Language", "de, en;q=0.5", "X-Request-ID", "id-1"}, identity.Forwarded{Host: "a.example", Proto: "http", For: address("192.0.2.1"), Language: "de, en;q=0.5", RequestID: "id-1"}},
		"a client's claim":   {"192.0.2.1", []string{"Host", "a.example", "X-Forwarded-Host", "b.example", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-Proto", "https", "Origin", "https://a.example"}, identity.Forwarded{Host: "a.example", Proto: "http", For: address("192.0.2.1")}},
		"a proxy":            {"10.0.0.1", []string{"Host", "inner", "X-Forwarded-Host", "a.example", "X-Forwarded-For", "[2001:db8:1:2:3::4]:1", "X-Forwarded-Proto", "https"}, identity.Forwarded{Host: "a.example", Proto: "https", For: address("2001:db8:1:2:3::4")}},
		"an unknown client":  {"10.0.0.1", []string{"Host", "a.example", "X-Forwarded-For", "unknown"}, identity.Forwarded{Host: "a.example", Proto: "http"}},
		"an odd Host":        {"10.0.0.1", []string{"X-Forwarded-Host", "a b"}, identity.Forwarded{Proto: "http", For: address("10.0.0.1")}},
		"odd values":         {"192.0.2.1", []string{"Host", "a.example", "Accept-Language", "d\x80", "X-Request-ID", strings.Repeat("a", 129)}, identity.Forwarded{Host: "a.example", Proto: "http", For: address("192.0.2.1")}},
		"the longest values": {"192.0.2.1", []string{"Host", "a.example", "Accept-Language", strings.Repeat("d", 1000), "X-Request-ID", strings.Repeat("a", 128)}, identity.Forwarded{Host: "a.example", Proto: "http", For: address("192.0.2.1"), Language: strings.Repeat("d", 1000), RequestID: strings.Repeat("a", 128)}},
		"a longer language":  {"192.0.2.1", []string{"Host", "a.example", "Accept-Language", strings.Repeat("d", 1001)}, identity.Forwarded{Host: "a.example", Proto: "http", For: address("192.0.2.1")}},
		"line breaks":        {"192.0.2.1", []string{"Host", "a.example", "Accept-Language", "de\r\nX-Forwarded-Host: b.example", "X-Request-ID", "a\nb"}, identity.Forwarded{Host: "a.example", Proto: "http", For: address("192.0.2.1")}},
	} {
		w.DoFrom(c.peer, "GET", "/writer/api"+servertest.ProjectPath+"list/", nil, c.headers...)
		if seen != c.want {
			t.Errorf("%s: passed on is %+v, want %+v", name, seen, c.want)
		}
	}
}
