package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// runCheckToken runs check-token with a token in a file, and checks that neither the token nor the secret is printed.
func runCheckToken(t *testing.T, environ []string, token string, args ...string) (printed string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	var out output
	err = run(t.Context(), append([]string{"check-token", "--file", path}, args...), environ, &out, &out)
	all := out.String()
	if err != nil {
		all += err.Error()
	}
	for part := range strings.FieldsFuncSeq(token, func(r rune) bool { return r == '.' || r == ' ' || r == '\n' }) {
		if len(part) > 8 && strings.Contains(all, part) {
			t.Errorf("%v printed a part of the token: %s", args, all)
		}
	}
	if strings.Contains(all, jwtSecret) {
		t.Errorf("%v printed the secret", args)
	}
	return out.String(), err
}

func TestCheckTokenPrintsUserExpiryAndProjects(t *testing.T) {
	secret := secretFile(t)
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	token := signToken(t, jwt.MapClaims{"sub": "1042", "username": "Alice\x1b[2J", "exp": end.Unix(), "projects": []string{"thesis", "a.example/book"}})
	for _, input := range []string{token, "Bearer " + token + "\n", "bearer  " + token} {
		printed, err := runCheckToken(t, nil, input, "--jwt-secret-file", secret, "--project", "thesis")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"valid", `"1042"`, "Alice", end.UTC().Format(time.RFC3339), `"thesis"`, `"a.example/book"`, `project "thesis": yes`} {
			if !strings.Contains(printed, want) {
				t.Errorf("check-token printed %q; want %s in it", printed, want)
			}
		}
		if strings.Contains(printed, "\x1b") {
			t.Errorf("check-token printed a control character: %q", printed)
		}
	}
	for project, want := range map[string]string{
		"":               "--project is empty", // the token would pass for any project
		"a.example/book": "",
		"book":           `does not name the project "book"`,
		"b.example/book": `does not name the project "b.example/book"`,
		"Thesis":         "same capitals",
		"a b":            "--project",
		"/book":          "--project",
	} {
		_, err := runCheckToken(t, nil, token, "--jwt-secret-file", secret, "--project", project)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("--project %q: %v; want %q", project, err, want)
		}
	}
}

func TestCheckTokenExplainsWhyATokenIsRejected(t *testing.T) { // case 54
	secret := secretFile(t)
	environ := []string{"WRITER_PRESENCE_JWT_SECRET_FILE=" + secret, "WRITER_PRESENCE_AUTH_URL=http://127.0.0.1:1/{project}"} // --auth-url is for serve only
	good := signToken(t, jwt.MapClaims{"sub": "1", "projects": "*"})
	for name, c := range map[string]struct {
		token string
		args  []string
		want  string // in the error
	}{
		"integer sub":      {signToken(t, jwt.MapClaims{"sub": 1042, "projects": "*"}), nil, `bad_subject: sub is not a string`},
		"no sub":           {signToken(t, jwt.MapClaims{"projects": "*"}), nil, "no_subject"},
		"aud":              {signToken(t, jwt.MapClaims{"sub": "1", "projects": "*", "aud": "x"}), []string{"--jwt-audience", "y"}, "wrong_audience"},
		"iss":              {signToken(t, jwt.MapClaims{"sub": "1", "projects": "*", "iss": "x"}), []string{"--jwt-issuer", "y"}, "wrong_issuer"},
		"no exp":           {signToken(t, jwt.MapClaims{"sub": "1", "projects": "*", "exp": nil}), nil, "no_expiry"},
		"expired":          {signToken(t, jwt.MapClaims{"sub": "1", "projects": "*", "exp": 1000}), nil, "expired"},
		"bad projects":     {signToken(t, jwt.MapClaims{"sub": "1", "projects": []int{1}}), nil, "bad_projects"},
		"no projects":      {signToken(t, jwt.MapClaims{"sub": "1"}), nil, "no_projects"},
		"another claim":    {good, []string{"--jwt-projects-claim", "app.projects"}, "no_projects"},
		"no token":         {"not a token", nil, "malformed"},
		"forged":           {good[:len(good)-6] + "AAAAAA", nil, "bad_signature"},
		"empty":            {" \n", nil, "there is no token"},
		"too long":         {strings.Repeat("x", maxToken+1), nil, "more than 16384 bytes"},
		"secret and keys":  {good, []string{"--jwks-url", "http://127.0.0.1:1/"}, "give one of them"},
		"misspelt flag":    {good, []string{"--jwt-isuer", "x"}, "did you mean --jwt-issuer"},
		"a missing secret": {good, []string{"--jwt-secret-file", secret + "x"}, "no such file"},
	} {
		if printed, err := runCheckToken(t, environ, c.token, c.args...); err == nil || !strings.Contains(err.Error(), c.want) || printed != "" {
			t.Errorf("%s: printed %q, %v; want an error with %q", name, printed, err, c.want)
		}
	}
	if _, err := runCheckToken(t, nil, good); err == nil || !strings.Contains(err.Error(), "needs --jwt-secret-file") {
		t.Errorf("without secret and keys: %v; want an error that names the flags", err)
	}
	if _, err := runCheckToken(t, append(environ, "WRITER_PRESENCE_PROJECT=p"), good); err == nil || !strings.Contains(err.Error(), "WRITER_PRESENCE_PROJECT") {
		t.Errorf("unknown variable: %v; want an error that names it", err)
	}
}

func TestCheckTokenReportsKeysThatCannotBeFetched(t *testing.T) {
	keys := httptest.NewServer(http.NotFoundHandler())
	defer keys.Close()
	at := strings.Replace(keys.URL, "http://", "http://user:password@", 1) + "/keys?key=hidden"
	header := "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ" // {"alg":"RS256","kid":"a"}
	for _, address := range []string{at, "http://user:password@127.0.0.1:1/?key=hidden"} {
		_, err := runCheckToken(t, nil, header+".e30.AAAA", "--jwks-url", address)
		if err == nil || !strings.Contains(err.Error(), "cannot be fetched from 127.0.0.1:") || strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%v; want an error with the host, but without password and query", err)
		}
	}
}

func TestCheckTokenReadsStandardInputAndExitsWithTheResult(t *testing.T) {
	secret := secretFile(t)
	for token, want := range map[string]int{signToken(t, jwt.MapClaims{"sub": "1", "projects": "*"}): 0, signToken(t, jwt.MapClaims{"sub": 1, "projects": "*"}): 1, "": 1} {
		c := program(t.Context(), "check-token", "--jwt-secret-file", secret, "--project", "p")
		c.Stdin = strings.NewReader(token)
		out, _ := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != want {
			t.Errorf("the exit status is %d; want %d: %s", got, want, out)
		}
	}
}
