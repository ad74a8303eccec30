package main

import (
	"fmt"
	"log/slog"
)

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// parseLogLevel reads a value of --log-level.
func parseLogLevel(text string) (slog.Level, error) {
	if level, ok := logLevels[text]; ok {
		return level, nil
	}
	meant := misspelt(text, "debug", "info", "warn", "error")
	if text == "warning" {
		meant = "warn"
	}
	if meant != "" {
		return 0, fmt.Errorf("--log-level %q: did you mean %s? Give debug, info, warn or error", text, meant)
	}
	return 0, fmt.Errorf("--log-level %q: give debug, info, warn or error", text)
}
