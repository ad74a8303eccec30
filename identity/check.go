package identity

import (
	"context"
	"slices"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// TokenInfo holds the content of a valid token.
type TokenInfo struct {
	User presence.User
	// Expires is its exp; the server accepts the token for another minute.
	Expires time.Time
	// Projects are as the token names them; "*", or a tenant with "/*", means all.
	Projects []string
}

// Check verifies a token and returns its content. Errors are those of [JWT.Authenticate]; see [ReasonOf].
// A token without a projects claim authenticates its user but opens no project: for it, Check
// returns both content and error.
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

// Opens reports whether the token opens the project of a request. On a server with tenants, the
// request needs its tenant.
func (i TokenInfo) Opens(r Request) bool { return bearer{projects: i.Projects}.names(r) }
