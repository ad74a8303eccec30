package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const jwtSecret = "a secret that only the tokens of tests are signed with"

// secretFile returns the path of a file with jwtSecret.
func secretFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwt")
	if err := os.WriteFile(path, []byte(jwtSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// signToken signs claims with jwtSecret. If exp is left out, the token expires in an hour; if it is nil, never.
func signToken(t *testing.T, claims jwt.MapClaims) string {
	t.Helper()
	if _, ok := claims["exp"]; !ok {
		claims["exp"] = time.Now().Add(time.Hour).Unix()
	}
	if claims["exp"] == nil {
		delete(claims, "exp")
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(jwtSecret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// It uses claims as Auth0 and Keycloak name them.
func TestServerUsesTheFlagsForTokens(t *testing.T) {
	s := startServer(t, "--data", t.TempDir(), "--admin-addr", "off", "--jwt-secret-file", secretFile(t),
		"--jwt-name-claim", "https://example.org/name", "--jwt-projects-claim", "app.projects", "--token-header", "X-Presence-Token")
	for name, c := range map[string]struct {
		claims jwt.MapClaims
		status int
		name   string
	}{
		"claims as in the flags":         {jwt.MapClaims{"sub": "1", "https://example.org/name": "Alice", "username": "a", "app": map[string]any{"projects": []string{"p"}}}, 200, "Alice"},
		"a claim with a dot in its name": {jwt.MapClaims{"sub": "2", "https://example.org/name": "Bob", "app.projects": "*"}, 200, "Bob"},
		"claims with default names":      {jwt.MapClaims{"sub": "3", "username": "carol", "projects": "*"}, 404, ""},
		"another project":                {jwt.MapClaims{"sub": "4", "app": map[string]any{"projects": []string{"q"}}}, 404, ""},
	} {
		var answer struct{ You struct{ Username string } }
		status := s.post("project/p/presence/update/", signToken(t, c.claims), `{}`, &answer)
		if status != c.status || answer.You.Username != c.name {
			t.Errorf("%s: answered %d for %q; want %d for %q", name, status, answer.You.Username, c.status, c.name)
		}
	}
}

func TestInvalidFlagsForTokensStopTheStart(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // in the error
	}{
		{[]string{"--jwt-name-claim", "name"}, "need --jwt-secret-file or --jwks-url"},
		{[]string{"--jwt-projects-claim", "p"}, "need --jwt-secret-file or --jwks-url"},
		{[]string{"--token-header", "X Token"}, "--token-header"},
		{[]string{"--token-header", "Cookie"}, "has another meaning"},
		{[]string{"--token-header", "authorization"}, "anyway"},
	} {
		_, err := runToEnd(t, nil, append([]string{"serve", "--data", t.TempDir(), "--addr", "127.0.0.1:0", "--admin-addr", "off"}, c.args...)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v; want an error with %q", c.args, err, c.want)
		}
	}
}
