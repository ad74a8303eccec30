package identity_test

import (
	"errors"
	"fmt"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// visit asks for one project as a newcomer from one address.
func visit(t *testing.T, v *identity.Visitors, project presence.Project) error {
	t.Helper()
	_, err := v.Authenticate(t.Context(), identity.Request{Project: project, Address: "192.0.2.1"})
	return err
}

// A program that forgets to say which projects are open opens none.
func TestVisitorsGetInOnlyWhereAllowedSaysSo(t *testing.T) { // rule 15
	keys := newKeys(t, "k")
	open := &identity.Visitors{Keys: keys, Allowed: identity.EveryProject}
	made, err := open.Authenticate(t.Context(), identity.Request{Project: "p"})
	if err != nil {
		t.Fatal(err)
	}
	closed := &identity.Visitors{Keys: keys}
	for name, r := range map[string]identity.Request{
		"newcomer":          {Project: "p"},
		"reader of a list":  {Project: "p", ReadOnly: true},
		"known visitor":     {Project: "p", Header: map[string][]string{"Cookie": {made.Cookie.Name + "=" + made.Cookie.Value}}},
		"recheck of a live": {Project: "p", Recheck: true, ReadOnly: true},
	} {
		if a, err := closed.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrNobody) || a.User.ID != "" || a.Cookie != nil {
			t.Errorf("%s: Authenticate gives %+v, %v; want ErrNobody", name, a, err)
		}
	}
}

func TestNewVisitorsAreLimitedByDefault(t *testing.T) {
	for name, c := range map[string]struct {
		rate    identity.Rate
		limited bool
	}{
		"the default":     {identity.Rate{}, true},
		"explicitly none": {identity.NoLimit, false},
		"a tight limit":   {identity.Rate{PerSecond: 0.1, Burst: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := &identity.Visitors{Keys: newKeys(t, "k"), Allowed: identity.EveryProject, Rate: c.rate}
			let := 0
			for let < 1000 && visit(t, v, presence.Project(fmt.Sprint("p", let))) == nil {
				let++
			}
			if limited := let < 1000; limited != c.limited || limited && name == "the default" && let < 200 {
				t.Errorf("%d of 1000 newcomers from one address got in; limited should be %v, after 200", let, c.limited)
			}
		})
	}
}
