package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
)

// defaultAdminAddr is where serve tells how it is, and health asks.
const defaultAdminAddr = "127.0.0.1:9090"

// adminConnections are how many may ask how the process is: a few probes, and somebody
// with a browser.
const adminConnections = 64

// listenBeside listens for those who ask how the process is; nil for none. The default that
// nobody chose gives way to whoever has it, such as Prometheus itself or a second server.
func (s *settings) listenBeside(log *slog.Logger) (net.Listener, error) {
	if s.adminAddr == "" || s.adminAddr == "off" {
		return nil, nil
	}
	l, err := net.Listen("tcp", s.adminAddr)
	if !s.adminChosen && errors.Is(err, syscall.EADDRINUSE) {
		log.Warn("the address of health and metrics is taken, and they are at a free one; choose one with --admin-addr", "taken", s.adminAddr)
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen for health and metrics: %w; choose another address with --admin-addr, or none with --admin-addr off", err)
	}
	return l, nil
}

// checkAdminAddr rejects an address for health and metrics that nobody can listen at.
func checkAdminAddr(addr string) error {
	if addr == "" || addr == "off" {
		return nil
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		if meant := misspelt(addr, "off"); meant != "" {
			return fmt.Errorf("--admin-addr %q: did you mean %s? Give off, or a host and a port such as %s", addr, meant, defaultAdminAddr)
		}
		return fmt.Errorf("--admin-addr %q: give a host and a port such as %s, or off", addr, defaultAdminAddr)
	}
	return nil
}
