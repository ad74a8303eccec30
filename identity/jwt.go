package identity

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	presence "writer-presence"
	"writer-presence/internal/strictjson"
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
	// NameClaim is the claim with the user's name, in place of the three above. ProjectsClaim
	// is the one with the projects; empty is projects. Both are a name, such as Auth0's
	// https://example.org/projects, or a dotted path into objects, such as app.projects. A
	// claim with exactly that name wins over a path.
	NameClaim, ProjectsClaim string

	methods []string
	key     func(context.Context, *jwt.Token) (any, error)
	tokens  remembered[bearer]
}

// bearer is what a token says, and when that was found out.
type bearer struct {
	user       presence.User
	projects   []string
	noProjects bool // there is no claim with projects
	from       time.Time
	until      time.Time
	checked    time.Time
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
		if len(secret) == 0 {
			return nil, fmt.Errorf("the file %s with the secret of tokens has an empty line; remove it", path)
		}
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
		return Admission{}, reject(Expired) // whether or not its key can be had now
	}
	if !ok || now.Sub(b.checked) > age {
		var err error
		if b, err = j.check(ctx, r.Token, now); err != nil {
			return Admission{}, err
		}
		j.tokens.put(r.Token, b)
	}
	if err := b.current(now); err != nil {
		return Admission{}, err
	}
	switch {
	case b.noProjects:
		return Admission{User: b.user}, &rejection{ErrProjectUnknown, NoProjects}
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

// check verifies a token and returns what it says. The error matches [ErrTokenInvalid] and
// has a reason, or matches [presence.ErrUnavailable] if the keys cannot be had.
func (j *JWT) check(ctx context.Context, token string, now time.Time) (bearer, error) {
	encoded, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return bearer{}, reject(Malformed)
	}
	header, err := strictjson.Object(text) // the library would take the last of two equal names
	if err != nil {
		return bearer{}, reject(Malformed)
	}
	var raw rawClaims
	parser := jwt.NewParser(jwt.WithValidMethods(j.methods), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	_, err = parser.ParseWithClaims(token, &raw, func(t *jwt.Token) (any, error) {
		for _, name := range []string{"crit", "jwk", "jku", "x5c", "x5u"} {
			if t.Header[name] != nil { // what must be understood (RFC 7515, 4.1.11), and keys that anybody can bring
				return nil, reject(BadHeader)
			}
		}
		return j.key(ctx, t)
	})
	var known *rejection
	switch {
	case err == nil:
		return j.bearer(raw.text, now)
	case errors.Is(err, presence.ErrUnavailable):
		return bearer{}, err
	case errors.As(err, &known):
		return bearer{}, known // without what the library says, which quotes the token
	case errors.Is(err, jwt.ErrTokenMalformed):
		return bearer{}, reject(Malformed)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) && !j.accepts(header):
		return bearer{}, reject(BadAlgorithm)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return bearer{}, reject(BadSignature)
	default: // no alg, or one that the library does not have
		return bearer{}, reject(BadAlgorithm)
	}
}

// accepts reports whether a header names an algorithm of this authenticator.
func (j *JWT) accepts(header map[string]json.RawMessage) bool {
	var algorithm string
	return json.Unmarshal(header["alg"], &algorithm) == nil && slices.Contains(j.methods, algorithm)
}
