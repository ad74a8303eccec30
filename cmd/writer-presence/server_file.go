package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// serverFile is where a server writes in its data directory how it can be asked.
const serverFile = "server.json"

// runningServer is a running server, as it describes itself in its data directory.
type runningServer struct {
	// Instance is a random text that /healthz answers too, so that another server at the address is not taken for it.
	Instance string `json:"instance"`
	// Admin is the address of health and metrics; empty if there is none.
	Admin string `json:"admin_addr"`
	PID   int    `json:"pid"`
}

// newInstance returns a name for a run of the server that no other has.
func newInstance() string { return rand.Text() }

// readServer reads the description of the server that uses a directory.
func readServer(dir string) (s runningServer, err error) {
	path := filepath.Join(dir, serverFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, fmt.Errorf("no server runs with the data directory %s: there is no file %s. If it runs with another --data or with --dev, say so here too; if it runs with --redis-url and without --data, give its --admin-addr", dir, path)
	case err != nil:
		return s, fmt.Errorf("cannot read who uses the data directory: %w; give --data that you may read, or --admin-addr", err)
	}
	if err := json.Unmarshal(text, &s); err != nil || s.Instance == "" {
		return runningServer{}, fmt.Errorf("cannot tell from the file %s who uses the data directory: %w; restart the server, or give --admin-addr", path, errors.Join(err, errors.New("it is not one of this program")))
	}
	return s, nil
}

// announce writes the description of this server into its data directory, for health, and returns what removes it. A
// file that is left by a server that was killed is replaced; that of one that runs is not, as where several nodes on one
// Redis were given one directory. Presence does not depend on it: an error is
// logged, at the level.
func announce(dir string, s runningServer, level slog.Level, log *slog.Logger) (withdraw func()) {
	if dir == "" { // with Redis
		return func() {}
	}
	path := filepath.Join(dir, serverFile)
	if err := s.write(dir, path); err != nil {
		log.Log(context.Background(), level, "health cannot find this server by its data directory, and needs its --admin-addr", "directory", dir, "error", err)
		return func() {}
	}
	return func() {
		if now, err := readServer(dir); err == nil && now.Instance == s.Instance {
			os.Remove(path)
		}
	}
}

// write puts the description in place as a whole.
func (s runningServer) write(dir, path string) error {
	if other, err := readServer(dir); err == nil && other.Admin != "" {
		if _, instance, err := askServer(other.Admin, "/healthz"); err == nil && instance == other.Instance {
			return fmt.Errorf("another server uses it, at %s; give each a directory of its own", other.Admin)
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".server-*") // 0600
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
