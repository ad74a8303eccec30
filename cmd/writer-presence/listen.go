package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/activation"
)

// unixPrefix begins an address that is the path of a Unix socket, as in unix:/run/writer-presence/socket.
const unixPrefix = "unix:"

// maxSocketPath is the longest path of a Unix socket in bytes that every system accepts.
const maxSocketPath = 103

// adminSocket is the name (FileDescriptorName=) of the socket that systemd hands over for --admin-addr.
const adminSocket = "admin"

// checkSocketPath returns an error for an address of a Unix socket whose path cannot be used.
func checkSocketPath(flag, addr string) error {
	path, ok := strings.CutPrefix(addr, unixPrefix)
	switch {
	case !ok:
		return nil
	case !filepath.IsAbs(path):
		return fmt.Errorf("--%s %q: give the whole path of the socket, such as unix:/run/writer-presence/socket", flag, addr)
	case len(path) > maxSocketPath:
		return fmt.Errorf("--%s: the path of the socket has %d bytes; the limit is %d", flag, len(path), maxSocketPath)
	}
	return nil
}

// parseSocketMode reads a value of --socket-mode.
func parseSocketMode(text string) (fs.FileMode, error) {
	mode, err := strconv.ParseUint(text, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return 0, fmt.Errorf("--socket-mode %q: give permissions as for chmod, such as 0660", text)
	}
	return fs.FileMode(mode), nil
}

// listen listens at a host and port, or at the path of a Unix socket, which gets the mode.
func listen(addr string, mode fs.FileMode) (net.Listener, error) {
	path, ok := strings.CutPrefix(addr, unixPrefix)
	if !ok {
		return net.Listen("tcp", addr)
	}
	l, err := net.Listen("unix", path)
	if errors.Is(err, syscall.EADDRINUSE) && isStale(path) {
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("the socket of a server that has ended is in the way: %w", err)
		}
		l, err = net.Listen("unix", path)
	}
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// isStale reports whether a path is a Unix socket at which nobody listens, as after a kill.
func isStale(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return false
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}

// addrOf returns the address of a listener in the form of --addr.
func addrOf(l net.Listener) string {
	if l.Addr().Network() == "unix" {
		return unixPrefix + l.Addr().String()
	}
	return l.Addr().String()
}

// inherited returns the sockets that systemd has opened for this process (sd_listen_fds(3)), nil for those that it has not.
func inherited() (public, admin net.Listener, err error) {
	byName, err := activation.ListenersWithNames()
	if err != nil {
		return nil, nil, err
	}
	var all []net.Listener
	for name, listeners := range byName {
		for _, l := range listeners {
			if name == adminSocket && admin == nil {
				admin = l
			} else {
				all = append(all, l)
			}
		}
	}
	switch len(all) {
	case 0:
		return nil, admin, nil
	case 1:
		return all[0], admin, nil
	default:
		return nil, nil, fmt.Errorf("systemd hands over %d sockets; the server takes one, and one more from a unit with FileDescriptorName=%s", len(all), adminSocket)
	}
}
