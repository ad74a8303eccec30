package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestFlagsOfProxiesReachTheServer runs the program with the flags about hosts, proxies and origins.
func TestFlagsOfProxiesReachTheServer(t *testing.T) { // case 52
	s := start(t, "--data", t.TempDir(), "--admin-addr", "off", "--visitors", "on",
		"--tenant-from", "host", "--trusted-proxies", "127.0.0.1", "--allowed-origins", "https://*.example.org,https://named.example:443")
	ask := func(method, what, host, origin string) (int, http.Header, string) {
		t.Helper()
		r, err := http.NewRequest(method, s.url+"/writer/api/project/p/presence/"+what+"/", strings.NewReader(`{}`))
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
	if status, _, body := ask("POST", "update", "a.example.org", "https://a.example.org"); status != 200 {
		t.Fatalf("a page of its own host got %d %s", status, body)
	}
	for host, listed := range map[string]bool{"a.example.org": true, "A.example.org:443": true, "b.example.org": false} {
		if _, _, body := ask("GET", "list", host, ""); strings.Contains(body, "Visitor ") != listed {
			t.Errorf("at %s are listed %s", host, body)
		}
	}
	if status, header, _ := ask("GET", "list", "b.example.org", "https://named.example"); status != 200 || header.Get("Access-Control-Allow-Origin") != "https://named.example" {
		t.Errorf("a page of an allowed origin got %d %v", status, header)
	}
	if status, _, _ := ask("POST", "update", "b.example.org", "https://evil.example"); status != 403 {
		t.Errorf("a page of another origin got %d", status)
	}
}
