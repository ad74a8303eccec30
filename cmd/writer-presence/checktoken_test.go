package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// checkTokenBy runs check-token with a token in a file, and checks that neither the token nor the
// secret is printed.
func checkTokenBy(t *testing.T, environ []string, token string, args ...string) (printed string, err error) {
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

func TestCheckTokenSaysWhoAndWhere(t *testing.T) {
	secret := secretFile(t)
	end := time.Now().Add(time.Hour).Truncate(time.Second)
	token := jwtOf(t, jwt.MapClaims{"sub": "1042", "username": "Alice\x1b[2J", "exp": end.Unix(), "projects": []string{"thesis", "a.example/book"}})
	for _, input := range []string{token, "Bearer " + token + "\n", "bearer  " + token} {
		printed, err := checkTokenBy(t, nil, input, "--jwt-secret-file", secret, "--project", "thesis")
		if err != nil {
			t.Fatal(err)
		}
		for _, due := range []string{"valid", `"1042"`, "Alice", end.UTC().Format(time.RFC3339), `"thesis"`, `"a.example/book"`, `project "thesis": yes`} {
			if !strings.Contains(printed, due) {
				t.Errorf("check-token printed %q; %s is missing", printed, due)
			}
		}
		if strings.Contains(printed, "\x1b") {
			t.Errorf("check-token printed a control character: %q", printed)
		}
	}
	for project, due := range map[string]string{
		"":               "",
		"a.example/book": "",
		"book":           `does not name the project "book"`,
		"b.example/book": `does not name the project "b.example/book"`,
		"Thesis":         "same capitals",
		"a b":            "--project",
		"/book":          "--project",
	} {
		_, err := checkTokenBy(t, nil, token, "--jwt-secret-file", secret, "--project", project)
		if (err == nil) != (due == "") || err != nil && !strings.Contains(err.Error(), due) {
			t.Errorf("--project %q: %v; due: %q", project, err, due)
		}
	}
}

func TestCheckTokenSaysWhyATokenIsRejected(t *testing.T) { // case 54
	secret := secretFile(t)
	environ := []string{"WRITER_PRESENCE_JWT_SECRET_FILE=" + secret, "WRITER_PRESENCE_AUTH_URL=http://127.0.0.1:1/{project}"} // as serve has it
	good := jwtOf(t, jwt.MapClaims{"sub": "1", "projects": "*"})
	for name, c := range map[string]struct {
		token string
		args  []string
		says  string
	}{
		"integer sub":      {jwtOf(t, jwt.MapClaims{"sub": 1042, "projects": "*"}), nil, `bad_subject: sub is not a string`},
		"no sub":           {jwtOf(t, jwt.MapClaims{"projects": "*"}), nil, "no_subject"},
		"aud":              {jwtOf(t, jwt.MapClaims{"sub": "1", "projects": "*", "aud": "x"}), []string{"--jwt-audience", "y"}, "wrong_audience"},
		"iss":              {jwtOf(t, jwt.MapClaims{"sub": "1", "projects": "*", "iss": "x"}), []string{"--jwt-issuer", "y"}, "wrong_issuer"},
		"no exp":           {jwtOf(t, jwt.MapClaims{"sub": "1", "projects": "*", "exp": nil}), nil, "no_expiry"},
		"expired":          {jwtOf(t, jwt.MapClaims{"sub": "1", "projects": "*", "exp": 1000}), nil, "expired"},
		"bad projects":     {jwtOf(t, jwt.MapClaims{"sub": "1", "projects": []int{1}}), nil, "bad_projects"},
		"no projects":      {jwtOf(t, jwt.MapClaims{"sub": "1"}), nil, "no_projects"},
		"another claim":    {good, []string{"--jwt-projects-claim", "app.projects"}, "no_projects"},
		"no token":         {"a token that is none", nil, "malformed"},
		"a forged one":     {good[:len(good)-6] + "AAAAAA", nil, "bad_signature"},
		"empty":            {" \n", nil, "there is no token"},
		"too long":         {strings.Repeat("x", maxToken+1), nil, "more than 16384 bytes"},
		"two ways":         {good, []string{"--jwks-url", "http://127.0.0.1:1/"}, "give one of them"},
		"misspelt flag":    {good, []string{"--jwt-isuer", "x"}, "did you mean --jwt-issuer"},
		"a missing secret": {good, []string{"--jwt-secret-file", secret + "x"}, "no such file"},
	} {
		if printed, err := checkTokenBy(t, environ, c.token, c.args...); err == nil || !strings.Contains(err.Error(), c.says) || printed != "" {
			t.Errorf("%s: printed %q and ended with %v; due is %q", name, printed, err, c.says)
		}
	}
	if _, err := checkTokenBy(t, nil, good); err == nil || !strings.Contains(err.Error(), "needs --jwt-secret-file") {
		t.Errorf("without a way to check, check-token ended with %v", err)
	}
	if _, err := checkTokenBy(t, append(environ, "WRITER_PRESENCE_PROJECT=p"), good); err == nil || !strings.Contains(err.Error(), "WRITER_PRESENCE_PROJECT") {
		t.Errorf("a variable that nothing reads: %v", err)
	}
}

func TestCheckTokenSaysThatKeysAreOutOfReach(t *testing.T) {
	keys := httptest.NewServer(http.NotFoundHandler())
	defer keys.Close()
	at := strings.Replace(keys.URL, "http://", "http://user:password@", 1) + "/keys?key=hidden"
	header := "eyJhbGciOiJSUzI1NiIsImtpZCI6ImEifQ" // {"alg":"RS256","kid":"a"}
	for _, address := range []string{at, "http://user:password@127.0.0.1:1/?key=hidden"} {
		_, err := checkTokenBy(t, nil, header+".e30.AAAA", "--jwks-url", address)
		if err == nil || !strings.Contains(err.Error(), "cannot be fetched from 127.0.0.1:") || strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "hidden") {
			t.Errorf("without keys, check-token ended with %v", err)
		}
	}
}

// The token comes from the standard input, and the exit status says whether it is valid.
func TestCheckTokenReadsTheStandardInput(t *testing.T) {
	secret := secretFile(t)
	for token, due := range map[string]int{jwtOf(t, jwt.MapClaims{"sub": "1", "projects": "*"}): 0, jwtOf(t, jwt.MapClaims{"sub": 1, "projects": "*"}): 1, "": 1} {
		c := exec.Command(os.Args[0], "check-token", "--jwt-secret-file", secret, "--project", "p")
		c.Env = append(os.Environ(), "WRITER_PRESENCE_TEST_MAIN=1")
		c.Stdin = strings.NewReader(token)
		out, _ := c.CombinedOutput()
		if got := c.ProcessState.ExitCode(); got != due {
			t.Errorf("the exit status is %d; due is %d: %s", got, due, out)
		}
	}
}
