package identity_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// keyAuthenticator is an authenticator of one's own: it knows agents by the keys that they send in a header.
type keyAuthenticator struct {
	agents   map[string]presence.User               // by key
	projects map[presence.UserID][]presence.Project // that each agent may see
}

func (a keyAuthenticator) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	key := r.Header.Get("X-Agent-Key")
	if key == "" {
		return identity.Principal{}, identity.ErrNobody // the next authenticator is asked
	}
	agent, ok := a.agents[key]
	if !ok {
		return identity.Principal{}, identity.ErrTokenInvalid
	}
	for _, project := range a.projects[agent.ID] {
		if project == r.Key() { // with the tenant, if there are tenants
			return identity.Principal{User: agent}, nil
		}
	}
	return identity.Principal{User: agent}, identity.ErrProjectUnknown // the same answer as for an unknown project
}

// An authenticator of one's own stands beside others.
func ExampleAuthenticator() {
	proofreader, _ := identity.NewUser("agent-7", "Proofreader")
	authenticator := identity.FirstOf(
		keyAuthenticator{
			agents:   map[string]presence.User{"secret": proofreader},
			projects: map[presence.UserID][]presence.Project{"agent-7": {"thesis"}},
		},
		&identity.Visitors{}, // lets nobody in until Allowed is set
	)
	for _, c := range []struct {
		key     string
		project presence.Project
	}{{"secret", "thesis"}, {"secret", "diary"}, {"guess", "thesis"}, {"", "thesis"}} {
		r := identity.Request{Project: c.project, Header: http.Header{}}
		r.Header.Set("X-Agent-Key", c.key)
		principal, err := authenticator.Authenticate(context.Background(), r)
		switch {
		case errors.Is(err, identity.ErrProjectUnknown):
			fmt.Println(principal.User.Name, "may not see", c.project)
		case errors.Is(err, identity.ErrTokenInvalid):
			fmt.Println("the key is unknown")
		case errors.Is(err, identity.ErrNobody):
			fmt.Println("there is no key")
		default:
			fmt.Println(principal.User.Name, "may see", c.project)
		}
	}
	// Output:
	// Proofreader may see thesis
	// Proofreader may not see diary
	// the key is unknown
	// there is no key
}
