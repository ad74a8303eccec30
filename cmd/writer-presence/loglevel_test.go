package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestLogLevelReachesTheServer(t *testing.T) {
	for level, due := range map[string]bool{"debug": true, "info": false} {
		s := start(t, "--data", t.TempDir(), "--admin-addr", "off", "--log-level", level, "--jwt-secret-file", secretFile(t))
		r, _ := http.NewRequest("GET", s.url+"/writer/api/project/p/presence/list/", nil)
		r.Header.Set("X-Request-ID", "the-id")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		text := s.stderr.String()
		if got := strings.Contains(text, "request=the-id project=p user=\"\" code=unauthenticated"); got != due || !strings.Contains(text, "msg=serving") {
			t.Errorf("at %s the log has %s", level, text)
		}
	}
}

func TestLogLevelsAreChecked(t *testing.T) {
	for value, due := range map[string]string{
		"debgu": "did you mean debug", "INFO": "did you mean info", "warning": "did you mean warn", "errors": "did you mean error",
		"trace": "give debug, info, warn or error", "": "give debug, info, warn or error",
	} {
		var out output
		err := run(t.Context(), []string{"serve", "--data", t.TempDir(), "--addr", "127.0.0.1:0", "--admin-addr", "off", "--log-level", value}, nil, &out, &out)
		if err == nil || !strings.Contains(err.Error(), "--log-level") || !strings.Contains(err.Error(), due) {
			t.Errorf("--log-level %q: the start ended with %v; due is %q", value, err, due)
		}
	}
}
