package main

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// notify tells the service manager (sd_notify(3), if NOTIFY_SOCKET is set) that the server listens at addr, and when ctx
// ends that it is stopping. It returns after the second message.
func notify(ctx context.Context, env func(string) (string, bool), log *slog.Logger, addr string) {
	socket, _ := env("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	send := func(state string) {
		if err := sendDatagram(socket, state); err != nil {
			log.Warn("cannot notify the service manager, which may then consider the server stuck", "state", state, "error", err)
		}
	}
	send("READY=1\nSTATUS=serving at " + addr)
	<-ctx.Done()
	send("STOPPING=1\nSTATUS=draining: finishing requests and closing live connections")
}

// sendDatagram sends one datagram to a Unix socket, within a second. A name that begins with @ is in the abstract namespace.
func sendDatagram(socket, text string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second)) // a manager that does not read must not block the server
	_, err = conn.Write([]byte(text))
	return err
}
