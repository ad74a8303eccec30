package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/writer-presence/writer-presence/internal/connlimit"
	"github.com/writer-presence/writer-presence/internal/origin"
	"github.com/writer-presence/writer-presence/internal/tokenheader"
)

// prefixPattern matches the paths below which the API can be served.
var prefixPattern = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// maxLease and maxDrainDelay are far above any useful value, and reject values in the wrong unit.
const (
	maxLease      = 24 * time.Hour
	maxDrainDelay = 5 * time.Minute
)

// validate fills in the settings that depend on others, and returns an error for those that cannot be used. serve calls
// it before it opens the store or listens.
func (s *settings) validate() error {
	if s.redisURL == "" && s.changed("redis-url") {
		return errors.New("--redis-url is empty: give the address of Redis, or leave the flag out")
	}
	var err error
	if s.visitorRule, err = parseVisitors(s.visitors, s.changed("visitors"), s.auth.enabled()); err != nil {
		return err
	}
	if s.level, err = parseLogLevel(s.logLevel); err != nil {
		return err
	}
	if err := s.checkLog(); err != nil {
		return err
	}
	if s.mode, err = parseSocketMode(s.socketMode); err != nil {
		return err
	}
	if err := checkSocketPath("addr", s.addr); err != nil {
		return err
	}
	if err := checkAdminAddr(s.adminAddr); err != nil {
		return err
	}
	if s.apiKeyFile != "" && (s.adminAddr == "" || s.adminAddr == "off") {
		return errors.New("--api-key-file: the host API is on --admin-addr, which is off; give an address, or leave out the key")
	}
	if err := s.validateWebhook(); err != nil {
		return err
	}
	if s.redisURL != "" && s.secretFile == "" && s.signs() {
		return errors.New("--redis-url: give --secret-file too, the same for all nodes; nodes with different keys do not recognise each other's visitors")
	}
	if s.redisURL == "" && s.data == "" {
		state, err := stateDir(s.env, s.dev)
		if err != nil {
			return err
		}
		s.data = state
	}
	if s.secretFile == "" {
		s.secretFile = filepath.Join(s.data, "secret")
	}
	if !s.changed("address-connections") && !s.dev {
		s.addressConnections = connlimit.DefaultAddressConnections(s.connections)
	}
	s.prefix = strings.TrimSuffix(s.prefix, "/")
	switch {
	case s.addr == "":
		return errors.New("--addr is empty: give a host and a port such as 127.0.0.1:8080, or :8080 for every address of this machine")
	case !prefixPattern.MatchString(s.prefix) || path.Clean(s.prefix) != s.prefix:
		return fmt.Errorf("--prefix %q: give a path such as /writer/api", s.prefix)
	case s.lease <= 0 || s.heartbeat <= 0:
		return errors.New("--lease and --heartbeat: give times above zero, such as 2m and 30s")
	case s.drainDelay < 0 || s.drainDelay > maxDrainDelay:
		return fmt.Errorf("--drain-delay %v: give 0, or a time of at most %v", s.drainDelay, maxDrainDelay)
	case s.lease > maxLease:
		return fmt.Errorf("--lease %v is more than %v: give the time after which a silent page is no longer listed, such as 2m", s.lease, maxLease)
	case s.heartbeat > s.lease/3:
		return fmt.Errorf("--heartbeat %v is more than a third of --lease %v: users would disappear after one lost heartbeat", s.heartbeat, s.lease)
	case s.tenantFrom != "" && s.tenantFrom != "host":
		return fmt.Errorf("--tenant-from %q: give host, or leave it out", s.tenantFrom)
	case s.embedding != "on" && s.embedding != "off":
		return fmt.Errorf("--embedding %q: give on or off", s.embedding)
	case s.connections < 1:
		return errors.New("--connections: give at least 1")
	case s.userConnections < 0 || s.addressConnections < 0:
		return errors.New("--user-connections and --address-connections: give a number of connections, or 0 for no limit")
	case !(s.userRate >= 0 && s.addressRate >= 0 && s.visitorRate >= 0): // also rejects NaN
		return errors.New("--user-rate, --address-rate and --visitor-rate: give a number per second, or 0 for no limit")
	case s.addressProjects < 0:
		return errors.New("--projects-per-address: give a number of projects, or 0 for no limit")
	}
	// httpapi.New checks these again, but only once the store is open, and without the name of the flag.
	if s.tokenHeader != "" {
		if _, err := tokenheader.Parse(s.tokenHeader); err != nil {
			return fmt.Errorf("--token-header %q: %w; give one of your own, such as X-Presence-Token", s.tokenHeader, err)
		}
	}
	for _, allowed := range s.origins {
		if _, err := origin.ParsePattern(allowed); err != nil {
			return fmt.Errorf("--allowed-origins %q matches no page: %w; give scheme and host, with the port if it is not the default, such as https://write.example.org or https://*.example.org", allowed, err)
		}
	}
	if _, err := parseNetworks(s.trustedProxies); err != nil {
		return err
	}
	if err := s.auth.validate(); err != nil {
		return err
	}
	if s.dev {
		return s.validateDev()
	}
	return nil
}

// signs reports whether the server needs a signing key: for the cookies of visitors, or the tokens of --dev.
func (s *settings) signs() bool { return s.dev || !s.visitorRule.none() }

// validateDev rejects what --dev excludes: tokens of others, and other machines, because it checks no names.
func (s *settings) validateDev() error {
	if s.auth.tokens() {
		return errors.New("--dev issues its own tokens: leave it out, or --jwt-secret-file and --jwks-url")
	}
	return checkDevAddr(s.addr)
}

// checkDevAddr returns an error for an address, in the form of --addr, that other machines can reach.
func checkDevAddr(addr string) error {
	if strings.HasPrefix(addr, unixPrefix) {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("--addr %q: give a host and a port such as 127.0.0.1:8080", addr)
	}
	if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
		return fmt.Errorf("--dev accepts any name without a check, and so listens on loopback only: --addr %q is not loopback; use 127.0.0.1, or leave --dev out", addr)
	}
	return nil
}
