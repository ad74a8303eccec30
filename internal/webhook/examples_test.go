package webhook

import (
	"bufio"
	"cmp"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/wire"
)

func TestExamplesVerifyEventsAndDropDuplicates(t *testing.T) {
	const examples = "../../examples/"
	program := filepath.Join(t.TempDir(), "webhook-go")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = examples + "webhook-go"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	key, python := file(t, secret), cmp.Or(os.Getenv("PYTHON"), "/usr/bin/python3")
	for name, command := range map[string][]string{
		"webhook-go":     {program, "-addr", "127.0.0.1:0", "-secret-file", key},
		"webhook-django": {python, examples + "webhook-django/receiver.py", "--port", "0", "--secret-file", key},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "webhook-django" && exec.Command(python, "-c", "import django").Run() != nil {
				t.Skip("there is no Django; scripts/prepare installs it")
			}
			c := exec.CommandContext(t.Context(), command[0], command[1:]...)
			out, err := c.StdoutPipe()
			if err == nil {
				err = c.Start()
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { c.Process.Kill(); c.Wait() }()
			lines := bufio.NewScanner(out)
			next := func() string {
				t.Helper()
				if !lines.Scan() {
					t.Fatalf("the example ended: %v", lines.Err())
				}
				return lines.Text()
			}
			address, ok := strings.CutPrefix(next(), "waiting for webhooks at ")
			if !ok {
				t.Fatalf("the example begins with %q", address)
			}
			send := func(secrets Secrets, body []byte) error {
				t.Helper()
				s, err := New(address, secrets, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				defer s.client.CloseIdleConnections()
				return s.attempt(t.Context(), "batch_x", body)
			}
			all := events(2)
			body := wire.AppendEvents(nil, all, time.Now())
			last := presence.Event{ID: "other", Type: presence.SectionContested, Project: "p", Section: "s", Users: []presence.User{{ID: "1", Name: "Alice"}, {ID: "2", Name: "Bob"}}}
			for _, err := range []error{
				send(read(t, secret), body), send(read(t, otherSecret, secret), body), // both secrets sign
				send(read(t, secret), wire.AppendEvents(nil, append(all, last), time.Now())),
			} {
				if err != nil {
					t.Errorf("the example rejects events: %v", err)
				}
			}
			if err := send(read(t, otherSecret), body); err == nil || err.Error() != "it answers 401" {
				t.Errorf("to another secret the example says %v; want 401", err)
			}
			for _, want := range []string{`user.joined project=p section="" Alice`, `user.joined project=p section="" Alice`, `section.contested project=p section="s" Alice, Bob`} {
				if line := next(); line != want {
					t.Errorf("the example prints %q; want %q", line, want)
				}
			}
		})
	}
}
