package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	presence "writer-presence"
)

const (
	// leeway is by how much the clock of whoever made a token may be off.
	leeway = time.Minute
	// checkAgain is how long a token that was good is not looked at again: a key that was
	// withdrawn is good no longer than that.
	checkAgain = 30 * time.Second
)

// JWT knows people by tokens (RFC 7519) that the host application signed. Of a token are
// needed sub, which is the user's id, and exp; nbf, iss and aud are checked as well. The
// name is the first there is of username, preferred_username and name. In projects is a
// list of the projects that the user may see, or "*" for all; without it they see none.
// Make one with [SharedSecret] or [RemoteKeys].
type JWT struct {
	// Issuer has to be the token's; empty for any.
	Issuer string
	// Audience has to be among the token's; empty for a token that is for nobody in
	// particular (RFC 7519, 4.1.3).
	Audience string

	methods []string
	key     func(context.Context, *jwt.Token) (any, error)
	tokens  remembered[bearer]
}

// bearer is what a token says, and when that was found out.
type bearer struct {
	user     presence.User
	projects []string
	from     time.Time
	until    time.Time
	checked  time.Time
}

// SharedSecret takes tokens that are signed by HS256 with one of the secrets in a file: a
// line each, of at least 32 bytes (RFC 7518, 3.2). Two lines are for changing it.
func SharedSecret(path string) (*JWT, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot use the secret of tokens: %w", err)
	}
	var keys jwt.VerificationKeySet
	for line := range bytes.Lines(text) {
		secret := bytes.TrimRight(line, "\r\n")
		if len(secret) < keySize {
			return nil, fmt.Errorf("the file %s with the secret of tokens has a line of %d bytes; it needs at least %d: make one with: openssl rand -base64 32", path, len(secret), keySize)
		}
		keys.Keys = append(keys.Keys, bytes.Clone(secret))
	}
	if n := len(keys.Keys); n == 0 || n > 2 {
		return nil, fmt.Errorf("the file %s with the secret of tokens has %d lines; it needs one, or two while the secret is changed", path, n)
	}
	return &JWT{methods: []string{"HS256"}, key: func(context.Context, *jwt.Token) (any, error) { return keys, nil }}, nil
}

// Admit implements [Gate].
func (j *JWT) Admit(ctx context.Context, r Request) (Admission, error) {
	if r.Token == "" {
		return Admission{}, ErrNobody
	}
	now := time.Now()
	age := checkAgain
	if r.Recheck {
		age = recheckAge
	}
	b, ok := j.tokens.peek(r.Token)
	if ok && !now.Before(b.until) {
		return Admission{}, ErrTokenInvalid // whether or not its key can be had now
	}
	if !ok || now.Sub(b.checked) > age {
		var err error
		if b, err = j.check(ctx, r.Token, now); err != nil {
			return Admission{}, err
		}
		j.tokens.put(r.Token, b)
	}
	switch {
	case now.Before(b.from) || !now.Before(b.until):
		return Admission{}, ErrTokenInvalid
	case !b.names(r):
		return Admission{User: b.user}, ErrProjectUnknown
	}
	return Admission{User: b.user, Until: b.until}, nil
}

// names reports whether a token is for a project. Where there are tenants a bare name or "*" is for
// none: a token of one tenant must not be good for the project of that name of another.
func (b bearer) names(r Request) bool {
	all := "*"
	if r.Tenant != "" {
		all = r.Tenant + "/*"
	}
	return slices.Contains(b.projects, all) || slices.Contains(b.projects, string(r.Key()))
}

// check finds out what a token says. The error is [ErrTokenInvalid], or
// [presence.ErrUnavailable] where the keys are out of reach.
func (j *JWT) check(ctx context.Context, token string, now time.Time) (bearer, error) {
	var c claims
	options := []jwt.ParserOption{
		jwt.WithValidMethods(j.methods), jwt.WithExpirationRequired(), jwt.WithLeeway(leeway), jwt.WithStrictDecoding(),
	}
	if j.Issuer != "" {
		options = append(options, jwt.WithIssuer(j.Issuer))
	}
	if j.Audience != "" {
		options = append(options, jwt.WithAudience(j.Audience))
	}
	_, err := jwt.NewParser(options...).ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) {
		for _, name := range []string{"crit", "jwk", "jku", "x5c", "x5u"} {
			if t.Header[name] != nil { // what must be understood (RFC 7515, 4.1.11), and keys that anybody can bring
				return nil, fmt.Errorf("a header with %s", name)
			}
		}
		return j.key(ctx, t)
	})
	switch {
	case errors.Is(err, presence.ErrUnavailable):
		return bearer{}, err
	case err != nil:
		return bearer{}, fmt.Errorf("%w (%v)", ErrTokenInvalid, err)
	case j.Audience == "" && len(c.Audience) > 0:
		return bearer{}, fmt.Errorf("%w (it is for somebody else: aud)", ErrTokenInvalid)
	}
	user, err := NewUser(presence.UserID(c.Subject), c.name())
	if err != nil {
		return bearer{}, fmt.Errorf("%w (sub: %v)", ErrTokenInvalid, err)
	}
	b := bearer{user: user, projects: c.Projects, until: c.ExpiresAt.Add(leeway), checked: now}
	if c.NotBefore != nil {
		b.from = c.NotBefore.Add(-leeway)
	}
	return b, nil
}

type claims struct {
	jwt.RegisteredClaims
	Username          string   `json:"username"`
	PreferredUsername string   `json:"preferred_username"`
	Name              string   `json:"name"`
	Projects          projects `json:"projects"`
}

// UnmarshalJSON takes names as they are (RFC 7519, 4): encoding/json would take SUB for sub.
func (c *claims) UnmarshalJSON(text []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return name != strings.ToLower(name) })
	exact, err := json.Marshal(all)
	if err != nil {
		return err
	}
	type plain claims
	return json.Unmarshal(exact, (*plain)(c))
}

func (c *claims) name() string {
	for _, name := range []string{c.Username, c.PreferredUsername, c.Name} {
		if name != "" {
			return name
		}
	}
	return ""
}

// projects is a list, or "*".
type projects []string

func (p *projects) UnmarshalJSON(text []byte) error {
	if string(text) == `"*"` {
		*p = projects{"*"}
		return nil
	}
	if err := json.Unmarshal(text, (*[]string)(p)); err != nil {
		return err
	}
	if slices.Contains(*p, "*") {
		return errors.New(`projects has "*" in a list`)
	}
	return nil
}
