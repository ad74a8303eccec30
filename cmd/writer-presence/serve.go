package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/admin"
	"github.com/writer-presence/writer-presence/internal/hostapi"
	"github.com/writer-presence/writer-presence/internal/httpserver"
	"github.com/writer-presence/writer-presence/internal/localhost"
	"github.com/writer-presence/writer-presence/internal/metrics"
	"github.com/writer-presence/writer-presence/internal/status"
	"github.com/writer-presence/writer-presence/internal/webhook"
)

func newServe(env func(string) (string, bool)) *cobra.Command {
	s := settings{env: env}
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve presence over HTTP",
		Long: `Serve presence over HTTP: the API and the JavaScript client below the prefix, and a
reference page for writing together at /.

Every flag can also be given as the environment variable in brackets; the command line
takes precedence. Both can also be keys of the file of --config. SIGHUP reads the file, keys
and secrets again, and uses what has changed. SIGTERM and SIGINT shut the server down: it finishes the requests that
are in flight and saves who is online. A second signal ends it at once.`,
		Example: "  writer-presence serve --dev\n  writer-presence serve --addr 127.0.0.1:8080 --data /var/lib/writer-presence",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return s.serve(c.Context(), c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	s.flags(c.Flags())
	c.Flags().SortFlags = false
	return c
}

// serve runs the server until ctx ends, and drains it then.
func (s *settings) serve(ctx context.Context, stdout, stderr io.Writer) error {
	s.hangups = make(chan os.Signal, 1) // before the store is opened, which takes time: SIGHUP must not end the process
	signal.Notify(s.hangups, syscall.SIGHUP)
	defer signal.Stop(s.hangups)
	if err := s.validate(); err != nil {
		return err
	}
	level := &slog.LevelVar{}
	level.Set(s.level)
	log := s.newLog(stderr, level)
	if _, ok := s.env("GOGC"); !ok {
		defer runtime.KeepAlive(tuneGC())
	}
	keys, err := s.apiKeys(log)
	if err != nil {
		return err
	}
	sender, err := s.webhook(log)
	if err != nil {
		return err
	}
	store, err := s.openStore(ctx, log)
	if err != nil {
		return err
	}
	endStore := background(ctx, store.Run)
	endAdmin, err := s.serveRequests(ctx, store, keys, sender, log, level, stdout)
	// The store must get the last request, and health must answer until everything has ended.
	return errors.Join(err, endStore(), endAdmin())
}

// background runs a function in a goroutine until end is called, even after ctx ends. end waits for the function and
// returns its error.
func background(ctx context.Context, run func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// serveRequests serves until ctx ends or the listener fails, and drains then. Health and metrics are served until endAdmin
// is called, which must be called also after an error.
func (s *settings) serveRequests(ctx context.Context, store store, keys *hostapi.Keys, sender *webhook.Sender, log *slog.Logger, level *slog.LevelVar, stdout io.Writer) (endAdmin func() error, err error) {
	endAdmin = func() error { return nil }
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	measured := metrics.MeasureStore(store)
	made := (&reused{}).next()
	o, err := s.handlerOptions(made, log)
	if err != nil {
		return endAdmin, err
	}
	o.Service = presence.NewService(measured)
	handler, err := httpapi.New(o)
	if err != nil {
		return endAdmin, err
	}
	collectors := []prometheus.Collector{handler.Metrics(), measured}
	if sender != nil {
		collectors = append(collectors, sender.Metrics())
	}
	recorder := status.New(status.Options{Version: programVersion(), Health: measured, Collectors: collectors, Draining: ctx.Done()})
	apiOptions := hostapi.Options{
		Service: o.Service, Tenants: s.tenantFrom == "host", Lease: s.lease, Status: recorder.JSON, Ending: ctx.Done(), Log: log, AccessLog: s.accessLogger(log),
	}
	if s.logsEvents() {
		apiOptions.Events = store
	}
	api := hostapi.New(apiOptions)
	api.SetKeys(keys)
	reloader := newReloader(s, handler, api, sender, made, level, log)
	l, adminListener, err := s.listen(log)
	if err != nil {
		return endAdmin, err
	}
	defer l.Close()
	self := runningServer{Instance: rand.Text(), PID: os.Getpid()}
	if adminListener != nil {
		self.Admin = addrOf(adminListener)
		endRecorder := background(ctx, func(ctx context.Context) error { recorder.Run(ctx); return nil })
		defer func() { _ = endRecorder() }() // it returns no error
		health := admin.New(admin.Options{
			Health: measured, Collectors: collectors, Draining: ctx.Done(),
			Local: localhost.Is(self.Admin), Instance: self.Instance, API: api, RequireKey: api.RequireKey, Log: log,
		})
		endAdmin = background(ctx, func(ctx context.Context) error {
			return httpserver.Serve(ctx, adminListener, health, httpserver.Options{Connections: adminConnections, AnswerTimeout: admin.AnswerTimeout, Log: log})
		})
	}
	severity := slog.LevelWarn
	if s.changed("admin-addr") { // then health can find the server by the same flag
		severity = slog.LevelInfo
	}
	// The deferred call removes the file before the store unlocks the directory: after that it could be the next server's.
	defer writeServerFile(s.data, self, severity, log)()
	if s.visitorRule.none() && !s.dev && !s.auth.enabled() {
		log.Warn("every request will be rejected: visitors are off, and nothing else identifies users; give --auth-url, --jwt-secret-file, --jwks-url or --visitors on")
	}
	log.Info("serving", "version", programVersion(), "store", s.storeName(), "prefix", s.prefix, "lease", s.lease, "heartbeat", s.heartbeat,
		"address", addrOf(l), "admin", cmp.Or(self.Admin, "none"), "dev", s.dev, "visitors", s.visitorRule.String(), "access", s.accessSummary(),
		"trusted_proxies", s.trustedProxies, "allowed_origins", s.origins, "tenant_from", s.tenantFrom, "webhook", s.webhookHost())
	defer log.Info("ended")
	defer context.AfterFunc(ctx, func() { log.Info("draining", "delay", s.drainDelay) })()
	if addr := addrOf(l); strings.HasPrefix(addr, unixPrefix) {
		fmt.Fprintf(stdout, "writer-presence is at %s\n", addr)
	} else {
		fmt.Fprintf(stdout, "writer-presence is at http://%s/\n", addr)
	}
	serving, end := delayed(ctx, s.drainDelay)
	var live sync.WaitGroup
	live.Go(func() { handler.Run(serving) })
	live.Go(func() { s.announce(serving, store, sender, log) })
	live.Go(func() { reloader.run(ctx) })
	live.Go(func() { notify(ctx, s.env, log, addrOf(l)) })
	defer live.Wait()
	defer end()
	defer cancel() // if Serve fails, so that the goroutines above end
	return endAdmin, handler.Serve(serving, l)
}

// listen returns the listeners of the API and of health and metrics: those that systemd hands over, and otherwise those of
// --addr and --admin-addr. admin is nil for --admin-addr off.
func (s *settings) listen(log *slog.Logger) (l, admin net.Listener, err error) {
	if l, admin, err = inherited(); err != nil {
		return nil, nil, err
	}
	if l == nil {
		if l, err = listen(s.addr, s.mode); err != nil {
			return nil, nil, fmt.Errorf("cannot listen: %w; choose another address with --addr, or port 0 for a free one", err)
		}
	} else if err = checkDevAddr(addrOf(l)); s.dev && err != nil {
		return nil, nil, err
	}
	if admin == nil {
		if admin, err = s.listenAdmin(log); err != nil {
			l.Close()
			return nil, nil, err
		}
	}
	return l, admin, nil
}

// delayed returns a context that ends the given time after ctx, or when end is called.
func delayed(ctx context.Context, by time.Duration) (late context.Context, end context.CancelFunc) {
	late, end = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(by, end) })
	return late, end
}

// tuneGC makes the garbage collector run after 14 MB of new memory and a fifth of the live heap, and returns a ballast
// that must be kept alive. The default, to run when the heap has doubled, fits neither load: while clients poll, the
// live heap is small and the collector would run all the time; with many live connections it is large, and its double
// would be wasted memory. The ballast counts as live heap but takes no memory, since nothing writes to it. It is in pieces,
// because Go clears an allocation of which any part was in use before, and all that is cleared takes memory.
func tuneGC() (ballast [][]byte) {
	debug.SetGCPercent(20)
	for range 72 {
		ballast = append(ballast, make([]byte, 1<<20))
	}
	return ballast
}
