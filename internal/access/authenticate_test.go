package access

import (
	"context"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

type authenticatorFunc func() presence.User

func (f authenticatorFunc) Authenticate(context.Context, identity.Request) (identity.Principal, error) {
	return identity.Principal{User: f()}, nil
}

func TestInvalidPictureOfAnAuthenticatorIsLeftOut(t *testing.T) { // rule 21
	for url, want := range map[string]string{"https://x.example/a.png": "https://x.example/a.png", "http://x.example/a.png": "", "nonsense": ""} {
		var c Control
		c.Use(Rules{Authenticator: authenticatorFunc(func() presence.User { return presence.User{ID: "7", Name: "Alice", AvatarURL: url, Agent: true} })})
		got, err := c.Authenticate(t.Context(), identity.Request{})
		if err != nil || got.User != (presence.User{ID: "7", Name: "Alice", AvatarURL: want, Agent: true}) {
			t.Errorf("%q: got %+v, %v, want an agent with the picture %q", url, got.User, err, want)
		}
	}
}
