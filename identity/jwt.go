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

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/strictjson"
)

const (
	// leeway is the accepted difference between the clocks of the issuer and this server.
	leeway = time.Minute
	// checkAgain is how long a verified token is cached. A withdrawn key stays valid at most that
	// long.
	checkAgain = 30 * time.Second
)

// JWT authenticates users by tokens (RFC 7519) that the host application signed. A token must have
// sub, the user's id, and exp; nbf, iss and aud are validated too. The user's name is the first of
// username, preferred_username and name that is present. The projects claim lists the projects that
// the user may see, or is "*" for all; without it the user may see none. Optional are picture, the https
// address of a picture of the user ([presence.AvatarURL]), and agent, true for software that acts by
// itself; other values of these two are ignored. Create a JWT with
// [SharedSecret] or [RemoteKeys]. Authenticate is safe for concurrent use.
type JWT struct {
	// Issuer is the required iss; empty accepts any.
	Issuer string
	// Audience must be in the token's aud. If it is empty, only tokens without aud are accepted
	// (RFC 7519, 4.1.3).
	Audience string
	// NameClaim is the claim with the user's name; empty means the first of username, preferred_username
	// and name that is present. ProjectsClaim is the claim with the projects; empty means projects. Both
	// are a name, such as Auth0's https://example.org/projects, or a dotted path into objects, such as
	// app.projects. A claim with exactly that name takes precedence over a path.
	NameClaim, ProjectsClaim string

	methods []string
	key     func(context.Context, *jwt.Token) (any, error)
	secret  []byte // signs tokens; nil for RemoteKeys
	tokens  remembered[bearer]
}

// bearer is the content of a verified token.
type bearer struct {
	user       presence.User
	projects   []string
	noProjects bool // the token has no projects claim
	from       time.Time
	until      time.Time
	checked    time.Time // when the signature was verified
}

// SharedSecret returns an authenticator of tokens that are signed with HS256 and one of the secrets
// in a file: one line, or two during a rotation, of at least 32 bytes each (RFC 7518, 3.2).
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
	return &JWT{
		methods: []string{"HS256"}, key: func(context.Context, *jwt.Token) (any, error) { return keys, nil }, secret: keys.Keys[0].([]byte),
	}, nil
}

// Authenticate implements [Authenticator].
func (j *JWT) Authenticate(ctx context.Context, r Request) (Principal, error) {
	if r.Token == "" {
		return Principal{}, ErrNobody
	}
	now := time.Now()
	age := checkAgain
	if r.Recheck {
		age = recheckAge
	}
	b, ok := j.tokens.peek(r.Token)
	if ok && !now.Before(b.until) {
		return Principal{}, reject(Expired) // even while its key cannot be fetched
	}
	if !ok || now.Sub(b.checked) > age {
		var err error
		if b, err = j.check(ctx, r.Token, now); err != nil {
			return Principal{}, err
		}
		j.tokens.put(r.Token, b)
	}
	if err := b.current(now); err != nil {
		return Principal{}, err
	}
	switch {
	case b.noProjects:
		return Principal{User: b.user}, &rejection{ErrProjectUnknown, NoProjects}
	case !b.names(r):
		return Principal{User: b.user}, ErrProjectUnknown
	}
	return Principal{User: b.user, Until: b.until}, nil
}

// names reports whether a token opens a project. On a server with tenants, a bare name or "*" opens
// none: a token of one tenant must not open another tenant's project of the same name.
func (b bearer) names(r Request) bool {
	all := "*"
	if r.Tenant != "" {
		all = r.Tenant + "/*"
	}
	return slices.Contains(b.projects, all) || slices.Contains(b.projects, string(r.Key()))
}

// check verifies a token and returns its content. The error wraps [ErrTokenInvalid] and has a
// reason, or wraps [presence.ErrUnavailable] if the keys cannot be fetched.
func (j *JWT) check(ctx context.Context, token string, now time.Time) (bearer, error) {
	if j.key == nil {
		return bearer{}, fmt.Errorf("%w: this JWT has no keys; create it with SharedSecret or RemoteKeys", presence.ErrUnavailable)
	}
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
			if t.Header[name] != nil { // extensions (RFC 7515, 4.1.11), and keys that come with the token
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
		return bearer{}, known // without the library's text, which quotes the token
	case errors.Is(err, jwt.ErrTokenMalformed):
		return bearer{}, reject(Malformed)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid) && !j.accepts(header):
		return bearer{}, reject(BadAlgorithm)
	case errors.Is(err, jwt.ErrTokenSignatureInvalid):
		return bearer{}, reject(BadSignature)
	default: // no alg, or one that the library does not support
		return bearer{}, reject(BadAlgorithm)
	}
}

// accepts reports whether a header names an algorithm of this authenticator.
func (j *JWT) accepts(header map[string]json.RawMessage) bool {
	var algorithm string
	return json.Unmarshal(header["alg"], &algorithm) == nil && slices.Contains(j.methods, algorithm)
}
