package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/wire"
)

func TestTheDocumentAndTheTableOfFailuresNameTheSameCodesAndStatuses(t *testing.T) {
	c, err := servertest.LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	documented, codes := map[string]bool{}, map[string]bool{}
	add := func(status string, response *openapi3.ResponseRef) {
		media := response.Value.Content["application/json"]
		if media == nil || len(media.Schema.Value.AllOf) == 0 {
			return
		}
		for _, part := range media.Schema.Value.AllOf {
			if part.Ref != "" {
				continue
			}
			for _, code := range part.Value.Properties["code"].Value.Enum {
				documented[status+" "+code.(string)] = true
				codes[code.(string)] = true
			}
		}
	}
	for _, operation := range c.Operations() {
		for status, response := range operation.Responses.Map() {
			add(status, response)
		}
	}
	table := map[string]bool{}
	for _, f := range wire.Failures() {
		if f.Status != 0 { // 0: the contract of HTTP does not have it
			table[strconv.Itoa(f.Status)+" "+f.Code] = true
		}
	}
	for f := range table {
		if !documented[f] {
			t.Errorf("internal/wire/errors.go has %q, and docs/reference/openapi.yaml has not", f)
		}
	}
	for f := range documented {
		if !table[f] {
			t.Errorf("docs/reference/openapi.yaml has %q, and internal/wire/errors.go has not", f)
		}
	}
	for _, code := range c.Document.Components.Schemas["Error"].Value.Properties["code"].Value.Enum {
		if !codes[code.(string)] {
			t.Errorf("the schema Error has %q, and no answer of the document has it", code)
		}
		delete(codes, code.(string))
	}
	for code := range codes {
		t.Errorf("an answer of the document has %q, and its schema Error has not", code)
	}
}

// The checks of all other tests stand on this: that a wrong answer is seen.
func TestAnAnswerThatTheDocumentDoesNotKnowIsSeen(t *testing.T) {
	c, err := servertest.LoadContract()
	if err != nil {
		t.Fatal(err)
	}
	good := `{"success":true,"version":1,"users":[]}`
	header := func(change ...string) http.Header {
		h := http.Header{"Content-Type": {"application/json"}, "Etag": {`W/"1"`}, "Cache-Control": {"private, no-cache"}, "X-Content-Type-Options": {"nosniff"}}
		for i := 0; i < len(change); i += 2 {
			h.Set(change[i], change[i+1])
		}
		return h
	}
	at := httpapi.DefaultPrefix + "/project/p/presence/list/"
	judge := func(method, path string, status int, h http.Header, body string) error {
		return c.Check(httpapi.DefaultPrefix, httptest.NewRequest(method, path, nil), nil, status, h, []byte(body))
	}
	if err := judge("GET", at, 200, header(), good); err != nil {
		t.Fatalf("a right answer was refused: %v", err)
	}
	user := string(wire.Occupant(&presence.Occupant{User: presence.User{ID: "1", Name: "alice"}, Activity: presence.Viewing}))
	with := func(old, new string) string {
		return `{"success":true,"version":1,"users":[` + strings.Replace(user, old, new, 1) + `]}`
	}
	if err := judge("GET", at, 200, header(), with("", "")); err != nil {
		t.Fatalf("a right answer with a user was refused: %v", err)
	}
	for name, err := range map[string]error{
		"a stray field":            judge("GET", at, 200, header(), `{"success":true,"version":1,"users":[],"token":"x"}`),
		"a missing field":          judge("GET", at, 200, header(), `{"success":true,"version":1}`),
		"a stray field of a user":  judge("GET", at, 200, header(), with(`"initials"`, `"email":"a@example.com","initials"`)),
		"a colour of our own":      judge("GET", at, 200, header(), with(presence.User{ID: "1"}.Color(), "#000000")),
		"an unknown activity":      judge("GET", at, 200, header(), with("viewing", "sleeping")),
		"an id that is no id":      judge("GET", at, 200, header(), with(`"user_id":1`, `"user_id":true`)),
		"a count of those listed":  judge("GET", at, 200, header(), `{"success":true,"version":1,"users":[],"count":1}`),
		"an unknown status":        judge("GET", at, 202, header(), good),
		"an unknown header":        judge("GET", at, 200, header("X-Powered-By", "x"), good),
		"a strong tag":             judge("GET", at, 200, header("ETag", `"1"`), good),
		"no JSON":                  judge("GET", at, 200, header("Content-Type", "text/plain"), good),
		"a body with a 304":        judge("GET", at, 304, header(), good),
		"an unknown code":          judge("GET", at, 503, header("Cache-Control", "no-store", "Retry-After", "1"), `{"success":false,"code":"oops","error":"x"}`),
		"a code of another status": judge("GET", "/nowhere", 404, header("Cache-Control", "no-store"), `{"success":false,"code":"unavailable","error":"x"}`),
		"success at nowhere":       judge("GET", "/nowhere", 200, header(), good),
	} {
		if err == nil {
			t.Errorf("%s was let through", name)
		}
	}
}
