package identity

import (
	"cmp"
	"errors"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// Sign returns a token with this content, signed with the first secret of [SharedSecret], for tests and for trying a server
// out. It does not check the content; [JWT.Check] does. It returns an error for keys of [RemoteKeys], which only verify.
func (j *JWT) Sign(content TokenInfo) (string, error) {
	if j.secret == nil {
		return "", errors.New("this JWT has no secret to sign with; create it with SharedSecret")
	}
	var projects any = content.Projects
	if slices.Equal(content.Projects, []string{"*"}) {
		projects = "*"
	}
	c := jwt.MapClaims{cmp.Or(j.NameClaim, "username"): content.User.Name, cmp.Or(j.ProjectsClaim, "projects"): projects}
	c["sub"], c["exp"] = string(content.User.ID), content.Expires.Unix() // after the name, which may be in sub
	if j.Issuer != "" {
		c["iss"] = j.Issuer
	}
	if j.Audience != "" {
		c["aud"] = j.Audience
	}
	if content.User.AvatarURL != "" {
		c["picture"] = content.User.AvatarURL
	}
	if content.User.Agent {
		c["agent"] = true
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, c).SignedString(j.secret)
}
