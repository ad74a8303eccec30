package httpapi_test

import (
	"compress/gzip"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/writer-presence/writer-presence/client"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestContentSecurityPolicyAllowsOwnFilesOnly(t *testing.T) {
	w := servertest.New(t)
	for _, at := range []string{"/", "/writer/api/client/writer-presence.js"} {
		got := w.Do("GET", at, nil)
		if got.Status != 200 {
			t.Fatalf("GET %s: got %d", at, got.Status)
		}
		policy := map[string]string{}
		for part := range strings.SplitSeq(got.Header.Get("Content-Security-Policy"), ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), " ")
			policy[name] = value
		}
		for name, want := range map[string]string{
			"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "connect-src": "'self'", "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
		} {
			if policy[name] != want {
				t.Errorf("%s: the policy has %s %q, want %q", at, name, policy[name], want)
			}
		}
		for name, value := range policy {
			for _, bad := range []string{"unsafe", "*", "http:", "https:", "blob:"} {
				if strings.Contains(value, bad) {
					t.Errorf("%s: the policy allows %s %s", at, name, value)
				}
			}
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got.Header.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", at, name, got.Header.Get(name), want)
			}
		}
	}
}

// The policy would block inline code.
func TestReferencePageHasNoInlineCode(t *testing.T) {
	w := servertest.New(t, func(p *servertest.Config) { p.Prefix = "/elsewhere" })
	text := w.Do("GET", "/", nil).Body
	if strings.Contains(text, "{{") {
		t.Error("the page has a placeholder that nobody filled in")
	}
	page, err := html.Parse(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	scripts, own := 0, 0
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attributes := map[string]string{}
		for _, a := range n.Attr {
			attributes[a.Key] = a.Val
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "srcdoc" || strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") {
				t.Errorf("<%s> has %s=%q", n.Data, a.Key, a.Val)
			}
		}
		switch n.Data {
		case "style", "base", "iframe", "object", "embed":
			t.Errorf("the page has <%s>", n.Data)
		case "script":
			scripts++
			if n.FirstChild != nil || attributes["src"] == "" {
				t.Errorf("a script is inline: %v", attributes)
			}
		}
		for _, key := range []string{"src", "href"} {
			at := attributes[key]
			if at == "" || strings.HasPrefix(at, "#") || strings.HasPrefix(at, "data:") {
				continue
			}
			own++
			if !strings.HasPrefix(at, "/elsewhere/client/") {
				t.Errorf("<%s> loads %s, want something of the client's", n.Data, at)
			} else if got := w.Do("GET", at, nil); got.Status != 200 {
				t.Errorf("<%s> loads %s, which answers %d", n.Data, at, got.Status)
			}
		}
	}
	if scripts == 0 || own < 2 {
		t.Errorf("the page has %d scripts and loads %d files: this is not the page", scripts, own)
	}
}

func TestReferencePageSaysWhetherDevTokensAreOn(t *testing.T) {
	for dev, want := range map[bool]string{true: `data-dev="true"`, false: `data-dev="false"`} {
		w := servertest.New(t, func(p *servertest.Config) {
			if !dev {
				p.Dev = nil
			}
		})
		if text := w.Do("GET", "/", nil).Body; !strings.Contains(text, want) || !strings.Contains(text, `data-prefix="/writer/api"`) {
			t.Errorf("with dev tokens %v the page does not say %s, and where the API is", dev, want)
		}
	}
}

func TestEveryClientFileIsServedUnchanged(t *testing.T) {
	w := servertest.New(t)
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
	err := fs.WalkDir(client.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || path.Ext(name) == ".html" || name == "writer-presence.js" { // the entry has a test of its own
			return err
		}
		want, err := fs.ReadFile(client.Files, name)
		at := "/writer/api/client/" + name
		got := w.Do("GET", at, nil)
		if got.Status != 200 || got.Body != string(want) || got.Header.Get("Content-Type") != kinds[path.Ext(name)] {
			t.Errorf("GET %s: got %d, %s, %d bytes, want 200, %s, %d bytes", at, got.Status, got.Header.Get("Content-Type"), len(got.Body), kinds[path.Ext(name)], len(want))
		}
		tag := got.Header.Get("ETag")
		rewritten := strings.TrimSuffix(tag, `"`) + `-gzip"`
		for _, known := range []string{tag, "W/" + tag, rewritten, "W/" + rewritten, tag + "-br"} {
			if again := w.Do("GET", at, nil, "If-None-Match", known); tag == "" || again.Status != 304 || again.Body != "" {
				t.Errorf("GET %s with If-None-Match: %s: got %d, %d bytes, want 304", at, known, again.Status, len(again.Body))
			}
		}
		if again := w.Do("GET", at, nil, "If-None-Match", `"no`+tag[1:]); again.Status != 200 {
			t.Errorf("GET %s with another tag: got %d", at, again.Status)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	for _, at := range []string{"/writer/api/client/client.go", "/writer/api/client/writer/", "/writer/api/client/writer/index.html", "/writer/api/client/testkit/size.js", "/index.html"} {
		w.Do("GET", at, nil).ExpectError(t, 404, "not_found")
	}
}

// A page never mixes modules of two versions while servers are being updated, and keeps the bundle until it changes.
func TestClientIsOneBundleAtAPathWithItsHash(t *testing.T) {
	w := servertest.New(t)
	const at = "/writer/api/client/"
	entry := w.Do("GET", at+"writer-presence.js", nil)
	name := regexp.MustCompile(`^export \* from '\./(writer-presence\.[0-9a-f]{16}\.js)';\n$`).FindStringSubmatch(entry.Body)
	if name == nil || entry.Header.Get("Cache-Control") != "no-cache" {
		t.Fatalf("the entry is %q with Cache-Control %q", entry.Body, entry.Header.Get("Cache-Control"))
	}
	bundle, err := fs.ReadFile(client.Files, client.Bundle)
	if err != nil {
		t.Fatal(err)
	}
	for path, caching := range map[string]string{name[1]: "public, max-age=31536000, immutable", "writer-presence.0123456789abcdef.js": "no-store"} {
		got := w.Do("GET", at+path, nil)
		if got.Status != 200 || got.Body != string(bundle) || got.Header.Get("Cache-Control") != caching || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/javascript") {
			t.Errorf("%s: status %d, %d bytes, Cache-Control %q", path, got.Status, len(got.Body), got.Header.Get("Cache-Control"))
		}
	}
	zipped := w.Do("GET", at+name[1], nil, "Accept-Encoding", "gzip")
	reader, err := gzip.NewReader(strings.NewReader(zipped.Body))
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(reader); err != nil || string(text) != string(bundle) || zipped.Header.Get("Content-Encoding") != "gzip" || !strings.Contains(zipped.Header.Get("Vary"), "Accept-Encoding") {
		t.Errorf("compressed: %d bytes, %v, Content-Encoding %q, Vary %q", len(text), err, zipped.Header.Get("Content-Encoding"), zipped.Header.Get("Vary"))
	}
	if plain := w.Do("GET", at+name[1], nil, "Accept-Encoding", "identity"); plain.Header.Get("ETag") == zipped.Header.Get("ETag") {
		t.Errorf("plain and compressed have one tag, %s", plain.Header.Get("ETag"))
	}
	for _, path := range []string{"writer-presence.0123456789abcde.js", "writer-presence.0123456789abcdeg.js", "writer-presence.0123456789abcdef.css", "other-presences.0123456789abcdef.js", "writer-presence..js"} {
		if got := w.Do("GET", at+path, nil); got.Status != 404 {
			t.Errorf("%s: status %d, want 404", path, got.Status)
		}
	}
}

func TestFilesHaveTheContentTypeOfTheirExtension(t *testing.T) {
	w := servertest.New(t, servertest.Direct)
	kinds := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8"}
	err := fs.WalkDir(client.Files, ".", func(name string, entry fs.DirEntry, err error) error {
		at := "/writer/api/client/" + name
		if path.Ext(name) == ".html" {
			at = "/"
		}
		if err != nil || entry.IsDir() {
			return err
		}
		if got := w.Do("GET", at, nil).Header.Get("Content-Type"); got != kinds[path.Ext(name)] || got == "" {
			t.Errorf("%s: Content-Type %q, want %q", name, got, kinds[path.Ext(name)])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
