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

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/origin"
)

// prefixes are the paths below which the API can stand.
var prefixes = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// maxLease is far above what anybody would wait for a ghost to go.
const maxLease = 24 * time.Hour

// maxDrainDelay is more than it takes any balancer to ask again.
const maxDrainDelay = 5 * time.Minute

// check completes the settings, and refuses what cannot be.
func (s *settings) check() error {
	if s.redisChosen && s.redisURL == "" {
		return errors.New("--redis-url is empty, and a node without the others would show nobody of theirs: give the address of Redis, or leave it out")
	}
	var err error
	if s.visitorRule, err = parseVisitors(s.visitors, s.visitorsChosen, s.gates.any()); err != nil {
		return err
	}
	if s.level, err = parseLogLevel(s.logLevel); err != nil {
		return err
	}
	if err := checkAdminAddr(s.adminAddr); err != nil {
		return err
	}
	if s.redisURL != "" && s.secretFile == "" && s.signs() {
		return errors.New("--redis-url: give --secret-file too, the same for all nodes: with a key of its own each would take the visitors of the others for new ones")
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
	s.prefix = strings.TrimSuffix(s.prefix, "/")
	switch {
	case s.addr == "":
		return errors.New("--addr: give a host and a port such as 127.0.0.1:8080, or :8080 for every address of this machine")
	case !prefixes.MatchString(s.prefix) || path.Clean(s.prefix) != s.prefix:
		return fmt.Errorf("--prefix %q: give a path such as /writer/api", s.prefix)
	case s.lease <= 0 || s.heartbeat <= 0:
		return errors.New("--lease and --heartbeat: give times above zero, such as 2m and 30s")
	case s.drainDelay < 0 || s.drainDelay > maxDrainDelay:
		return fmt.Errorf("--drain-delay %v: give 0, or a time of at most %v", s.drainDelay, maxDrainDelay)
	case s.lease > maxLease:
		return fmt.Errorf("--lease %v is more than %v: give what a page may be silent for, such as 2m", s.lease, maxLease)
	case s.heartbeat > s.lease/3:
		return fmt.Errorf("--heartbeat %v is more than a third of --lease %v: one lost heartbeat would make people vanish", s.heartbeat, s.lease)
	case s.tenantFrom != "" && s.tenantFrom != "host":
		return fmt.Errorf("--tenant-from %q: give host, or leave it out", s.tenantFrom)
	case s.connections < 1:
		return errors.New("--connections: give at least 1")
	case s.userConnections < 0 || s.addressConnections < 0:
		return errors.New("--user-connections and --address-connections: give a number of connections, or 0 for no limit")
	case !(s.userRate >= 0 && s.addressRate >= 0 && s.visitorRate >= 0): // which refuses NaN, too
		return errors.New("--user-rate, --address-rate and --visitor-rate: give a number a second, or 0 for no limit")
	case s.addressProjects < 0:
		return errors.New("--projects-per-address: give a number of projects, or 0 for no limit")
	}
	if s.gates.tokenHeader != "" {
		if _, err := httpapi.ParseTokenHeader(s.gates.tokenHeader); err != nil {
			return fmt.Errorf("--token-header %q: %w; give one of your own, such as X-Presence-Token", s.gates.tokenHeader, err)
		}
	}
	for _, allowed := range s.origins {
		if _, err := origin.ParsePattern(allowed); err != nil {
			return fmt.Errorf("--allowed-origins %q matches no page: %w; give scheme and host, with the port if it is not the usual one, such as https://write.example.org or https://*.example.org", allowed, err)
		}
	}
	if s.dev {
		return errors.Join(s.gates.checkDev(), s.checkLoopback())
	}
	return nil
}

// signs tells whether there is anything to sign: cookies of visitors, or tokens of --dev.
func (s *settings) signs() bool { return s.dev || !s.visitorRule.none() }

// checkLoopback keeps --dev, in which anybody is whom they say, on this machine.
func (s *settings) checkLoopback() error {
	host, _, err := net.SplitHostPort(s.addr)
	if err != nil {
		return fmt.Errorf("--addr %q: give a host and a port such as 127.0.0.1:8080", s.addr)
	}
	if a, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !a.IsLoopback()) {
		return fmt.Errorf("--dev lets anybody be anybody, and so listens on loopback only: --addr %q is not; use 127.0.0.1, or leave --dev out", s.addr)
	}
	return nil
}
