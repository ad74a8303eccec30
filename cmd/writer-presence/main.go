// Command writer-presence serves presence to the pages of a writing application.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal kills the process
	if err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		prefix := ""
		if stderrIsJournal() {
			prefix = priority(slog.LevelError)
		}
		fmt.Fprintf(os.Stderr, "%swriter-presence: %s\n", prefix, printable(err.Error(), '\n', '\t')) // it may have text of another server
		os.Exit(1)
	}
}

// run runs the program until ctx ends. The environment has the form of os.Environ.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	command := newCommand(environ, stdout, stderr)
	command.SetArgs(args)
	return command.ExecuteContext(ctx)
}
