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
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/admin"
	"github.com/writer-presence/writer-presence/internal/httpserver"
	"github.com/writer-presence/writer-presence/internal/localhost"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/origin"
	"github.com/writer-presence/writer-presence/internal/tokenheader"
	"github.com/writer-presence/writer-presence/redisstore"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// prefixes are the paths below which the API can stand.
var prefixes = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)

// maxLease is far above what anybody would wait for a ghost to go.
const maxLease = 24 * time.Hour

// maxDrainDelay is more than it takes any balancer to ask again.
const maxDrainDelay = 5 * time.Minute

// settings are what serve can be told.
type settings struct {
	addr, data, redisURL, redisDurability, secretFile, prefix, visitors string
	adminAddr                                                           string
	adminChosen, redisChosen, visitorsChosen                            bool
	visitorRule                                                         visitorRule // what visitors comes to
	origins                                                             []string
	dev                                                                 bool
	lease, heartbeat, drainDelay                                        time.Duration
	userRate, addressRate, visitorRate                                  float64
	addressProjects                                                     int
	connections, userConnections, addressConnections                    int
	limits                                                              httpapi.Options // only the limits of connections, as the flags mean them
	gates                                                               gates
	tenantFrom                                                          string
	env                                                                 func(string) (string, bool)
	logLevel                                                            string
	level                                                               slog.Level // what logLevel comes to
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
			s.limitConnections(c.Flags())
			s.adminChosen = c.Flags().Changed("admin-addr")
			s.redisChosen = c.Flags().Changed("redis-url")
			s.visitorsChosen = c.Flags().Changed("visitors")
			return s.serve(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	f := c.Flags()
	f.StringVar(&s.addr, "addr", "127.0.0.1:8080", "`address` to listen on; port 0 takes a free one")
	f.StringVar(&s.data, "data", "", "`directory` of the embedded store and of the key; made if need be (default: in the user's state directory, writer-presence, or writer-presence-dev with --dev)")
	f.StringVar(&s.redisURL, "redis-url", "", "`address` of the Redis that several nodes share, in place of the embedded store: redis://user:password@host:6379/0, rediss:// with TLS; more hosts of a cluster as ?addr=host:port, Sentinels with &master_set=name")
	f.StringVar(&s.redisDurability, "redis-durability", "auto", "when a change in Redis counts as durable: `none`|aof|wait:N, never, once its disk has it, or once N replicas have it; auto waits for nothing, and is true for one server with appendonly yes and appendfsync always")
	f.StringVar(&s.secretFile, "secret-file", "", "`file` with the signing key, one or two lines of base64; made if need be (default: secret in --data)")
	f.StringVar(&s.prefix, "prefix", httpapi.DefaultPrefix, "`path` below which the API stands")
	f.StringVar(&s.visitors, "visitors", "", "people who are not signed in: on, off, or the `projects` that let them in, with commas; project:NAME for one whose name looks like on or off (default: on, but off with --auth-url, --jwt-secret-file or --jwks-url)")
	f.StringSliceVar(&s.origins, "allowed-origins", nil, "`origins` of the pages that may change something or open live connections, with commas, such as https://write.example.org or https://*.example.org; needed for pages of other origins, which then get CORS answers and need tokens, and where a proxy changes Host; good against other names for this server (default: that of the request's Host)")
	s.gates.flags(f)
	f.StringVar(&s.tenantFrom, "tenant-from", "", "what tells tenants apart: host, and the same project id under two hosts is two projects; the host is the request's, or X-Forwarded-Host of --trusted-proxies (default: there are no tenants)")
	f.BoolVar(&s.dev, "dev", false, "let everybody on this machine be whom they say, for trying things out; without request limits unless given, and on loopback only")
	f.DurationVar(&s.lease, "lease", presence.DefaultLease, "how long somebody is listed after their last sign of life")
	f.DurationVar(&s.heartbeat, "heartbeat", presence.DefaultHeartbeat, "how far apart pages give signs of life; at most a third of --lease")
	f.Float64Var(&s.userRate, "user-rate", httpapi.DefaultUserRate.PerSecond, "`requests` a second of one user, with five times as many at once; renewals still succeed above it; 0 for no limit")
	f.Float64Var(&s.addressRate, "address-rate", httpapi.DefaultAddressRate.PerSecond, "`requests` a second of one address, likewise")
	f.Float64Var(&s.visitorRate, "visitor-rate", identity.DefaultVisitorRate.PerSecond, "new `visitors` a second from one address, with 200 times as many at once; 0 for no limit")
	f.IntVar(&s.addressProjects, "projects-per-address", httpapi.DefaultAddressProjects, "different `projects` that people from one address enter in 12 to 24 minutes, visitors counted apart; 0 for no limit")
	f.StringVar(&s.adminAddr, "admin-addr", defaultAdminAddr, "`address` of /healthz, /readyz and /metrics; port 0 takes a free one, and so does the default if it is taken; empty or off for none")
	f.DurationVar(&s.drainDelay, "drain-delay", 0, "how long after SIGTERM requests are still taken, while /readyz says draining: for balancers that ask it, a little longer than they take to ask again")
	f.StringVar(&s.logLevel, "log-level", "info", "the least important lines that are logged: debug, info, warn or error; debug has a line for each request and live message that is refused")
	f.IntVar(&s.connections, "connections", httpapi.DefaultConnections, "open `connections` in all; a fifth is kept free of live connections of visitors; more wait to be taken, for which the oldest are closed that wait for a request or a hello")
	f.IntVar(&s.userConnections, "user-connections", httpapi.DefaultUserConnections, "live `connections` of one user or visitor in all projects; 0 for no limit")
	f.IntVar(&s.addressConnections, "address-connections", 0, "`connections` of one address, of IPv6 a /64, of which a fifth is kept free of live connections of visitors; 0 for no limit (default: a quarter of --connections, at least 32)")
	markNeverEmpty(f, "tenant-from", "allowed-origins")
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
	if !flags.Changed("projects-per-address") {
		s.addressProjects = 0
	}
}

// limitConnections sets the limits of connections. With --dev there are those that were asked for.
func (s *settings) limitConnections(flags *pflag.FlagSet) {
	of := func(name string, value int) int {
		switch {
		case !flags.Changed(name) && s.dev, flags.Changed(name) && value == 0:
			return -1 // none
		case !flags.Changed(name):
			return 0 // the default
		}
		return value
	}
	s.limits = httpapi.Options{
		Connections:        of("connections", s.connections),
		UserConnections:    of("user-connections", s.userConnections),
		AddressConnections: of("address-connections", s.addressConnections),
	}
}

func (s *settings) serve(ctx context.Context, stdout, stderr io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: s.level}))
	if _, ok := s.env("GOGC"); !ok {
		defer runtime.KeepAlive(spareGarbage())
	}
	store, err := s.open(ctx, log)
	if err != nil {
		return err
	}
	endStore := background(ctx, store.Run)
	endAdmin, err := s.listen(ctx, store, log, stdout)
	// The store ends after the last request, so that it has all of them, and who asks how
	// the process is has an answer to the end.
	return errors.Join(err, endStore(), endAdmin())
}

// background runs something that goes on when the context ends, until end is called, which
// waits for it.
func background(ctx context.Context, run func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
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

// spareGarbage has garbage collected after every 14 MB and a fifth of what lives. What
// lives is small while people poll, and each request leaves some kilobytes behind: to
// collect at twice what lives would be collecting all the time. With many live connections
// it is large, and the usual share of it would be memory that nobody has a use for. The
// bytes that it returns count as living, and take no memory, since nobody touches them.
func spareGarbage() []byte {
	debug.SetGCPercent(20)
	return make([]byte, 72<<20)
}

// store is one that is run, and tells how it is.
type store interface {
	presence.Store
	presence.Health
	Run(ctx context.Context) error
}

// listen serves until the context ends. What tells how the process is goes on until
// endAdmin.
func (s *settings) listen(ctx context.Context, store store, log *slog.Logger, stdout io.Writer) (endAdmin func() error, err error) {
	endAdmin = func() error { return nil }
	ctx, cancel := context.WithCancel(ctx) // also where it can serve no longer
	defer cancel()                         // or not at all
	measured := metrics.MeasureStore(store)
	handler, err := s.handler(measured, log)
	if err != nil {
		return endAdmin, err
	}
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		return endAdmin, fmt.Errorf("cannot listen: %w; choose another address with --addr, or port 0 for a free one", err)
	}
	defer l.Close()
	beside, err := s.listenBeside(log)
	if err != nil {
		return endAdmin, err
	}
	told, at := "none", ""
	self := newInstance()
	if beside != nil {
		at = beside.Addr().String()
		told = at
		health := admin.New(admin.Options{
			Health: measured, Collectors: []prometheus.Collector{handler.Metrics(), measured}, Draining: ctx.Done(), Local: localhost.Is(told), Instance: self, Log: log,
		})
		endAdmin = background(ctx, func(ctx context.Context) error {
			return httpserver.Serve(ctx, beside, health, httpserver.Options{Connections: adminConnections, Log: log})
		})
	}
	level := slog.LevelWarn
	if s.adminChosen { // and so health can be given it
		level = slog.LevelInfo
	}
	// It is withdrawn before the store lets go of the directory, so that it is never the next server's.
	defer announce(s.data, runningServer{Instance: self, Admin: at, PID: os.Getpid()}, level, log)()
	if s.visitorRule.none() && !s.dev && !s.gates.any() {
		log.Warn("nobody can get in: visitors are off, and there is no other way to identify people; give --auth-url, --jwt-secret-file, --jwks-url or --visitors on")
	}
	log.Info("serving", "version", programVersion(), "store", s.where(), "prefix", s.prefix, "lease", s.lease, "heartbeat", s.heartbeat,
		"address", l.Addr().String(), "admin", told, "dev", s.dev, "visitors", s.visitorRule.String(), "access", s.access(),
		"trusted_proxies", s.gates.trustedProxies, "allowed_origins", s.origins, "tenant_from", s.tenantFrom)
	defer log.Info("ended")
	defer context.AfterFunc(ctx, func() { log.Info("draining", "delay", s.drainDelay) })()
	fmt.Fprintf(stdout, "writer-presence is at http://%s/\n", l.Addr())
	serving, end := later(ctx, s.drainDelay)
	var live sync.WaitGroup
	live.Go(func() { handler.Run(serving) })
	live.Go(func() { notify(ctx, s.env, log, l.Addr().String()) })
	defer live.Wait()
	defer end()
	defer cancel()
	return endAdmin, handler.Serve(serving, l)
}

// later gives a context that ends a while after another, or when it is told to.
func later(ctx context.Context, by time.Duration) (late context.Context, end context.CancelFunc) {
	late, end = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(by, end) })
	return late, end
}

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
		if _, err := tokenheader.Parse(s.gates.tokenHeader); err != nil {
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

func (s *settings) handler(store presence.Store, log *slog.Logger) (*httpapi.Handler, error) {
	var keys *identity.Keys
	if s.signs() {
		var err error
		if keys, err = identity.ReadKeys(s.secretFile); err != nil {
			return nil, err
		}
		if warning := keys.Warning(); warning != "" {
			log.Warn(warning)
		}
	}
	o := httpapi.Options{
		Service: presence.NewService(store), Prefix: s.prefix, Origins: s.origins, Lease: s.lease, Heartbeat: s.heartbeat, Log: log,
		UserRate: rate(s.userRate, httpapi.DefaultUserRate), AddressRate: rate(s.addressRate, httpapi.DefaultAddressRate),
		AddressProjects: orNoLimit(s.addressProjects),
		TenantFromHost:  s.tenantFrom == "host", TokenHeader: s.gates.tokenHeader,
		Connections: s.limits.Connections, UserConnections: s.limits.UserConnections, AddressConnections: s.limits.AddressConnections,
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
		o.UserProjects, o.VisitorProjects = -1, -1
		gates = append(gates, o.Dev)
	}
	if !s.visitorRule.none() {
		gates = append(gates, &identity.Visitors{Keys: keys, Allowed: s.visitorRule.allowed(), Rate: rate(s.visitorRate, identity.DefaultVisitorRate)})
	}
	o.Authenticator = identity.FirstOf(gates...)
	return httpapi.New(o)
}

// rate returns the limit of a flag in requests per second. The burst grows with the rate, as the default's
// does; a rate of 0 is no limit.
func rate(perSecond float64, normal identity.Rate) identity.Rate {
	if perSecond == 0 {
		return identity.NoLimit
	}
	return identity.Rate{PerSecond: perSecond, Burst: int(perSecond * float64(normal.Burst) / normal.PerSecond)}
}

// orNoLimit returns a limit of a flag, where 0 is no limit, as an option, where less than zero is.
func orNoLimit(limit int) int {
	if limit == 0 {
		return -1
	}
	return limit
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
