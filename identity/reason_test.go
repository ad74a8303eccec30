package identity_test

import (
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// signed returns a token with exactly this header and payload, signed with the secret.
func signed(t *testing.T, header, payload string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(payload))
	signature, err := jwt.SigningMethodHS256.Sign(text, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + encode(signature)
}

const hs256 = `{"alg":"HS256"}`

func TestRejectedTokenHasOneReasonAndOneError(t *testing.T) { // case 54
	soon := time.Now().Add(time.Hour).Unix()
	const rest = `,"sub":"7","projects":["p"]`
	payload := func(exp string) string { return `{"exp":` + exp + rest + `}` }
	for name, c := range map[string]struct {
		token string
		want  identity.Reason
	}{
		"no token":               {"alice", identity.Malformed},
		"ALG":                    {signed(t, `{"ALG":"HS256"}`, payload("4102444800")), identity.BadAlgorithm},
		"alg and Alg":            {signed(t, `{"Alg":"none","alg":"HS256"}`, `{}`), identity.NoExpiry},
		"alg twice":              {signed(t, `{"alg":"none","alg":"HS256"}`, payload("4102444800")), identity.Malformed},
		"crit":                   {signed(t, `{"alg":"HS256","crit":["x"]}`, payload("4102444800")), identity.BadHeader},
		"RS256":                  {signed(t, `{"alg":"RS256"}`, payload("4102444800")), identity.BadAlgorithm},
		"none":                   {signed(t, `{"alg":"none"}`, payload("4102444800")), identity.BadAlgorithm},
		"another secret":         {sign(t, jwt.SigningMethodHS256, []byte("no"+secret), good("sub", 7)), identity.BadSignature},
		"a payload null":         {signed(t, hs256, `null`), identity.Malformed},
		"two objects":            {signed(t, hs256, payload("4102444800")+`{}`), identity.Malformed},
		"sub twice":              {signed(t, hs256, `{"sub":"8","exp":4102444800`+rest+`}`), identity.Malformed},
		"a nested name twice":    {signed(t, hs256, `{"x":{"a":1,"a":2},"exp":4102444800`+rest+`}`), identity.Malformed},
		"integer sub":            {sign(t, jwt.SigningMethodHS256, []byte(secret), good("sub", 7)), identity.BadSubject},
		"no sub":                 {sign(t, jwt.SigningMethodHS256, []byte(secret), good("sub", nil)), identity.NoSubject},
		"ſub":                    {sign(t, jwt.SigningMethodHS256, []byte(secret), good("sub", nil, "ſub", "7", "SUB", "7")), identity.NoSubject},
		"a visitor's sub":        {sign(t, jwt.SigningMethodHS256, []byte(secret), good("sub", "visitor-x")), identity.BadSubject},
		"no exp":                 {sign(t, jwt.SigningMethodHS256, []byte(secret), good("exp", nil)), identity.NoExpiry},
		"Exp":                    {sign(t, jwt.SigningMethodHS256, []byte(secret), good("exp", nil, "Exp", soon)), identity.NoExpiry},
		"expired":                {sign(t, jwt.SigningMethodHS256, []byte(secret), good("exp", 1)), identity.Expired},
		"not yet valid":          {sign(t, jwt.SigningMethodHS256, []byte(secret), good("nbf", soon)), identity.NotYetValid},
		"wrong aud":              {sign(t, jwt.SigningMethodHS256, []byte(secret), good("aud", "x")), identity.WrongAudience},
		"aud of numbers":         {sign(t, jwt.SigningMethodHS256, []byte(secret), good("aud", []int{1})), identity.WrongAudience},
		"iss that is a number":   {sign(t, jwt.SigningMethodHS256, []byte(secret), good("iss", 1)), identity.WrongIssuer},
		"a name that is a list":  {sign(t, jwt.SigningMethodHS256, []byte(secret), good("username", []string{"a"})), identity.BadName},
		"projects of numbers":    {sign(t, jwt.SigningMethodHS256, []byte(secret), good("projects", []int{1})), identity.BadProjects},
		"projects with null":     {sign(t, jwt.SigningMethodHS256, []byte(secret), good("projects", []any{"p", nil})), identity.BadProjects},
		"projects that is a map": {sign(t, jwt.SigningMethodHS256, []byte(secret), good("projects", map[string]any{"p": true})), identity.BadProjects},
		"exp in milliseconds":    {signed(t, hs256, payload("1893456000000")), identity.BadTime},
		"exp as text":            {signed(t, hs256, payload(`"4102444800"`)), identity.BadTime},
		"exp true":               {signed(t, hs256, payload(`true`)), identity.BadTime},
		"exp negative":           {signed(t, hs256, payload(`-1`)), identity.BadTime},
		"exp -0.0":               {signed(t, hs256, payload(`-0.0`)), identity.BadTime},
		"exp 1e300":              {signed(t, hs256, payload(`1e300`)), identity.BadTime},
		"exp 1e400":              {signed(t, hs256, payload(`1e400`)), identity.BadTime},
		"exp 2^63":               {signed(t, hs256, payload(`9223372036854775808`)), identity.BadTime},
		"exp year 10000":         {signed(t, hs256, payload(`253402300800`)), identity.BadTime},
		"exp of many digits":     {signed(t, hs256, payload(`4102444800.`+strings.Repeat("1", 100))), identity.BadTime},
		"exp of a list":          {signed(t, hs256, payload(`[4102444800]`)), identity.BadTime},
		"exp NaN":                {signed(t, hs256, payload(`NaN`)), identity.Malformed},
		"exp \"NaN\"":            {signed(t, hs256, payload(`"NaN"`)), identity.BadTime},
		"nbf 1e300":              {signed(t, hs256, `{"nbf":1e300,"exp":4102444800`+rest+`}`), identity.BadTime},
		"nbf -1e300":             {signed(t, hs256, `{"nbf":-1e300,"exp":4102444800`+rest+`}`), identity.BadTime},
		"nbf as text":            {signed(t, hs256, `{"nbf":"0","exp":4102444800`+rest+`}`), identity.BadTime},
		"iat as text":            {signed(t, hs256, `{"iat":"0","exp":4102444800`+rest+`}`), identity.BadTime},
		"iat 1e19":               {signed(t, hs256, `{"iat":1e19,"exp":4102444800`+rest+`}`), identity.BadTime},
	} {
		_, err := shared(t, secret).Authenticate(t.Context(), with(c.token))
		reason, ok := identity.ReasonOf(err)
		if c.token == "" || !ok || reason != c.want || !errors.Is(err, identity.ErrTokenInvalid) {
			t.Errorf("%s: got %v, want the reason %s", name, err, c.want)
			continue
		}
		if text := err.Error(); text != string(reason)+": "+reason.Explain() || reason.Explain() == "" {
			t.Errorf("%s: got %q, want the reason with its explanation", name, text)
		}
	}
	for name, exp := range map[string]string{"a fraction": "4102444800.5", "an exponent": "4.1024448e9", "the last second": "253402300799"} {
		if _, err := shared(t, secret).Authenticate(t.Context(), with(signed(t, hs256, payload(exp)))); err != nil {
			t.Errorf("exp with %s: got %v, want nil", name, err)
		}
	}
}

func TestTokenWithoutProjectsIsProjectUnknownWithReason(t *testing.T) {
	got, err := shared(t, secret).Authenticate(t.Context(), with(sign(t, jwt.SigningMethodHS256, []byte(secret), good("projects", nil))))
	reason, _ := identity.ReasonOf(err)
	if !errors.Is(err, identity.ErrProjectUnknown) || errors.Is(err, identity.ErrTokenInvalid) || reason != identity.NoProjects || got.User.ID != "7" {
		t.Errorf("got %+v, %v, want user 7 and ErrProjectUnknown with the reason %s", got, err, identity.NoProjects)
	}
}

func TestReasonIsBadSignatureBeforeAnyClaim(t *testing.T) {
	token := sign(t, jwt.SigningMethodHS256, []byte("not the "+secret), good("exp", "text", "sub", 7, "projects", 1))
	_, err := shared(t, secret).Authenticate(t.Context(), with(token))
	if reason, _ := identity.ReasonOf(err); reason != identity.BadSignature {
		t.Errorf("got %v, want %s", err, identity.BadSignature)
	}
}

func TestReasonsWithRemoteKeys(t *testing.T) {
	set := newKeySet(t)
	j, err := identity.RemoteKeys(set.URL)
	if err != nil {
		t.Fatal(err)
	}
	for token, want := range map[string]identity.Reason{
		sign(t, jwt.SigningMethodRS256, set.keys["r"], good()):                     identity.NoKeyID,
		sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "KID", "r"):         identity.NoKeyID,
		sign(t, jwt.SigningMethodRS256, set.keys["r"], good(), "kid", "unknown"):   identity.UnknownKey,
		sign(t, jwt.SigningMethodRS256, set.keys["enc"], good(), "kid", "enc"):     identity.UnknownKey,
		sign(t, jwt.SigningMethodRS256, set.keys["enc"], good(), "kid", "r"):       identity.BadSignature,
		sign(t, jwt.SigningMethodHS256, []byte(published), good(), "kid", "oct"):   identity.BadAlgorithm,
		sign(t, jwt.SigningMethodRS256, set.keys["r"], good("sub", 7), "kid", "r"): identity.BadSubject,
	} {
		_, err := j.Authenticate(t.Context(), with(token))
		if reason, _ := identity.ReasonOf(err); reason != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestNameAndProjectsClaimsAreConfigurable(t *testing.T) {
	const ns = "https://example.org/projects"
	object := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	user := presence.User{ID: "7", Name: "Al"}
	for name, c := range map[string]struct {
		name, projects string
		claims         jwt.MapClaims
		err            error
	}{
		"dotted":                              {"app.user.name", "app.projects", good("projects", nil, "app", object("projects", []string{"p"}, "user", object("name", "Al"))), nil},
		"namespaced":                          {"https://example.org/name", ns, good("projects", nil, ns, []string{"p"}, "https://example.org/name", "Al"), nil},
		"an object under a namespace":         {"nickname", "https://example.org/app.projects", good("projects", nil, "nickname", "Al", "https://example.org/app", object("projects", "*")), nil},
		"an exact name wins over a path":      {"a.b", "app.projects", good("a.b", "Al", "a", object("b", "Bo"), "app.projects", []string{"p"}, "app", object("projects", []string{"q"})), nil},
		"null is as if left out":              {"a.b", "app.projects", good("a.b", nil, "a", object("b", "Al"), "app.projects", nil, "app", object("projects", "*")), nil},
		"the default does not count then":     {"nickname", "app.projects", good("nickname", "Al"), identity.ErrProjectUnknown},
		"another case":                        {"nickname", "app.projects", good("nickname", "Al", "app", object("Projects", "*"), "APP", object("projects", "*")), identity.ErrProjectUnknown},
		"a path through a text":               {"nickname", "app.projects", good("nickname", "Al", "app", "projects"), identity.ErrProjectUnknown},
		"a namespace is no path by its dots":  {"nickname", ns, good("nickname", "Al", "https://example", object("org/projects", []string{"q"})), identity.ErrProjectUnknown},
		"projects that are a number in there": {"nickname", "app.projects", good("nickname", "Al", "app", object("projects", 1)), identity.ErrTokenInvalid},
		"a name that is a number in there":    {"app.name", "projects", good("app", object("name", 1)), identity.ErrTokenInvalid},
	} {
		j := shared(t, secret)
		j.NameClaim, j.ProjectsClaim = c.name, c.projects
		for _, recheck := range []bool{false, true} {
			r := with(sign(t, jwt.SigningMethodHS256, []byte(secret), c.claims))
			r.Recheck = recheck
			got, err := j.Authenticate(t.Context(), r)
			if !errors.Is(err, c.err) || !errors.Is(err, identity.ErrTokenInvalid) && got.User != user {
				t.Errorf("%s: got %+v, %v, want %+v, %v", name, got.User, err, user, c.err)
			}
		}
	}
}

// Every reason has an explanation, and a row in docs/reference/errors.md with the same text.
func TestEveryRejectionReasonIsDocumented(t *testing.T) {
	guide, err := os.ReadFile("../docs/reference/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range identity.Reasons() {
		if row := "| `" + string(reason) + "` | " + reason.Explain() + " |"; reason.Explain() == "" || !strings.Contains(string(guide), row) {
			t.Errorf("docs/reference/errors.md lacks the row %s", row)
		}
	}
}
