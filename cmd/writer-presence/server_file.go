package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// serverFile is the name of the file in the data directory by which health finds the server.
const serverFile = "server.json"

// runningServer is the content of serverFile.
type runningServer struct {
	// Instance is a random text that health also gets from the server, to detect another server at the same address.
	Instance string `json:"instance"`
	// Admin is the address of health and metrics; empty if there is none.
	Admin string `json:"admin_addr"`
	PID   int    `json:"pid"`
}

// readServerFile reads the file of the server that uses a data directory.
func readServerFile(dir string) (s runningServer, err error) {
	path := filepath.Join(dir, serverFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("no server runs with the data directory %s: there is no file %s. If it runs with another --data or with --dev, give that here too; if it runs with --redis-url and without --data, give its --admin-addr", dir, path)
	case err != nil:
		return s, fmt.Errorf("cannot read which server uses the data directory: %w; give a readable directory with --data, or --admin-addr", err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Instance == "" {
		return runningServer{}, fmt.Errorf("cannot read which server uses the data directory from %s: %w; restart the server, or give --admin-addr", path, errors.Join(err, errors.New("this program did not write it")))
	}
	return s, nil
}

// findServer returns the server that uses a data directory, by its serverFile. A server without an admin address cannot be
// asked, and counts as running even if it was killed.
func findServer(dir string) (s runningServer, ok bool) {
	s, err := readServerFile(dir)
	if err != nil || s.Admin == "" {
		return s, err == nil
	}
	_, instance, err := askServer(s.Admin, "/healthz")
	return s, err == nil && instance == s.Instance
}

// writeServerFile writes serverFile and returns a function that removes it. It replaces the file of a server that was
// killed, but not that of a running one: several nodes on one Redis may share a directory. An error is only logged, at
// the given level, because presence does not depend on the file. Without a directory (with Redis) it does nothing.
func writeServerFile(dir string, s runningServer, level slog.Level, log *slog.Logger) (remove func()) {
	if dir == "" {
		return func() {}
	}
	path := filepath.Join(dir, serverFile)
	if err := s.write(dir, path); err != nil {
		log.Log(context.Background(), level, "health cannot find this server by its data directory, and needs its --admin-addr", "directory", dir, "error", err)
		return func() {}
	}
	return func() {
		if now, err := readServerFile(dir); err == nil && now.Instance == s.Instance {
			os.Remove(path)
		}
	}
}

// write creates or replaces the file atomically, unless another server that is running wrote it.
func (s runningServer) write(dir, path string) error {
	if other, ok := findServer(dir); ok && other.Admin != "" {
		return fmt.Errorf("another server uses it, at %s; give each a directory of its own", other.Admin)
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".server-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
