package identity_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

const (
	secret    = "a secret of a test, of more than 32 bytes"
	published = "a secret that is in a set of public keys"
)

// shared returns an authenticator of tokens signed with these secrets.
func shared(t *testing.T, secrets ...string) *identity.JWT {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(strings.Join(secrets, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	j, err := identity.SharedSecret(path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// good returns valid claims with changes in pairs of name and value; nil removes a claim.
func good(changes ...any) jwt.MapClaims {
	c := jwt.MapClaims{"sub": "7", "username": "alice", "projects": []string{"p"}, "exp": time.Now().Add(time.Hour).Unix()}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(c, changes[i].(string))
		} else {
			c[changes[i].(string)] = changes[i+1]
		}
	}
	return c
}

func sign(t *testing.T, method jwt.SigningMethod, key any, c jwt.Claims, header ...any) string {
	t.Helper()
	token := jwt.NewWithClaims(method, c)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i].(string)] = header[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func with(token string) identity.Request {
	r := request()
	r.Token = token
	return r
}

func TestTokenClaimsDecideUserAndAccess(t *testing.T) {
	j := shared(t, secret)
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		user   presence.User
		err    error
	}{
		"a member":                       {good(), presence.User{ID: "7", Name: "alice"}, nil},
		"of every project":               {good("projects", "*"), presence.User{ID: "7", Name: "alice"}, nil},
		"of other projects":              {good("projects", []string{"q", "pp"}), presence.User{ID: "7", Name: "alice"}, identity.ErrProjectUnknown},
		"of none":                        {good("projects", nil), presence.User{ID: "7", Name: "alice"}, identity.ErrProjectUnknown},
		"a star in a list":               {good("projects", []string{"*"}), presence.User{}, identity.ErrTokenInvalid},
		"projects that are no list":      {good("projects", "p"), presence.User{}, identity.ErrTokenInvalid},
		"by preferred_username":          {good("username", nil, "preferred_username", "al", "name", "Alice A."), presence.User{ID: "7", Name: "al"}, nil},
		"by name":                        {good("username", nil, "name", "Alice A."), presence.User{ID: "7", Name: "Alice A."}, nil},
		"without a name":                 {good("username", nil), presence.User{ID: "7", Name: "7"}, nil},
		"an id that is a text":           {good("sub", "auth0|5f"), presence.User{ID: "auth0|5f", Name: "alice"}, nil},
		"without sub":                    {good("sub", nil), presence.User{}, identity.ErrTokenInvalid},
		"an empty sub":                   {good("sub", ""), presence.User{}, identity.ErrTokenInvalid},
		"a sub that is a number":         {good("sub", 7), presence.User{}, identity.ErrTokenInvalid},
		"a visitor's id":                 {good("sub", "visitor-x"), presence.User{}, identity.ErrTokenInvalid},
		"a name that is a number":        {good("username", 7), presence.User{}, identity.ErrTokenInvalid},
		"without exp":                    {good("exp", nil), presence.User{}, identity.ErrTokenInvalid},
		"exp that is a text":             {good("exp", "tomorrow"), presence.User{}, identity.ErrTokenInvalid},
		"over for less than the leeway":  {good("exp", time.Now().Add(-50*time.Second).Unix()), presence.User{ID: "7", Name: "alice"}, nil},
		"over for more than the leeway":  {good("exp", time.Now().Add(-70*time.Second).Unix()), presence.User{}, identity.ErrTokenInvalid},
		"good in less than the leeway":   {good("nbf", time.Now().Add(50*time.Second).Unix()), presence.User{ID: "7", Name: "alice"}, nil},
		"good in more than the leeway":   {good("nbf", time.Now().Add(70*time.Second).Unix()), presence.User{}, identity.ErrTokenInvalid},
		"names that are almost claims":   {good("SUB", "8", "Username", "bob", "Projects", "*", "EXP", 1, "projects", []string{"q"}), presence.User{ID: "7", Name: "alice"}, identity.ErrProjectUnknown},
		"another audience":               {good("aud", "another"), presence.User{}, identity.ErrTokenInvalid},
		"an issuer without --jwt-issuer": {good("iss", "anybody"), presence.User{ID: "7", Name: "alice"}, nil},
	} {
		got, err := j.Authenticate(t.Context(), with(sign(t, jwt.SigningMethodHS256, []byte(secret), c.claims)))
		if !errors.Is(err, c.err) || got.User != c.user {
			t.Errorf("%s: got %+v, %v, want %+v, %v", name, got.User, err, c.user, c.err)
		}
	}
	if _, err := j.Authenticate(t.Context(), request()); !errors.Is(err, identity.ErrNobody) {
		t.Errorf("without a token: got %v, want ErrNobody", err)
	}
}

func TestIssuerAndAudienceAreEnforced(t *testing.T) {
	j := shared(t, secret)
	j.Issuer, j.Audience = "https://host.example", "presence"
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		good   bool
	}{
		"both":                   {good("iss", "https://host.example", "aud", "presence"), true},
		"an audience in a list":  {good("iss", "https://host.example", "aud", []string{"a", "presence"}), true},
		"another issuer":         {good("iss", "https://host.example/", "aud", "presence"), false},
		"no issuer":              {good("aud", "presence"), false},
		"another audience":       {good("iss", "https://host.example", "aud", []string{"a", "b"}), false},
		"no audience":            {good("iss", "https://host.example"), false},
		"part of the audience":   {good("iss", "https://host.example", "aud", "presence2"), false},
		"an audience of numbers": {good("iss", "https://host.example", "aud", []int{1}), false},
	} {
		_, err := j.Authenticate(t.Context(), with(sign(t, jwt.SigningMethodHS256, []byte(secret), c.claims)))
		if (err == nil) != c.good || !c.good && !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("%s: got %v, want success: %v", name, err, c.good)
		}
	}
}

func TestForgedTokensAreRejected(t *testing.T) { // rule 15
	set := newKeySet(t)
	remote, err := identity.RemoteKeys(set.URL)
	if err != nil {
		t.Fatal(err)
	}
	auths := map[string]*identity.JWT{"secret": shared(t, secret), "keys": remote}
	mallory, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public := set.keys["r"].(*rsa.PrivateKey).Public().(*rsa.PublicKey)
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	asPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	encode := base64.RawURLEncoding.EncodeToString
	honest := set.sign(t, "r", good())
	parts := strings.Split(honest, ".")
	raw := func(header, payload string) string {
		return encode([]byte(header)) + "." + encode([]byte(payload)) + "."
	}
	payload := `{"sub":"7","username":"alice","projects":"*","exp":4102444800}`
	embedded := map[string]any{"kty": "RSA", "n": encode(mallory.N.Bytes()), "e": "AQAB"}
	forged := map[string]string{
		"empty":                        ".",
		"not a token":                  "alice",
		"two parts":                    parts[0] + "." + parts[1],
		"without a signature":          parts[0] + "." + parts[1] + ".",
		"four parts":                   honest + ".x",
		"five parts (JWE)":             "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..x.y.z",
		"another signature":            parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"claims of another token":      parts[0] + "." + encode([]byte(payload)) + "." + parts[2],
		"none":                         raw(`{"alg":"none"}`, payload),
		"None":                         raw(`{"alg":"None","kid":"r"}`, payload),
		"an empty alg":                 raw(`{"alg":"","kid":"r"}`, payload),
		"no alg":                       raw(`{"kid":"r"}`, payload),
		"an alg that is a number":      raw(`{"alg":256,"kid":"r"}`, payload),
		"the public key as a secret":   sign(t, jwt.SigningMethodHS256, asPEM, good(), "kid", "r"),
		"its DER as a secret":          sign(t, jwt.SigningMethodHS256, der, good(), "kid", "r"),
		"its modulus as a secret":      sign(t, jwt.SigningMethodHS256, public.N.Bytes(), good(), "kid", "r"),
		"an empty secret":              sign(t, jwt.SigningMethodHS256, []byte{}, good(), "kid", "r"),
		"the name of the key's file":   sign(t, jwt.SigningMethodHS256, []byte("/dev/null"), good(), "kid", "/dev/null"),
		"HS512":                        sign(t, jwt.SigningMethodHS512, []byte(secret), good()),
		"RS512":                        sign(t, jwt.SigningMethodRS512, set.keys["r"], good(), "kid", "r"),
		"PS256":                        sign(t, jwt.SigningMethodPS256, set.keys["r"], good(), "kid", "r"),
		"a key of one's own":           sign(t, jwt.SigningMethodRS256, mallory, good(), "kid", "r"),
		"a key in the header":          sign(t, jwt.SigningMethodRS256, mallory, good(), "kid", "r", "jwk", embedded),
		"an address of keys in it":     sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", "r", "jku", set.URL),
		"certificates in it":           sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", "r", "x5c", []string{"x"}),
		"an address of certificates":   sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", "r", "x5u", set.URL),
		"something that must be known": sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", "r", "crit", []string{"exp"}),
		"no kid":                       sign(t, jwt.SigningMethodRS256, set.keys["r"], good()),
		"a kid that is a number":       sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", 1),
		"the kid of another algorithm": sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", "e"),
		"a key that is for encryption": sign(t, jwt.SigningMethodRS256, set.keys["enc"], good(), "kid", "enc"),
		"a secret that is in the set":  sign(t, jwt.SigningMethodHS256, []byte(published), good(), "kid", "oct"),
		"a signature that is padded":   honest + "=",
		"a signature with loose bits":  honest[:len(honest)-1] + loosened(honest[len(honest)-1]),
		"a kid that nobody knows":      sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", "unknown"),
	}
	for name, token := range forged {
		for kind, auth := range auths {
			if got, err := auth.Authenticate(t.Context(), with(token)); !errors.Is(err, identity.ErrTokenInvalid) {
				t.Errorf("%s, with a %s: got %+v, %v, want ErrTokenInvalid", name, kind, got, err)
			}
		}
	}
	for _, id := range []string{"r", "e", "d"} {
		if got, err := remote.Authenticate(t.Context(), with(set.sign(t, id, good()))); err != nil || got.User.ID != "7" {
			t.Errorf("valid token by key %s: got %+v, %v, want user 7", id, got, err)
		}
	}
	if _, err := auths["secret"].Authenticate(t.Context(), with(honest)); !errors.Is(err, identity.ErrTokenInvalid) {
		t.Errorf("RS256 token with a shared secret: got %v, want ErrTokenInvalid", err)
	}
}

// loosened returns another last character that encodes the same signature of 256 bytes: four of its bits are unused.
func loosened(last byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, last)^1])
}

func TestTokenSecretRotation(t *testing.T) {
	const other = "another secret of a test, of 32 bytes and more"
	old, now := sign(t, jwt.SigningMethodHS256, []byte(secret), good()), sign(t, jwt.SigningMethodHS256, []byte(other), good())
	for name, c := range map[string]struct {
		secrets  []string
		old, now bool
	}{
		"before":    {[]string{secret}, true, false},
		"meanwhile": {[]string{other, secret}, true, true},
		"after":     {[]string{other}, false, true},
	} {
		j := shared(t, c.secrets...)
		for token, want := range map[string]bool{old: c.old, now: c.now} {
			if _, err := j.Authenticate(t.Context(), with(token)); (err == nil) != want {
				t.Errorf("%s: got %v, want success: %v", name, err, want)
			}
		}
	}
}

func TestSharedSecretRejectsShortOrMoreThanTwoSecrets(t *testing.T) {
	for _, text := range []string{"", "short", secret + "\n" + "short", secret + "\n" + secret + "1\n" + secret + "2"} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := identity.SharedSecret(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("SharedSecret(%q): got %v, want an error with the path", text, err)
		}
	}
}

func TestCachedTokenExpires(t *testing.T) {
	j := shared(t, secret)
	synctest.Test(t, func(t *testing.T) {
		r := with(sign(t, jwt.SigningMethodHS256, []byte(secret), good("exp", time.Now().Add(20*time.Second).Unix())))
		got, err := j.Authenticate(t.Context(), r)
		if err != nil || !got.Until.Equal(time.Now().Add(80*time.Second)) {
			t.Fatalf("Until: got %v, %v, want exp and a minute more", got.Until, err)
		}
		time.Sleep(79 * time.Second)
		if _, err := j.Authenticate(t.Context(), r); err != nil {
			t.Errorf("before Until: got %v, want nil", err)
		}
		time.Sleep(time.Second)
		if _, err := j.Authenticate(t.Context(), r); !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("at Until: got %v, want ErrTokenInvalid", err)
		}
	})
}
