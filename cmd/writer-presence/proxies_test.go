package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestServerUsesTheFlagsForProxiesOriginsAndTenants(t *testing.T) { // case 52
	s := startServer(t, "--data", t.TempDir(), "--admin-addr", "off", "--visitors", "on",
		"--tenant-from", "host", "--trusted-proxies", "127.0.0.1", "--allowed-origins", "https://*.example.org,https://named.example:443")
	request := func(method, operation, host, origin string) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequest(method, s.url+"/writer/api/project/p/presence/"+operation+"/", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-Host", host)
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, _ := io.ReadAll(answer.Body)
		return answer.StatusCode, answer.Header, string(body)
	}
	if status, _, body := request("POST", "update", "a.example.org", "https://a.example.org"); status != 200 {
		t.Fatalf("a page of the same host was answered %d %s", status, body)
	}
	for host, listed := range map[string]bool{"a.example.org": true, "A.example.org:443": true, "b.example.org": false} {
		if _, _, body := request("GET", "list", host, ""); strings.Contains(body, "Visitor ") != listed {
			t.Errorf("the list of tenant %s has the visitor: %v; want %v: %s", host, !listed, listed, body)
		}
	}
	if status, header, _ := request("GET", "list", "b.example.org", "https://named.example"); status != 200 || header.Get("Access-Control-Allow-Origin") != "https://named.example" {
		t.Errorf("a page of an allowed origin was answered %d %v", status, header)
	}
	if status, _, _ := request("POST", "update", "b.example.org", "https://evil.example"); status != 403 {
		t.Errorf("a page of another origin was answered %d; want 403", status)
	}
}
