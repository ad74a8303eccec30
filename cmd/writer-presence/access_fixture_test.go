package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/writer-presence/writer-presence/identity"
)

// tokenMaker signs tokens.
type tokenMaker struct {
	method jwt.SigningMethod
	key    any
}

func (m tokenMaker) token(t *testing.T, projects ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(m.method, jwt.MapClaims{"sub": "tok", "username": "Tok", "projects": projects, "exp": time.Now().Add(time.Hour).Unix()})
	token.Header["kid"] = "k"
	text, err := token.SignedString(m.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// accessFixture has what all servers of the matrix share: keys, a host application and a key set.
type accessFixture struct {
	secret, key  string // files
	secretText   []byte
	private      *ecdsa.PrivateKey
	host, jwks   string // addresses
	visitor, dev string // a cookie and a token signed with key
}

func newAccessFixture(t *testing.T) *accessFixture {
	t.Helper()
	dir := t.TempDir()
	w := &accessFixture{secret: filepath.Join(dir, "jwt"), key: filepath.Join(dir, "key"), secretText: []byte(strings.Repeat("s", 40))}
	if err := os.WriteFile(w.secret, w.secretText, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := identity.ReadKeys(w.key)
	if err != nil {
		t.Fatal(err)
	}
	made, err := (&identity.Visitors{Keys: keys, Allowed: identity.EveryProject}).Authenticate(t.Context(), identity.Request{Project: "p"})
	if err != nil {
		t.Fatal(err)
	}
	w.visitor = made.Cookie.Name + "=" + made.Cookie.Value
	if w.dev, _, err = (&identity.Dev{Keys: keys}).Token("7", "Dev"); err != nil {
		t.Fatal(err)
	}
	if w.private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	point, err := w.private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	jwks := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(out, `{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "use": "sig", "x": %q, "y": %q}]}`, encode(point[1:33]), encode(point[33:]))
	}))
	t.Cleanup(jwks.Close)
	// Like login middleware, it answers 401 to users who are not signed in, whatever the project.
	host := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		cookie, _ := r.Cookie("session")
		switch {
		case cookie == nil || cookie.Value == "ended":
			out.WriteHeader(http.StatusUnauthorized)
			io.WriteString(out, `{}`)
		case cookie.Value == "member" && r.URL.Path == "/thesis/":
			io.WriteString(out, `{"user_id": 1, "username": "Member"}`)
		default:
			out.WriteHeader(http.StatusNotFound)
			io.WriteString(out, `{}`)
		}
	}))
	t.Cleanup(host.Close)
	w.jwks, w.host = jwks.URL, host.URL+"/{project}/"
	return w
}

// headers returns the headers of a request, as pairs.
func (a *accessFixture) headers(t *testing.T, w ways, r role) (headers []string) {
	t.Helper()
	maker := tokenMaker{jwt.SigningMethodHS256, a.secretText}
	if w.jwks {
		maker = tokenMaker{jwt.SigningMethodES256, a.private}
	}
	forger := tokenMaker{jwt.SigningMethodHS256, []byte(strings.Repeat("f", 40))}
	switch r.token {
	case "thesis", "other":
		headers = append(headers, "Authorization", "Bearer "+maker.token(t, r.token))
	case "forged":
		headers = append(headers, "Authorization", "Bearer "+forger.token(t, "thesis", "blog", "*"))
	case "dev":
		headers = append(headers, "Authorization", "Bearer "+a.dev)
	}
	var cookies []string
	if r.session != "" {
		cookies = append(cookies, "session="+r.session)
	}
	switch r.visitor {
	case "good":
		cookies = append(cookies, a.visitor)
	case "forged":
		cookies = append(cookies, a.visitor[:len(a.visitor)-4]+"AAAA")
	}
	if len(cookies) > 0 {
		headers = append(headers, "Cookie", strings.Join(cookies, "; "))
	}
	return headers
}
