package servertest

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Response is an HTTP response that was read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   string
}

// ExpectError checks that the response is this error in the form that all errors have.
func (r Response) ExpectError(t *testing.T, status int, code string) {
	t.Helper()
	var body struct {
		Success *bool
		Code    string
		Error   string
	}
	err := json.Unmarshal([]byte(r.Body), &body)
	if err != nil || r.Status != status || body.Code != code || body.Success == nil || *body.Success || body.Error == "" {
		t.Errorf("got %d %s\nwant %d with code %q", r.Status, r.Body, status, code)
	}
}

// ExpectCORS checks the headers that let a page of the origin read the response. An empty origin means that there are
// none.
func (r Response) ExpectCORS(t *testing.T, name, origin string, credentials bool) {
	t.Helper()
	want := map[string]string{"Vary": "Origin", "Access-Control-Allow-Origin": origin}
	if origin != "" {
		want["Access-Control-Expose-Headers"] = "ETag, Retry-After, X-Request-ID"
	}
	if credentials {
		want["Access-Control-Allow-Credentials"] = "true"
	}
	for _, header := range []string{"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
		got := strings.Join(r.Header[header], " | ")
		if header == "Vary" { // lists add Accept-Encoding
			got = strings.TrimSuffix(got, ", Accept-Encoding")
		}
		if got != want[header] {
			t.Errorf("%s: got %d with %s %q, want %q", name, r.Status, header, got, want[header])
		}
	}
}

// Gunzip returns the decompressed body.
func (r Response) Gunzip(t *testing.T) string {
	t.Helper()
	z, err := gzip.NewReader(strings.NewReader(r.Body))
	if err != nil {
		t.Fatalf("cannot decompress the body of status %d with headers %q: %v", r.Status, r.Header, err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
