package main

import (
	"fmt"
	"io"
	"log/slog"
)

// newLog returns a logger that writes lines of --log-format.
func (s *settings) newLog(w io.Writer, level slog.Leveler) *slog.Logger {
	o := &slog.HandlerOptions{Level: level}
	if s.logFormat == "json" {
		o.ReplaceAttr = durationAsText
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
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
