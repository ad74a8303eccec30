package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

func TestUnexpectedHostAnswerIsLoggedOnceWithoutSecrets(t *testing.T) { // cases 42 and 53
	h, _ := newHost(t)
	auth, err := identity.NewHost(strings.Replace(h.URL, "http://", "http://user:Passw0rd@", 1)+"/presence/{project}/?key=S3cret", slog.New(slog.NewTextHandler(&h.logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	h.answers(403, "<title>no \u202e\x1b[31m host</title>\nyour cookie is csrf=x; session=CaNaRy7, your token CaNaRy8"+strings.Repeat("!", 1<<10))
	for i := range 3 {
		r := request("Cookie", "csrf=x; session=CaNaRy7", "Authorization", "Bearer CaNaRy8")
		r.Project = presence.Project(strings.Repeat("p", i+1))
		r.Forwarded.RequestID = "id-" + strings.Repeat("p", i+1)
		if _, err := auth.Authenticate(t.Context(), r); !errors.Is(err, presence.ErrUnavailable) || strings.Contains(err.Error(), "CaNaRy") {
			t.Errorf("got %v", err)
		}
	}
	logged := h.logs.String()
	if strings.Count(logged, "level=ERROR") != 1 || !strings.Contains(logged, "status=403") || !strings.Contains(logged, "request=id-p ") || !strings.Contains(logged, "address="+h.URL+"/presence/p/ ") || !strings.Contains(logged, "<title>no ") {
		t.Errorf("log: want one error with status, address and first bytes, got %s", logged)
	}
	for _, secret := range []string{"CaNaRy", "S3cret", "Passw0rd", "\x1b", "\u202e", "!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!"} {
		if strings.Contains(logged, secret) {
			t.Errorf("log: got %q in %s", secret, logged)
		}
	}
	h.Close() // the log of an unreachable host has no query either
	auth, _ = identity.NewHost(h.URL+"/presence/{project}/?key=S3cret", slog.New(slog.NewTextHandler(&h.logs, nil)))
	if _, err := auth.Authenticate(t.Context(), request()); !errors.Is(err, presence.ErrUnavailable) || strings.Contains(err.Error()+h.logs.String(), "S3cret") {
		t.Errorf("unreachable host: got %v and the log %s, want ErrUnavailable without the query", err, &h.logs)
	}
}

// records is a log that keeps level, status and left_out of each line.
type records struct {
	slog.Handler
	level slog.Level
	mu    sync.Mutex
	lines []string
}

func (r *records) Enabled(_ context.Context, level slog.Level) bool { return level >= r.level }

func (r *records) Handle(_ context.Context, record slog.Record) error {
	line := record.Level.String()
	record.Attrs(func(a slog.Attr) bool {
		if a.Key == "status" || a.Key == "left_out" {
			line += " " + a.String()
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	return nil
}

func TestHostFailuresAreLoggedOnceAMinuteAndEachAtDebugLevel(t *testing.T) {
	for level, want := range map[slog.Level]string{
		slog.LevelInfo:  "ERROR status=500, ERROR status=502 left_out=1",
		slog.LevelDebug: "DEBUG status=500, ERROR status=500, DEBUG status=501, DEBUG status=502, ERROR status=502 left_out=1",
	} {
		synctest.Test(t, func(t *testing.T) {
			log := &records{level: level}
			h := &answering{status: 500}
			auth := identity.NewLoggingHostThrough(h, slog.New(log))
			for i := range 3 {
				h.status = 500 + i
				if _, err := auth.Authenticate(t.Context(), request()); !errors.Is(err, presence.ErrUnavailable) {
					t.Errorf("status %d: got %v, want ErrUnavailable", 500+i, err)
				}
				time.Sleep(2 * time.Second)
			}
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			log.mu.Lock()
			defer log.mu.Unlock()
			if got := strings.Join(log.lines, ", "); got != want {
				t.Errorf("log at level %v: got\n%s\nwant\n%s", level, got, want)
			}
		})
	}
}
