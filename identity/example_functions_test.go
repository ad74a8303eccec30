package identity_test

import (
	"context"
	"fmt"
	"net/http"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// Two functions of the application are enough: who sent the request, and may they see the project?
func ExampleFunctions() {
	sessions := map[string]presence.UserID{"session-of-alice": "1"}
	authenticator := identity.Functions{
		Identify: func(_ context.Context, r identity.Request) (presence.User, error) {
			cookie, err := (&http.Request{Header: r.Header}).Cookie("session")
			if err != nil || sessions[cookie.Value] == "" {
				return presence.User{}, identity.ErrNobody
			}
			return identity.NewUser(sessions[cookie.Value], "Alice")
		},
		Authorize: func(_ context.Context, user presence.User, project presence.Project) error {
			if user.ID != "1" || project != "thesis" {
				return identity.ErrProjectUnknown
			}
			return nil
		},
	}
	header := http.Header{"Cookie": {"session=session-of-alice"}}
	for _, project := range []presence.Project{"thesis", "diary"} {
		principal, err := authenticator.Authenticate(context.Background(), identity.Request{Project: project, Header: header})
		fmt.Println(project, principal.User.Name, err)
	}
	// Output:
	// thesis Alice <nil>
	// diary Alice there is no such project, or it is not yours
}
