package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestLogFormatJSONWritesOneObjectALineAndTheAccessLogWithIt(t *testing.T) {
	addr, log := startInProcess(t, "--visitors", "on", "--log-format", "json", "--access-log")
	r, _ := http.NewRequest("GET", "http://"+addr+"/writer/api/project/p/presence/list/?token=secret", nil)
	r.Header.Set("X-Request-ID", "the-id")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if got := answer.Header.Get("X-Request-ID"); got != "the-id" {
		t.Errorf("the answer has the id %q; want that of the request", got)
	}
	lines := map[string]map[string]any{}
	for line := range strings.Lines(log.String()) {
		fields := map[string]any{}
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines[fields["msg"].(string)] = fields
	}
	if got := lines["serving"]["lease"]; got != "2m0s" {
		t.Errorf("the lease is logged as %v; want 2m0s", got)
	}
	if got := lines["request"]; got["request"] != "the-id" || got["status"] != 200.0 || got["path"] != "/writer/api/project/p/presence/list/" {
		t.Errorf("the access log has %v; want the request", got)
	}
}

func TestInvalidLogSettingsStopTheStart(t *testing.T) {
	for want, args := range map[string][]string{
		"did you mean json":     {"--log-format", "JSON"},
		"give text or json":     {"--log-format", "logfmt"},
		"give --log-level info": {"--access-log", "--log-level", "warn"},
	} {
		if _, err := runToEnd(t, nil, append([]string{"serve", "--data", t.TempDir(), "--addr", "127.0.0.1:0", "--admin-addr", "off"}, args...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want an error with %q", args, err, want)
		}
	}
}
