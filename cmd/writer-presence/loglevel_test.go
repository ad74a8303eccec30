package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestLogLevelDebugLogsRejectedRequests(t *testing.T) {
	for level, want := range map[string]bool{"debug": true, "info": false} {
		s := startServer(t, "--data", t.TempDir(), "--admin-addr", "off", "--log-level", level, "--jwt-secret-file", secretFile(t))
		r, _ := http.NewRequest("GET", s.url+"/writer/api/project/p/presence/list/", nil)
		r.Header.Set("X-Request-ID", "the-id")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		s.kill() // waits until all of the log was read
		text := s.stderr.String()
		if got := strings.Contains(text, "request=the-id project=p user=\"\" code=unauthenticated"); got != want || !strings.Contains(text, "msg=serving") {
			t.Errorf("at level %s the log has the rejected request: %v; want %v\n%s", level, got, want, text)
		}
	}
}

func TestInvalidLogLevelStopsTheStart(t *testing.T) {
	for value, want := range map[string]string{
		"debgu": "did you mean debug", "INFO": "did you mean info", "warning": "did you mean warn", "errors": "did you mean error",
		"trace": "give debug, info, warn or error", "": "give debug, info, warn or error",
	} {
		_, err := runToEnd(t, nil, "serve", "--data", t.TempDir(), "--addr", "127.0.0.1:0", "--admin-addr", "off", "--log-level", value)
		if err == nil || !strings.Contains(err.Error(), "--log-level") || !strings.Contains(err.Error(), want) {
			t.Errorf("--log-level %q: %v; want an error with %q", value, err, want)
		}
	}
}
