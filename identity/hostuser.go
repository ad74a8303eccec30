package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/hostid"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

// hostUser is the body of the host's answer 200.
type hostUser struct {
	id        hostid.ID
	name      string
	avatarURL avatarURL
	agent     agent
	projects  []string // nil if the field is missing
}

// avatarURL is the address of a picture. A value of any other kind is no picture: it must not lock out its user.
type avatarURL string

// UnmarshalJSON returns no error.
func (a *avatarURL) UnmarshalJSON(text []byte) error {
	var s string
	if json.Unmarshal(text, &s) == nil {
		*a = avatarURL(presence.AvatarURL(s))
	}
	return nil
}

// agent is true for the JSON value true only: hosts may have a field of this name that means something else.
type agent bool

// UnmarshalJSON returns no error.
func (a *agent) UnmarshalJSON(text []byte) error {
	*a = string(text) == "true"
	return nil
}

// Field implements [strictjson.Fields].
func (u *hostUser) Field(name []byte) any {
	switch string(name) {
	case "user_id":
		return &u.id
	case "username":
		return &u.name
	case "avatar_url":
		return &u.avatarURL
	case "agent":
		return &u.agent
	case "projects":
		return &u.projects
	default:
		return nil
	}
}

// readHostUser decodes the body of the host's answer 200, exactly one JSON object with a valid
// user_id. Projects is nil if the answer has no such field. A body that was cut off at maxAnswer bytes is an error.
func readHostUser(text []byte) (user presence.User, projects []string, err error) {
	if len(text) >= maxAnswer {
		return presence.User{}, nil, fmt.Errorf("the host's answer is %d bytes long or longer; the limit is below that", maxAnswer)
	}
	var u hostUser
	if err := strictjson.Decode(text, &u); err != nil {
		return presence.User{}, nil, fmt.Errorf(`the host's answer is not JSON such as {"user_id": 1, "username": "alice"}: %w`, err)
	}
	if u.id == "" {
		return presence.User{}, nil, errors.New(`the host's answer has no user_id; answer 200 only with {"user_id": 1, "username": "alice"}, and 401 for somebody who is not signed in`)
	}
	user, err = NewUser(presence.UserID(u.id), u.name)
	if err != nil {
		return presence.User{}, nil, fmt.Errorf("the host's answer has an invalid user_id: %w", err)
	}
	user.AvatarURL, user.Agent = string(u.avatarURL), bool(u.agent)
	return user, u.projects, nil
}

var userInfo = regexp.MustCompile(`//[^/?#]*@`)

// splitAddress splits the address of the host at {project}, which must occur once, in the path or
// the query: a project's name must never choose the server that gets the cookies, and a fragment
// is never sent.
func splitAddress(address string) (before, after string, err error) {
	fail := func(why string) (string, string, error) {
		shown := userInfo.ReplaceAllString(address, "//…@") // there may be a password
		return "", "", fmt.Errorf("%q cannot be used as the address of the host: %s; give one such as http://127.0.0.1:8000/presence/{project}/", shown, why)
	}
	before, after, found := strings.Cut(address, "{project}")
	u, err := url.Parse(before + "p" + after)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fail("it is no http or https address")
	}
	_, rest, _ := strings.Cut(before, "://")
	switch {
	case strings.Contains(address, "#"):
		return fail("a fragment (#) is never sent")
	case !found:
		return fail("{project} is missing")
	case strings.ContainsAny(before+after, "{}"):
		return fail("{project} may occur once, and there may be no other braces")
	case !strings.ContainsAny(rest, "/?"):
		return fail("{project} must be in the path or the query, after the host")
	}
	return before, after, nil
}
