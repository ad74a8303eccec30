package identity

import (
	"context"
	"slices"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// TokenInfo is what a valid token says.
type TokenInfo struct {
	User presence.User
	// Expires is its exp; it is accepted for a minute longer.
	Expires time.Time
	// Projects are as the token names them; "*" or a tenant with "/*" stands for all.
	Projects []string
}

// Check verifies a token and returns what it says. The error is one of [JWT.Admit]; see [ReasonOf].
// For a token without a claim of projects, which authenticates its user but opens nothing, it
// returns both.
func (j *JWT) Check(ctx context.Context, token string) (TokenInfo, error) {
	b, err := j.check(ctx, token, time.Now())
	if err != nil {
		return TokenInfo{}, err
	}
	info := TokenInfo{User: b.user, Expires: b.until.Add(-leeway), Projects: slices.Clone(b.projects)}
	if b.noProjects {
		return info, &rejection{ErrProjectUnknown, NoProjects}
	}
	return info, nil
}

// Opens reports whether the token is good for a project. Where there are tenants, the
// request has one.
func (i TokenInfo) Opens(r Request) bool { return bearer{projects: i.Projects}.names(r) }
