package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"
)

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// Each bad request must get its error, leave the list unchanged and create no visitor.
func TestBadRequestChangesNothing(t *testing.T) {
	w := servertest.New(t)
	w.As("bob", "2").Update(`{"section":"s","session":"tab","seq":5}`)
	w.As("alice", "1").Update(`{"section":"s","session":"tab","seq":5}`)
	before := w.As("watcher", "999").GetList()

	const (
		json = "application/json"
		at   = "/writer/api/project/p/presence/"
	)
	type request struct {
		name, method, path, kind, body string
		status                         int
		code                           string
	}
	var requests []request
	both := func(name, body string, status int, code string) {
		requests = append(requests,
			request{name, "POST", at + "update/", json, body, status, code},
			request{name, "POST", at + "leave/", json, body, status, code},
			request{name, "POST", servertest.DevTokenPath, json, body, status, code})
	}
	update := func(name, body string, code string) {
		requests = append(requests, request{name, "POST", at + "update/", json, body, 400, code})
	}
	session := func(name, body string, code string) {
		requests = append(requests,
			request{name, "POST", at + "update/", json, body, 400, code},
			request{name, "POST", at + "leave/", json, body, 400, code})
	}
	for name, body := range map[string]string{
		"nothing": "", "space": " \n", "not JSON": "section=s", "half of it": `{"section":"s"`, "a trailing comma": `{"section":"s",}`,
		"single quotes": `{'section':'s'}`, "an array": `[{"section":"s"}]`, "a text": `"s"`, "a number": `1`, "null": `null`, "true": `true`,
		"the same name twice": `{"section":"s","section":"s"}`, "the same unknown name twice": `{"x":1,"x":2}`,
		"two objects": `{"section":"s"}{"section":"t"}`, "something after it": `{"section":"s"} x`, "a comma after it": `{"section":"s"},`,
		"a byte-order mark": "\ufeff{}", "a raw line break in a text": "{\"section\":\"a\nb\"}", "a bare word": `{"section":s}`,
		"a number with a leading zero": `{"seq":01}`, "a plus sign": `{"seq":+1}`, "hexadecimal": `{"seq":0x1}`, "NaN": `{"seq":NaN}`,
		"nothing after a colon": `{"seq":}`, "a bad escape": `{"section":"\x41"}`, "a form": "section=s&session=tab", "deep nesting that does not close": strings.Repeat(`{"a":`, 500),
	} {
		both(name, body, 400, "bad_json")
	}
	for _, wrong := range []string{`1`, `true`, `["s"]`, `{"a":1}`} {
		update("section "+wrong, `{"section":`+wrong+`}`, "bad_type")
		update("activity "+wrong, `{"activity":`+wrong+`}`, "bad_type")
		session("session "+wrong, `{"session":`+wrong+`}`, "bad_type")
	}
	for _, wrong := range []string{`1`, `"true"`, `"on"`, `[]`, `{}`} {
		update("unless_occupied "+wrong, `{"section":"x","unless_occupied":`+wrong+`}`, "bad_type")
		requests = append(requests, request{"hidden " + wrong, "POST", at + "leave/", json, `{"session":"tab","hidden":` + wrong + `}`, 400, "bad_type"})
	}
	for _, wrong := range []string{`-1`, `-0.5`, `1.5`, `1e3`, `"6"`, `true`, `[]`, `{}`, `9007199254740992`, `18446744073709551616`, `1e400`} {
		session("seq "+wrong, `{"section":"x","session":"tab","seq":`+wrong+`}`, "seq_invalid")
		update("known_version "+wrong, `{"section":"x","known_version":`+wrong+`}`, "version_invalid")
	}
	for _, wrong := range []string{"\u200b", "a/\u2800", "\t", "a/\t", "a\nb", "a\x00b", "a\x7fb", "a\u0085b", "a\u202eb", "a\u2066b", "a\u200fb", "a\u061cb", "a\u200bb", "a\u2028b", "\ufeffa", "a\ufffdb"} {
		update("section "+quoted(wrong), `{"section":`+servertest.JSONString(wrong)+`}`, "section_invalid")
	}
	update("a section with half a surrogate", `{"section":"a\ud800b"}`, "section_invalid")
	update("a section that is not UTF-8", "{\"section\":\"a\xffb\"}", "section_invalid")
	update("101 characters", `{"section":"`+strings.Repeat("x", 101)+`"}`, "section_too_long")
	update("101 wide characters", `{"section":"`+strings.Repeat("語", 101)+`"}`, "section_too_long")
	for _, wrong := range []string{"a b", "a/b", "ä", "a\n", strings.Repeat("x", 65), "a:b", "<script>"} {
		session("session "+quoted(wrong), `{"session":`+servertest.JSONString(wrong)+`}`, "session_invalid")
	}
	for _, wrong := range []string{"sleeping", "Editing", " editing", "editing\n"} {
		update("activity "+quoted(wrong), `{"section":"x","activity":`+servertest.JSONString(wrong)+`}`, "activity_invalid")
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/jsonx", "text/json", "application/json;;", "application/json, text/plain", "application/ld+json"} {
		for _, path := range []string{at + "update/", at + "leave/", servertest.DevTokenPath} {
			requests = append(requests, request{"Content-Type " + quoted(kind), "POST", path, kind, `{"section":"x"}`, 415, "not_json"})
		}
	}
	for _, wrong := range []string{"a%2Fb", "a%20b", "%00", "%C3%A4", strings.Repeat("x", 65), "a:b", "a%0Ab", "a%252Fb", "%F0%9F%98%80", "a+b", "a,b"} {
		for path, method := range map[string]string{"update/": "POST", "leave/": "POST", "list/": "GET"} {
			requests = append(requests, request{"project " + wrong, method, "/writer/api/project/" + wrong + "/presence/" + path, json, `{"section":"x"}`, 400, "project_invalid"})
		}
	}
	for path, known := range map[string]string{at + "update/": "POST", at + "leave/": "POST", at + "list/": "GET", servertest.DevTokenPath: "POST", "/writer/api/client/writer-presence.js": "GET", "/": "GET"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"} {
			if method != known && !(method == "HEAD" && known == "GET") {
				requests = append(requests, request{"method " + method, method, path, json, `{"section":"x"}`, 405, "method_not_allowed"})
			}
		}
	}
	for _, path := range []string{
		"/writer", "/writer/api/", at, at + "update", at + "list", at + "updates/", at + "update//", at + "update/x", "/writer/api/project//presence/update/", "/writer/api/project/presence/update/",
		"/project/p/presence/update/", "/writer/api//project/p/presence/update/", "//writer/api/project/p/presence/update/", "/writer/api/project/./presence/update/", "/writer/api/project/../presence/update/",
		"/writer/api/project/p/x/../presence/update/", "/writer/api/project/a/b/presence/update/", "/writer/api/client/", "/writer/api/client/../client/writer-presence.js", "/writer/api/client/client.go", "/favicon.ico",
		"/writer/api/project/p/presence%2Fupdate/", "/WRITER/api/project/p/presence/update/",
	} {
		requests = append(requests, request{"address", "POST", path, json, `{"section":"x"}`, 404, "not_found"})
	}

	for _, r := range requests {
		for _, p := range []*servertest.Client{w.As("alice", "1"), w.Anonymous()} {
			headers := []string{}
			if r.kind != "" {
				headers = append(headers, "Content-Type", r.kind)
			}
			if p.Token != "" {
				headers = append(headers, "Authorization", "Bearer "+p.Token)
			}
			code, status := r.code, r.status
			if p.Token == "" && r.status < 405 && r.method == "POST" && strings.HasSuffix(r.path, "/p/presence/leave/") || p.Token == "" && r.status > 405 && strings.HasSuffix(r.path, "leave/") {
				status, code = 401, "unauthenticated" // an unknown caller gets this error first
			}
			got := w.Do(r.method, r.path, strings.NewReader(r.body), headers...)
			if r.method == "HEAD" {
				if got.Status != status {
					t.Errorf("HEAD %s: got %d, want %d", r.path, got.Status, status)
				}
			} else if sub := (&testing.T{}); true {
				if got.ExpectError(sub, status, code); sub.Failed() {
					t.Errorf("%s: %s %s %.60s\ngot %d %s\nwant %d %s", r.name, r.method, r.path, r.body, got.Status, got.Body, status, code)
				}
			}
			if allow := got.Header.Get("Allow"); (got.Status == http.StatusMethodNotAllowed) != (allow != "") || allow != "" && strings.Contains(allow, r.method) {
				t.Errorf("%s %s: got %d with Allow: %q", r.method, r.path, got.Status, allow)
			}
			if cookies := got.Header["Set-Cookie"]; cookies != nil {
				t.Errorf("%s: a request that failed set the cookie %q", r.name, cookies)
			}
		}
	}
	if after := w.As("watcher", "999").GetList(); after.Body != before.Body || after.Header.Get("ETag") != before.Header.Get("ETag") {
		t.Errorf("bad requests changed the list\nfrom %s\nto   %s", before.Body, after.Body)
	}
	if len(requests) < 300 {
		t.Errorf("got only %d requests, too few for this test", len(requests))
	}
}

func TestUnusualButValidRequestsAreAccepted(t *testing.T) {
	w := servertest.New(t)
	alice := w.As("alice", "1")
	deep := strings.Repeat(`{"a":[`, 200) + `1` + strings.Repeat(`]}`, 200)
	for body, want := range map[string]string{
		`{"section":"` + strings.Repeat("x", 100) + `"}`:            strings.Repeat("x", 100),
		`{"section":"` + strings.Repeat("語", 100) + `"}`:            strings.Repeat("語", 100),
		`{"section":"a b/<c>&\"d\" '"}`:                             `a b/<c>&"d" '`,
		`{"section":"\u0061\/b"}`:                                   "a/b",
		`{"section":"नमस्ते/क\u200dष"}`:                             "नमस्ते/क\u200dष",
		`{"section":"../../etc/passwd"}`:                            "../../etc/passwd",
		`{"section":"__proto__/constructor"}`:                       "__proto__/constructor",
		`{"unknown":` + deep + `,"section":"deep","x":null}`:        "deep",
		`{"SECTION":"old","section":"exact","ſection":"x"}`:         "exact",
		"\r\n\t {\"section\" : \"spaced\" } \n":                     "spaced",
		`{"section":"nulls","seq":null,"unless_occupied":null}`:     "nulls",
		`{"section":"session","session":"A-z.0_9~","seq":1}`:        "session",
		`{"section":"defaults","session":"","activity":"","seq":0}`: "defaults",
	} {
		if got := alice.Update(body); got.You.Section != want {
			t.Errorf("%.80s: got section %q, want %q", body, got.You.Section, want)
		}
	}
	for _, name := range []string{"a", strings.Repeat("x", 64), "A-z.0_9~", "...", "%61"} {
		alice.ExpectSuccess(alice.Do("POST", "/writer/api/project/"+name+"/presence/update/", `{}`))
	}
	for _, kind := range []string{"application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "application/json "} {
		got := w.Do("POST", "/writer/api/project/p/presence/update/", strings.NewReader(`{}`), "Content-Type", kind, "Authorization", "Bearer "+alice.Token)
		if got.Status != 200 {
			t.Errorf("Content-Type: %q got %d %s, want success", kind, got.Status, got.Body)
		}
	}
}

func TestBodyIsLimitedTo4096Bytes(t *testing.T) { // rule 16
	w := servertest.New(t)
	alice := w.As("alice", "1")
	padded := func(size int) string {
		body := `{"section":"big","padding":"`
		return body + strings.Repeat("x", size-len(body)-2) + `"}`
	}
	send := func(path string, body io.Reader) servertest.Response {
		return w.Do("POST", path, body, "Content-Type", "application/json", "Authorization", "Bearer "+alice.Token)
	}
	before := alice.GetList().Body
	for _, path := range []string{"/writer/api/project/p/presence/update/", "/writer/api/project/p/presence/leave/", servertest.DevTokenPath} {
		for _, size := range []int{4097, 5000, 1 << 20} {
			send(path, strings.NewReader(padded(size))).ExpectError(t, 413, "body_too_large")
			send(path, io.MultiReader(strings.NewReader(padded(size)))).ExpectError(t, 413, "body_too_large") // chunked, without Content-Length
		}
	}
	if after := alice.GetList().Body; after != before {
		t.Errorf("bodies that are too large changed the list from %s to %s", before, after)
	}
	for name, body := range map[string]io.Reader{"with Content-Length": strings.NewReader(padded(4096)), "chunked": io.MultiReader(strings.NewReader(padded(4096)))} {
		if got := send("/writer/api/project/p/presence/update/", body); got.Status != 200 {
			t.Errorf("a body of 4096 bytes, %s, got %d %s, want success", name, got.Status, got.Body)
		}
	}
	w.ExpectListed("alice")
}

func TestRequestFromAnotherOriginIsRejected(t *testing.T) { // case 41
	w := servertest.New(t)
	alice := w.As("alice", "1")
	alice.Update(`{"section":"s"}`)
	visitor := w.Anonymous()
	visitor.Update(`{"section":"s"}`)
	before := alice.GetList().Body
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Sec-Fetch-Site", "cross-site", "Origin", "http://" + w.Host},
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Origin", "http://" + w.Host + ".evil.example"}, {"Origin", "http://evil.example:80", "Sec-Fetch-Site", "cross-site"},
	} {
		for _, p := range []*servertest.Client{alice, visitor, w.Anonymous()} {
			for _, path := range []string{"/writer/api" + servertest.ProjectPath + "update/", "/writer/api" + servertest.ProjectPath + "leave/", servertest.DevTokenPath, "/nowhere"} {
				p.Do("POST", path, `{"username":"alice"}`, headers...).ExpectError(t, 403, "cross_origin")
				if p.SetCookie != nil {
					t.Errorf("a request from another origin set the cookie %v", p.SetCookie)
				}
			}
		}
	}
	if after := alice.GetList().Body; after != before {
		t.Errorf("requests from another origin changed the list\nfrom %s\nto   %s", before, after)
	}
	for _, headers := range [][]string{{}, {"Sec-Fetch-Site", "same-origin"}, {"Sec-Fetch-Site", "none"}, {"Origin", "http://" + w.Host}} {
		alice.Update(`{"section":"s"}`, headers...)
	}
}
