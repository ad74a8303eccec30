package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
)

func TestServerIsReadyWithADegradedStoreAndNotWithAnUnavailableOne(t *testing.T) { // rule 13
	f := newFixture(t, true)
	f.checkReady(200, "ready")
	f.ready = func(context.Context) error { return fmt.Errorf("%w: the disk is full", presence.ErrDegraded) }
	f.checkReady(200, "degraded: the disk is full")
	if v := f.metrics()["writer_presence_store_ready"]; v != 0 {
		t.Errorf("writer_presence_store_ready is %g for a degraded store; want 0", v)
	}
	f.ready = func(context.Context) error { return errors.New("Redis does not answer") }
	f.checkReady(503, "Redis does not answer")
	f.ready = func(context.Context) error { return nil }
	f.checkReady(200, "ready")
	if v := f.metrics()["writer_presence_store_ready"]; v != 1 {
		t.Errorf("writer_presence_store_ready is %g for a healthy store; want 1", v)
	}
}

func TestDrainingServerIsNotReadyWhateverTheHealthOfItsStore(t *testing.T) {
	f := newFixture(t, true)
	f.drain()
	f.checkReady(503, "draining")
	f.ready = func(context.Context) error { return presence.ErrDegraded }
	f.checkReady(503, "draining")
}

func TestHealthAndMetricsAnswerWithin5SecondsWhileTheStoreHangs(t *testing.T) { // invariant 10
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, true)
		f.ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for _, path := range []string{"/readyz", "/metrics"} {
			began := time.Now()
			request(f.admin, http.MethodGet, path, "")
			if took := time.Since(began); took >= 5*time.Second {
				t.Errorf("%s was answered after %v; want less than 5s", path, took)
			}
		}
	})
}

func TestOnlyGetAndHeadOfKnownPathsAreAnswered(t *testing.T) {
	f := newFixture(t, true)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/", "/page.css", "/page.js"} {
		if status, _ := request(f.admin, http.MethodHead, path, ""); status != 200 {
			t.Errorf("HEAD %s answers %d; want 200", path, status)
		}
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions} {
			if status, _ := request(f.admin, method, path, ""); status != 405 {
				t.Errorf("%s %s answers %d; want 405", method, path, status)
			}
		}
	}
	for _, path := range []string{"/index.html", "/page/", "/debug/pprof/", "/debug/vars", "/metrics/x", httpapi.DefaultPrefix + "/project/p/presence/list/"} {
		if status, _ := request(f.admin, http.MethodGet, path, ""); status != 404 {
			t.Errorf("%s answers %d; want 404", path, status)
		}
	}
}

func TestOtherHostNamesAreRejectedOnLoopbackOnly(t *testing.T) { // case 41
	local, remote := newFixture(t, true), newFixture(t, false)
	for host, want := range map[string]int{"127.0.0.1:9090": 200, "[::1]:9090": 200, "localhost:9090": 200, "evil.example:9090": 403, "10.0.0.1:9090": 403} {
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if status, _ := request(local.admin, http.MethodGet, path, "", "Host", host); status != want {
				t.Errorf("on loopback %s%s answers %d; want %d", host, path, status, want)
			}
			if status, _ := request(remote.admin, http.MethodGet, path, "", "Host", host); status != 200 {
				t.Errorf("on another address %s%s answers %d; want 200", host, path, status)
			}
		}
	}
}
