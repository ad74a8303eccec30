package main

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"path/filepath"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// store is one that is run, and tells how it is.
type store interface {
	presence.Store
	presence.Health
	Run(ctx context.Context) error
}

func (s *settings) open(ctx context.Context, log *slog.Logger) (store, error) {
	if s.redisURL != "" {
		return redisstore.Open(ctx, s.redisURL, redisstore.Options{Lease: s.lease, Heartbeat: s.heartbeat, Durability: s.redisDurability, Log: log})
	}
	return sqlitestore.Open(s.data, sqlitestore.Options{Lease: s.lease, Log: log})
}

// where tells in which store presence is, without a password: one may also be in the query.
func (s *settings) where() string {
	if u, err := url.Parse(s.redisURL); err == nil && s.redisURL != "" {
		return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	return s.data
}

// stateDir is where the XDG Base Directory Specification has a user's state.
func stateDir(env func(string) (string, bool), dev bool) (string, error) {
	state, _ := env("XDG_STATE_HOME")
	if home, _ := env("HOME"); state == "" && home != "" {
		state = filepath.Join(home, ".local", "state")
	}
	if state == "" {
		return "", errors.New("there is no home directory to keep data in: give one with --data")
	}
	if dev { // so that nobody who was made up gets into the real journal
		return filepath.Join(state, "writer-presence-dev"), nil
	}
	return filepath.Join(state, "writer-presence"), nil
}
