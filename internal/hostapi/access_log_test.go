package hostapi_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/writer-presence/writer-presence/internal/hostapi"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestAccessLogOfTheHostAPIHasNoIDsOfUsers(t *testing.T) {
	var logs servertest.Log
	a := newAPI(t, func(o *hostapi.Options) { o.AccessLog = slog.New(slog.NewTextHandler(&logs, nil)) })
	for path, want := range map[string]string{
		"users/alice@example.org": "path=/api/v1/users/{user} status=200 ",
		"alice@example.org":       "path=/api/v1/* status=404 ",
	} {
		got := a.do("GET", path, "", "X-Request-ID", "the-id")
		line := logs.String()
		if !strings.Contains(line, "msg=request request=the-id method=GET "+want) || strings.Contains(line, "alice") || got.Header.Get("X-Request-ID") != "the-id" {
			t.Errorf("GET %s: the answer has %v, and the log %s; want %s", path, got.Header, line, want)
		}
	}
}
