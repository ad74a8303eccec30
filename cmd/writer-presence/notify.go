package main

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// notify tells the service manager, if there is one that asks to be told, that the server
// listens, and when it begins to end: sd_notify(3).
func notify(ctx context.Context, env func(string) (string, bool), log *slog.Logger, addr string) {
	socket, _ := env("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	tell := func(state string) {
		if err := tellManager(socket, state); err != nil {
			log.Warn("the service manager could not be told, and may take the server for stuck", "state", state, "error", err)
		}
	}
	tell("READY=1\nSTATUS=serving at " + addr)
	<-ctx.Done()
	tell("STOPPING=1\nSTATUS=finishing requests, and telling pages when to come back")
}

// tellManager sends one datagram. A name with @ is in the abstract namespace; net knows.
func tellManager(socket, state string) error {
	manager, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer manager.Close()
	manager.SetDeadline(time.Now().Add(time.Second)) // one that does not read holds nothing up
	_, err = manager.Write([]byte(state))
	return err
}
