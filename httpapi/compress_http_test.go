package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
)

func TestLargeAnswersAreCompressed(t *testing.T) {
	w := newWorld(t, direct, func(p *plan) { p.Origins = []string{"https://other.example"} })
	for i := range 40 {
		w.as(fmt.Sprint("person ", i), presence.UserID(fmt.Sprint(1000+i))).update(`{"session": "s", "section": "s"}`)
	}
	reader := w.as("reader", "1")
	plain, packed := reader.get(), reader.get("Accept-Encoding", "br, gzip")
	if plain.header.Get("Content-Encoding") != "" || packed.header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("encoded are %q and %q", plain.header.Get("Content-Encoding"), packed.header.Get("Content-Encoding"))
	}
	if packed.gunzip(t) != plain.body || packed.header.Get("Etag") != plain.header.Get("Etag") {
		t.Error("the compressed list is another one than the plain one")
	}
	for name, a := range map[string]answer{
		"plain": plain, "compressed": packed, "refused": reader.get("Accept-Encoding", "gzip;q=0"),
		"head": reader.do("HEAD", httpapi.DefaultPrefix+project+"list/", "", "Accept-Encoding", "gzip"),
		"304":  reader.get("Accept-Encoding", "gzip", "If-None-Match", plain.header.Get("Etag")),
	} {
		if a.header.Get("Vary") != "Origin, Accept-Encoding" {
			t.Errorf("%s: Vary is %q", name, a.header["Vary"])
		}
		if a.header.Get("Etag") != plain.header.Get("Etag") {
			t.Errorf("%s: the ETag is %q", name, a.header.Get("Etag"))
		}
		if name == "304" && (a.status != 304 || a.body != "" || a.header.Get("Content-Encoding") != "") {
			t.Errorf("an unchanged list: %d, %q, %q", a.status, a.body, a.header)
		}
		if name == "refused" && a.body != plain.body {
			t.Error("gzip;q=0 was compressed")
		}
	}
	update := reader.post("update", `{"session": "r", "known_version": 0}`, "Accept-Encoding", "gzip").gunzip(t)
	if !strings.Contains(update, `"users":[`) || strings.Count(update, `"user_id"`) != 42 {
		t.Errorf("an update was answered %s", update)
	}
	conflicts := reader.post("update", `{"session": "r", "section": "s"}`, "Accept-Encoding", "gzip").gunzip(t)
	if strings.Contains(conflicts, `"users"`) || strings.Count(conflicts, `"user_id"`) != 41 {
		t.Errorf("an update with conflicts alone was answered %s", conflicts)
	}
	small := reader.post("leave", `{"session": "r"}`, "Accept-Encoding", "gzip")
	if small.header.Get("Content-Encoding") != "" {
		t.Error("a leave was compressed")
	}
}
