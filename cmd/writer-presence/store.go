package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"
	"runtime"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// store is a presence.Store with background work, which Run does until its context ends.
type store interface {
	presence.Store
	presence.Health
	presence.EventStore
	Run(ctx context.Context) error
}

// openStore opens the Redis of --redis-url, or the embedded store in --data.
func (s *settings) openStore(ctx context.Context, log *slog.Logger) (store, error) {
	if s.redisURL != "" {
		return redisstore.Open(ctx, s.redisURL, redisstore.Options{Lease: s.lease, Heartbeat: s.heartbeat, Durability: s.redisDurability, Log: log})
	}
	return sqlitestore.Open(s.data, sqlitestore.Options{Lease: s.lease, Log: log})
}

// storeName returns the address of Redis without passwords, which may be in its user part or its query; or the data
// directory.
func (s *settings) storeName() string {
	if u, err := url.Parse(s.redisURL); err == nil && s.redisURL != "" {
		return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	return s.data
}

// stateDir returns the default of --data: a directory in the user's state directory by the XDG Base Directory
// Specification, and on Windows in %LOCALAPPDATA%.
func stateDir(env func(string) (string, bool), dev bool) (string, error) {
	state, _ := env("XDG_STATE_HOME")
	if state == "" && runtime.GOOS == "windows" {
		state, _ = env("LOCALAPPDATA")
	}
	if home, _ := env("HOME"); state == "" && home != "" {
		state = filepath.Join(home, ".local", "state")
	}
	if state == "" {
		return "", errors.New("there is no home directory to keep data in: give a directory with --data")
	}
	if dev { // names that nobody checked must not get into the real journal
		return filepath.Join(state, "writer-presence-dev"), nil
	}
	return filepath.Join(state, "writer-presence"), nil
}
