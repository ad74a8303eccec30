package identity_test

import (
	"context"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

const picture = "https://pictures.example/alice.png?s=64"

// pictures has JSON values of a picture, and the picture of the user.
var pictures = map[string]string{
	`"` + picture + `"`:       picture,
	`null`:                    "",
	`""`:                      "",
	`7`:                       "",
	`["` + picture + `"]`:     "",
	`{"url": "x"}`:            "",
	`false`:                   "",
	`"http://x.example/a"`:    "",
	`"/media/alice.png"`:      "",
	`"javascript:alert(1)"`:   "",
	`"data:image/png;base64"`: "",
	`"https://x.example/\""`:  "",
	`"https://x.example/é"`:   "",
	`"https://x.example/` + strings.Repeat("a", 1000-len("https://x.example/")) + `"`: "https://x.example/" + strings.Repeat("a", 1000-len("https://x.example/")),
	`"https://x.example/` + strings.Repeat("a", 1001-len("https://x.example/")) + `"`: "",
}

// agents has JSON values of agent. Only true makes an agent: hosts may use the name for something else.
var agents = map[string]bool{`true`: true, `false`: false, `null`: false, `"true"`: false, `1`: false, `"Mozilla/5.0"`: false, `{}`: false, `[true]`: false}

// raw is a payload of a token as it is.
type raw struct {
	jwt.MapClaims
	text string
}

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r.text), nil }

func TestPictureAndAgentComeFromTheToken(t *testing.T) { // rule 21
	j := shared(t, secret)
	user := func(name, members string) presence.User {
		text := `{"sub": "7", "username": "alice", "projects": ["p"], "exp": 99999999999` + members + `}`
		got, err := j.Authenticate(t.Context(), with(sign(t, jwt.SigningMethodHS256, []byte(secret), raw{text: text})))
		if err != nil || got.User.ID != "7" || got.User.Check() != nil {
			t.Errorf("%s: got %+v, %v, want the valid user 7", name, got.User, err)
		}
		return got.User
	}
	expectPictureAndAgent(t, user, "picture")
}

func TestPictureAndAgentComeFromTheHost(t *testing.T) { // rule 21
	user := func(name, members string) presence.User {
		h, auth := newHost(t)
		h.answers(200, `{"user_id": "7", "username": "alice"`+members+`}`)
		got, err := auth.Authenticate(t.Context(), request("Cookie", "session=alice"))
		if err != nil || got.User.ID != "7" || got.User.Check() != nil {
			t.Errorf("%s: got %+v, %v, want the valid user 7", name, got.User, err)
		}
		return got.User
	}
	expectPictureAndAgent(t, user, "avatar_url")
}

// expectPictureAndAgent checks the users with these members.
func expectPictureAndAgent(t *testing.T, user func(name, members string) presence.User, field string) {
	t.Helper()
	for value, want := range pictures {
		if got := user(value, `, "`+field+`": `+value); got.AvatarURL != want || got.Agent {
			t.Errorf("%s %.60s: got the picture %.60q, agent %v, want %.60q, false", field, value, got.AvatarURL, got.Agent, want)
		}
	}
	for value, want := range agents {
		if got := user(value, `, "agent": `+value); got.Agent != want || got.AvatarURL != "" {
			t.Errorf("agent %s: got %v, picture %q, want %v", value, got.Agent, got.AvatarURL, want)
		}
	}
	if got := user("neither", ""); got.Agent || got.AvatarURL != "" {
		t.Errorf("without both: got %+v", got)
	}
	if got := user("other capitals", `, "Agent": true, "`+strings.ToUpper(field)+`": "`+picture+`"`); got.Agent || got.AvatarURL != "" {
		t.Errorf("in capitals: got %+v, want neither", got)
	}
}

func TestPictureOfIdentifyIsLeftOutIfInvalid(t *testing.T) { // rule 21
	for url, want := range map[string]string{picture: picture, "": "", "http://x.example/a": "", "x": ""} {
		f := identity.Functions{
			Identify: func(context.Context, identity.Request) (presence.User, error) {
				return presence.User{ID: "7", Name: "alice", AvatarURL: url, Agent: true}, nil
			},
			Authorize: func(context.Context, presence.User, presence.Project) error { return nil },
		}
		got, err := f.Authenticate(t.Context(), request())
		if err != nil || got.User != (presence.User{ID: "7", Name: "alice", AvatarURL: want, Agent: true}) {
			t.Errorf("%q: got %+v, %v, want an agent with the picture %q", url, got.User, err, want)
		}
	}
}

func TestCheckShowsPictureAndAgent(t *testing.T) {
	info, err := shared(t, secret).Check(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(secret), good("picture", picture, "agent", true)))
	if err != nil || info.User.AvatarURL != picture || !info.User.Agent {
		t.Errorf("got %+v, %v, want an agent with a picture", info.User, err)
	}
}
