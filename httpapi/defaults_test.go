package httpapi_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// Options without limits get the defaults; identity.NoLimit means no limit.
func TestRequestsAreLimitedByDefault(t *testing.T) {
	const many = 3000
	for name, c := range map[string]struct {
		change func(*servertest.Config)
		user   int // requests of one user that are answered; the clock stands still
		others int // requests of as many users from one address
	}{
		"defaults":        {func(p *servertest.Config) { p.UserRate, p.AddressRate = identity.Rate{}, identity.Rate{} }, 100, 2500 - 101},
		"no user limit":   {func(p *servertest.Config) { p.UserRate, p.AddressRate = identity.NoLimit, identity.Rate{} }, 2500, 0},
		"no address one":  {func(p *servertest.Config) { p.UserRate, p.AddressRate = identity.Rate{}, identity.NoLimit }, 100, many},
		"explicitly none": {func(p *servertest.Config) { p.UserRate, p.AddressRate = identity.NoLimit, identity.NoLimit }, many, many},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := servertest.New(t, servertest.Direct, c.change)
				if got := answered(w, many, func(int) presence.UserID { return "1" }); got != c.user {
					t.Errorf("%d requests of one user are answered, want %d", got, c.user)
				}
				if got := answered(w, many, func(i int) presence.UserID { return presence.UserID(fmt.Sprint(i + 2)) }); got != c.others {
					t.Errorf("%d requests of one address are answered, want %d", got, c.others)
				}
			})
		})
	}
}

// answered counts how many of n requests for the list are answered before the first that exceeds a limit.
func answered(w *servertest.Server, n int, user func(i int) presence.UserID) int {
	for i := range n {
		if unchecked(w.As("writer", user(i)), "GET", "list", "") == 429 {
			return i
		}
	}
	return n
}

// unchecked makes a request and returns the status. Its answer is not compared with openapi.yaml, which takes most of the
// time of a request.
func unchecked(p *servertest.Client, method, endpoint, body string) (status int) {
	r := httptest.NewRequest(method, "http://"+p.Server.Host+httpapi.DefaultPrefix+servertest.ProjectPath+endpoint+"/", strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:4711"
	r.Header.Set("Authorization", "Bearer "+p.Token)
	r.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	p.Server.Handler.ServeHTTP(answer, r)
	return answer.Code
}
