package httpapi_test

import (
	"context"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestRequestsOfOneConnectionHaveTheirOwnHostAndProxies(t *testing.T) {
	var seen identity.Request
	authenticator := servertest.AuthenticatorFunc(func(_ context.Context, r identity.Request) (identity.Principal, error) {
		seen = r
		return identity.Principal{}, identity.ErrNobody
	})
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.Dev, p.TenantFromHost, p.Authenticator = nil, true, authenticator
	})
	ctx := connlimit.NewContext(t.Context(), &connlimit.Conn{})
	for i, c := range []struct {
		peer, host          string
		trust               bool
		tenant, key, client string
	}{
		{"192.0.2.1:1", "a.example", false, "a.example", "192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:1", "b.example:8443", false, "b.example:8443", "192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:1", "not a host", false, "", "192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:1", "a.example", false, "a.example", "192.0.2.1", "192.0.2.1"},
		{"192.0.2.1:1", "a.example", true, "c.example", "198.51.100.1", "198.51.100.1"}, // after Reload trusts it
		{"192.0.2.1:1", "a.example", false, "a.example", "192.0.2.1", "192.0.2.1"},
		{"192.0.2.2:1", "a.example", false, "a.example", "192.0.2.2", "192.0.2.2"}, // a middleware changed RemoteAddr
	} {
		o := httpapi.Options{Authenticator: authenticator}
		if c.trust {
			o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		}
		if err := w.Handler.Reload(o); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(ctx, "GET", "/writer/api"+servertest.ProjectPath+"list/", nil)
		r.RemoteAddr, r.Host = c.peer, c.host
		r.Header.Set("X-Forwarded-For", "198.51.100.1")
		r.Header.Set("X-Forwarded-Host", "c.example")
		seen = identity.Request{}
		w.Handler.ServeHTTP(httptest.NewRecorder(), r)
		if c.tenant == "" { // rejected before the authenticator
			if seen.Address != "" {
				t.Errorf("request %d, Host %q: the authenticator got tenant %q", i, c.host, seen.Tenant)
			}
			continue
		}
		if seen.Tenant != c.tenant || seen.Address != c.key || seen.Forwarded.For.String() != c.client {
			t.Errorf("request %d: tenant %q, address %q, for %v; want %q, %q, %s", i, seen.Tenant, seen.Address, seen.Forwarded.For, c.tenant, c.key, c.client)
		}
	}
}
