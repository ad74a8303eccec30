package main

import (
	"strings"
	"testing"
)

func TestStartPrintsTheAddressOfTheReferencePage(t *testing.T) {
	s := startServer(t, "--dev", "--data", t.TempDir())
	if status, page := get(s.addr(), "/"); status != 200 || !strings.Contains(page, "presence-badge") {
		t.Errorf("%s/ answers %d; want a page with a badge", s.url, status)
	}
}
