//go:build unix

package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// BenchmarkUpdate sends one heartbeat to the handler, without a connection. It also reports the CPU time, which depends
// less on what else the machine does.
func BenchmarkUpdate(b *testing.B) {
	store, err := sqlitestore.Open(b.TempDir(), sqlitestore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- store.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	h, err := httpapi.New(httpapi.Options{Service: presence.NewService(store), Authenticator: tokenIsID{}, UserRate: identity.NoLimit, AddressRate: identity.NoLimit})
	if err != nil {
		b.Fatal(err)
	}
	body := bytes.NewReader([]byte(`{"session":"0123456789abcdef","section":"manuscript/abstract","activity":"editing"}`))
	r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8080/writer/api/project/p/presence/update/", nil)
	r.Header = http.Header{"Authorization": {"Bearer 7"}, "Content-Type": {"application/json"}}
	r.Body, r.ContentLength = io.NopCloser(body), body.Size()
	out := blank{http.Header{}}
	b.ReportAllocs()
	before := cpuTime()
	for b.Loop() {
		clear(out.h)
		body.Seek(0, io.SeekStart)
		h.ServeHTTP(out, r)
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
	if out.h.Get("Content-Type") == "" || out.h.Get("Cache-Control") != "" { // every error is "no-store"
		b.Fatalf("the update was rejected: %v", out.h)
	}
}
