package main

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"syscall"

	"github.com/writer-presence/writer-presence/internal/hostapi"
)

// defaultAdminAddr is the default address of health and metrics.
const defaultAdminAddr = "127.0.0.1:9090"

// adminConnections bounds the open connections to health, metrics and the host API: some probes, a browser, and the
// connection pools of the host's processes.
const adminConnections = 64

// listenAdmin listens for health and metrics. It returns nil for --admin-addr off. If the default address is in use, for
// instance by Prometheus or a second server, it takes a free one.
func (s *settings) listenAdmin(log *slog.Logger) (net.Listener, error) {
	if s.adminAddr == "" || s.adminAddr == "off" {
		return nil, nil
	}
	l, err := listen(s.adminAddr, s.mode)
	if !s.changed("admin-addr") && isAddrInUse(err) {
		log.Warn("the default address of health and metrics is in use, so the server takes a free one; choose one with --admin-addr", "in_use", s.adminAddr)
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen for health and metrics: %w; choose another address with --admin-addr, or none with --admin-addr off", err)
	}
	return l, nil
}

// apiKeys reads --api-key-file. It returns nil without that flag.
func (s *settings) apiKeys(log *slog.Logger) (*hostapi.Keys, error) {
	if s.apiKeyFile == "" {
		return nil, nil
	}
	keys, err := hostapi.ReadKeys(s.apiKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--api-key-file: %w", err)
	}
	if mode, shared := sharedMode(s.apiKeyFile); shared {
		log.Warn("every user of this machine can access the key of --api-key-file and use the host API: run chmod 600 on it, unless it is mounted for this process alone", "file", s.apiKeyFile, "mode", mode)
	}
	return &keys, nil
}

// isAddrInUse reports whether another process listens at the address. Windows has an error number of its own for that,
// WSAEADDRINUSE, which package syscall does not translate.
func isAddrInUse(err error) bool {
	const wsaEADDRINUSE = syscall.Errno(10048)
	return errors.Is(err, syscall.EADDRINUSE) || runtime.GOOS == "windows" && errors.Is(err, wsaEADDRINUSE)
}

// checkAdminAddr returns an error for a value of --admin-addr that is neither an address nor off nor empty.
func checkAdminAddr(addr string) error {
	if addr == "" || addr == "off" {
		return nil
	}
	if strings.HasPrefix(addr, unixPrefix) {
		return checkSocketPath("admin-addr", addr)
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		if meant := misspelt(addr, "off"); meant != "" {
			return fmt.Errorf("--admin-addr %q: did you mean %s? Give off, or a host and a port such as %s", addr, meant, defaultAdminAddr)
		}
		return fmt.Errorf("--admin-addr %q: give a host and a port such as %s, or off", addr, defaultAdminAddr)
	}
	return nil
}
