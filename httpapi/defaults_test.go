package httpapi_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// Options that leave the limits out get those of the server; identity.NoLimit says that there is to be none.
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
				if got := answered(many, func(int) servertest.Response { return w.As("alice", "1").GetList() }); got != c.user {
					t.Errorf("%d requests of one user are answered; want %d", got, c.user)
				}
				if got := answered(many, func(i int) servertest.Response { return w.As("writer", presence.UserID(fmt.Sprint(i+2))).GetList() }); got != c.others {
					t.Errorf("%d requests of one address are answered; want %d", got, c.others)
				}
			})
		})
	}
}

// answered counts how many of n requests are answered before the first that exceeds a limit.
func answered(n int, request func(i int) servertest.Response) int {
	for i := range n {
		if request(i).Status == 429 {
			return i
		}
	}
	return n
}
