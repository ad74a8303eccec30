package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
)

// newLog returns a logger that writes lines of --log-format. On the standard error of a systemd service each begins
// with its priority, so that `journalctl -p warning` finds it.
func (s *settings) newLog(w io.Writer, level slog.Leveler) *slog.Logger {
	if w == os.Stderr && stderrIsJournal() {
		p := &priorities{w: w}
		return slog.New(journalHandler{s.logHandler(p, level), p})
	}
	return slog.New(s.logHandler(w, level))
}

func (s *settings) logHandler(w io.Writer, level slog.Leveler) slog.Handler {
	o := &slog.HandlerOptions{Level: level}
	if s.logFormat == "json" {
		o.ReplaceAttr = durationAsText
		return slog.NewJSONHandler(w, o)
	}
	return slog.NewTextHandler(w, o)
}

// stderrIsJournal reports whether systemd's journal reads the standard error.
func stderrIsJournal() bool {
	is, _ := journal.StderrIsJournalStream() // an error says that JOURNAL_STREAM is none of systemd's
	return is
}

// priorities writes lines with the prefix that sd-daemon(3) defines for the level that is set.
type priorities struct {
	w     io.Writer
	mu    sync.Mutex
	level slog.Level
}

func (p *priorities) Write(line []byte) (int, error) {
	if _, err := p.w.Write(append([]byte(priority(p.level)), line...)); err != nil {
		return 0, err
	}
	return len(line), nil
}

// priority returns the prefix of a line of a level.
func priority(level slog.Level) string {
	switch {
	case level >= slog.LevelError:
		return "<3>"
	case level >= slog.LevelWarn:
		return "<4>"
	case level >= slog.LevelInfo:
		return "<6>"
	default:
		return "<7>"
	}
}

// journalHandler tells the writer of a handler the level of each line.
type journalHandler struct {
	slog.Handler
	w *priorities
}

func (h journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.level = r.Level
	return h.Handler.Handle(ctx, r)
}

func (h journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return journalHandler{h.Handler.WithAttrs(attrs), h.w}
}

func (h journalHandler) WithGroup(name string) slog.Handler {
	return journalHandler{h.Handler.WithGroup(name), h.w}
}

// durationAsText writes a duration such as 2m0s in JSON as it is in text: a number does not tell that it is in
// nanoseconds.
func durationAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// accessLogger returns log with --access-log, and otherwise nil.
func (s *settings) accessLogger(log *slog.Logger) *slog.Logger {
	if !s.accessLog {
		return nil
	}
	return log
}

// checkLog returns an error for an unknown --log-format, and for an --access-log that would have no effect.
func (s *settings) checkLog() error {
	switch {
	case s.logFormat != "text" && s.logFormat != "json":
		if meant := misspelt(s.logFormat, "text", "json"); meant != "" {
			return fmt.Errorf("--log-format %q: did you mean %s? Give text or json", s.logFormat, meant)
		}
		return fmt.Errorf("--log-format %q: give text or json", s.logFormat)
	case s.accessLog && s.level > slog.LevelInfo:
		return fmt.Errorf("--access-log: its lines have the level info, which --log-level %s leaves out; give --log-level info, or leave out --access-log", s.logLevel)
	}
	return nil
}
