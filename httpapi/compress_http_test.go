package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
)

func TestLargeAnswersAreCompressed(t *testing.T) {
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.Origins = []string{"https://other.example"} })
	for i := range 40 {
		w.As(fmt.Sprint("person ", i), presence.UserID(fmt.Sprint(1000+i))).Update(`{"session": "s", "section": "s"}`)
	}
	reader := w.As("reader", "1")
	plain, packed := reader.GetList(), reader.GetList("Accept-Encoding", "br, gzip")
	if plain.Header.Get("Content-Encoding") != "" || packed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("encoded are %q and %q", plain.Header.Get("Content-Encoding"), packed.Header.Get("Content-Encoding"))
	}
	if packed.Gunzip(t) != plain.Body || packed.Header.Get("Etag") != plain.Header.Get("Etag") {
		t.Error("the compressed list is another one than the plain one")
	}
	for name, a := range map[string]servertest.Response{
		"plain": plain, "compressed": packed, "refused": reader.GetList("Accept-Encoding", "gzip;q=0"),
		"head": reader.Do("HEAD", httpapi.DefaultPrefix+servertest.ProjectPath+"list/", "", "Accept-Encoding", "gzip"),
		"304":  reader.GetList("Accept-Encoding", "gzip", "If-None-Match", plain.Header.Get("Etag")),
	} {
		if a.Header.Get("Vary") != "Origin, Accept-Encoding" {
			t.Errorf("%s: Vary is %q", name, a.Header["Vary"])
		}
		if a.Header.Get("Etag") != plain.Header.Get("Etag") {
			t.Errorf("%s: the ETag is %q", name, a.Header.Get("Etag"))
		}
		if name == "304" && (a.Status != 304 || a.Body != "" || a.Header.Get("Content-Encoding") != "") {
			t.Errorf("an unchanged list: %d, %q, %q", a.Status, a.Body, a.Header)
		}
		if name == "refused" && a.Body != plain.Body {
			t.Error("gzip;q=0 was compressed")
		}
	}
	update := reader.Post("update", `{"session": "r", "known_version": 0}`, "Accept-Encoding", "gzip").Gunzip(t)
	if !strings.Contains(update, `"users":[`) || strings.Count(update, `"user_id"`) != 42 {
		t.Errorf("an update was answered %s", update)
	}
	conflicts := reader.Post("update", `{"session": "r", "section": "s"}`, "Accept-Encoding", "gzip").Gunzip(t)
	if strings.Contains(conflicts, `"users"`) || strings.Count(conflicts, `"user_id"`) != 41 {
		t.Errorf("an update with conflicts alone was answered %s", conflicts)
	}
	small := reader.Post("leave", `{"session": "r"}`, "Accept-Encoding", "gzip")
	if small.Header.Get("Content-Encoding") != "" {
		t.Error("a leave was compressed")
	}
}
