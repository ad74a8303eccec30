package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	presence "writer-presence"
	"writer-presence/identity"
	"writer-presence/limit"
	"writer-presence/sqlitestore"
	"writer-presence/web"
)

// prefixes are the paths below which the API can stand.
var prefixes = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// settings are what serve can be told.
type settings struct {
	addr, data, secretFile, prefix, visitors string
	origins                                  []string
	dev                                      bool
	lease, heartbeat                         time.Duration
	userRate, addressRate, visitorRate       float64
	connections                              int
	gates                                    gates
	env                                      func(string) (string, bool)
}

func newServe(env func(string) (string, bool)) *cobra.Command {
	s := settings{env: env}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve presence over HTTP",
		Long: `Serve presence over HTTP: the API and the JavaScript client below the prefix, and a
reference page for writing together at /.

Every flag can be given as the environment variable in brackets, too; the command
line wins. SIGTERM and SIGINT end the server: it finishes what it has begun, and
writes down who was here.`,
		Example: "  writer-presence serve --dev\n  writer-presence serve --addr 127.0.0.1:8080 --data /var/lib/writer-presence",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if s.dev {
				s.unlimit(c.Flags())
			}
			return s.serve(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	f.StringVar(&s.data, "data", "", "`directory` of the embedded store and of the key; made if need be (default: in the user's state directory, writer-presence, or writer-presence-dev with --dev)")
	f.StringVar(&s.secretFile, "secret-file", "", "`file` with the signing key, one or two lines of base64; made if need be (default: secret in --data)")
	f.StringVar(&s.prefix, "prefix", web.DefaultPrefix, "`path` below which the API stands")
	f.StringVar(&s.visitors, "visitors", "on", "people who are not signed in: on, off, or the `projects` that let them in, with commas")
	f.StringSliceVar(&s.origins, "allowed-origins", nil, "`origins` of the pages that may open live connections, with commas, such as https://write.example.org; needed where a proxy changes Host, and good against other names for this server (default: that of the request's Host)")
	s.gates.flags(f)
	f.BoolVar(&s.dev, "dev", false, "let everybody on this machine be whom they say, for trying things out; without request limits unless given, and on loopback only")
	f.DurationVar(&s.lease, "lease", presence.DefaultLease, "how long somebody is listed after their last sign of life")
	f.DurationVar(&s.heartbeat, "heartbeat", presence.DefaultHeartbeat, "how far apart pages give signs of life; at most a third of --lease")
	f.Float64Var(&s.userRate, "user-rate", 20, "`requests` a second of one user, with five times as many at once; renewals still succeed above it; 0 for no limit")
	f.Float64Var(&s.addressRate, "address-rate", 500, "`requests` a second of one address, likewise")
	f.Float64Var(&s.visitorRate, "visitor-rate", 1, "new `visitors` a second from one address, with 200 times as many at once; 0 for no limit")
	f.IntVar(&s.connections, "connections", 16_000, "open `connections` in all; more wait to be taken")
	f.SortFlags = false
	return c
}

// unlimit lifts the limits that were not asked for.
func (s *settings) unlimit(flags *pflag.FlagSet) {
	for name, rate := range map[string]*float64{"user-rate": &s.userRate, "address-rate": &s.addressRate, "visitor-rate": &s.visitorRate} {
		if !flags.Changed(name) {
			*rate = 0
		}
	}
}

func (s *settings) serve(ctx context.Context, stdout, stderr io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, nil))
	if _, ok := s.env("GOGC"); !ok {
		defer runtime.KeepAlive(spareGarbage())
	}
	store, err := sqlitestore.Open(s.data, sqlitestore.Options{Lease: s.lease, Log: log})
	if err != nil {
		return err
	}
	storeCtx, stopStore := context.WithCancel(context.WithoutCancel(ctx))
	stored := make(chan error, 1)
	go func() { stored <- store.Run(storeCtx) }()
	err = s.listen(ctx, store, log, stdout)
	// The store ends after the last request, so that it has all of them.
	stopStore()
	return errors.Join(err, <-stored)
}

// spareGarbage has garbage collected after every 14 MB and a fifth of what lives. What
// lives is small while people poll, and each request leaves some kilobytes behind: to
// collect at twice what lives would be collecting all the time. With many live connections
// it is large, and the usual share of it would be memory that nobody has a use for. The
// bytes that it returns count as living, and take no memory, since nobody touches them.
func spareGarbage() []byte {
	debug.SetGCPercent(20)
	return make([]byte, 72<<20)
}

func (s *settings) listen(ctx context.Context, store presence.Store, log *slog.Logger, stdout io.Writer) error {
	handler, err := s.handler(store, log)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return fmt.Errorf("cannot listen: %w; choose another address with --addr, or port 0 for a free one", err)
	}
	if s.visitors == "off" && !s.dev && !s.gates.any() {
		log.Warn("nobody can come in: visitors are off, and there is no other way to know who is asking")
	}
	log.Info("serving", "data", s.data, "visitors", s.visitors, "dev", s.dev)
	defer log.Info("ended")
	fmt.Fprintf(stdout, "writer-presence is at http://%s/\n", l.Addr())
	var live sync.WaitGroup
	live.Go(func() { handler.Run(ctx) })
	live.Go(func() { notify(ctx, s.env, log, l.Addr().String()) })
	defer live.Wait()
	return web.Serve(ctx, l, handler, s.connections, log)
}

// check completes the settings, and refuses what cannot be.
func (s *settings) check() error {
	if s.data == "" {
		state, err := s.stateDir()
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
	case s.heartbeat > s.lease/3:
		return fmt.Errorf("--heartbeat %v is more than a third of --lease %v: one lost heartbeat would make people vanish", s.heartbeat, s.lease)
	case s.connections < 1:
		return errors.New("--connections: give at least 1")
	case !(s.userRate >= 0 && s.addressRate >= 0 && s.visitorRate >= 0): // which refuses NaN, too
		return errors.New("--user-rate, --address-rate and --visitor-rate: give a number a second, or 0 for no limit")
	}
	for _, origin := range s.origins {
		if u, err := url.Parse(origin); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
			return fmt.Errorf("--allowed-origins %q: give scheme and host, with the port if it is not the usual one, such as https://write.example.org", origin)
		}
	}
	if s.dev {
		return errors.Join(s.gates.checkDev(), s.checkLoopback())
	}
	return nil
}

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

func (s *settings) handler(store presence.Store, log *slog.Logger) (*web.Handler, error) {
	keys, err := identity.ReadKeys(s.secretFile)
	if err != nil {
		return nil, err
	}
	o := web.Options{
		Tracker: presence.NewTracker(store), Prefix: s.prefix, Origins: s.origins, Lease: s.lease, Heartbeat: s.heartbeat, Log: log,
		PerUser: limit.New(s.userRate, 5*s.userRate), PerAddress: limit.New(s.addressRate, 5*s.addressRate),
	}
	gates, err := s.gates.open(log)
	if err != nil {
		return nil, err
	}
	if o.TrustedProxies, err = s.gates.trusted(); err != nil {
		return nil, err
	}
	if s.dev {
		o.Dev = &identity.Dev{Keys: keys}
		gates = append(gates, o.Dev)
	}
	if s.visitors != "off" {
		allowed, err := s.visited()
		if err != nil {
			return nil, err
		}
		gates = append(gates, &identity.Visitors{Keys: keys, Allowed: allowed, Limit: limit.New(s.visitorRate, 200*s.visitorRate)})
	}
	o.Gate = identity.FirstOf(gates...)
	return web.New(o), nil
}

// visited tells of the projects that let visitors in; nil for all.
func (s *settings) visited() (func(presence.Project) bool, error) {
	if s.visitors == "on" {
		return nil, nil
	}
	projects := map[presence.Project]bool{}
	for name := range strings.SplitSeq(s.visitors, ",") {
		project, err := presence.ParseProject(strings.TrimSpace(name))
		if err != nil {
			return nil, fmt.Errorf("--visitors %q: give on, off, or projects with commas: %w", s.visitors, err)
		}
		projects[project] = true
	}
	return func(p presence.Project) bool { return projects[p] }, nil
}

// stateDir is where the XDG Base Directory Specification has a user's state.
func (s *settings) stateDir() (string, error) {
	state, _ := s.env("XDG_STATE_HOME")
	if home, _ := s.env("HOME"); state == "" && home != "" {
		state = filepath.Join(home, ".local", "state")
	}
	if state == "" {
		return "", errors.New("there is no home directory to keep data in: give one with --data")
	}
	if s.dev { // so that nobody who was made up gets into the real journal
		return filepath.Join(state, "writer-presence-dev"), nil
	}
	return filepath.Join(state, "writer-presence"), nil
}
