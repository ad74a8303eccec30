package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/internal/admin"
	"github.com/writer-presence/writer-presence/internal/localhost"
	"github.com/writer-presence/writer-presence/internal/metrics"
)

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
	s.flags(c.Flags())
	c.Flags().SortFlags = false
	return c
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
		endAdmin = background(ctx, func(ctx context.Context) error { return httpapi.Serve(ctx, beside, health, adminConnections, log) })
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
	return endAdmin, httpapi.Serve(serving, l, handler, s.connections, log)
}

// later gives a context that ends a while after another, or when it is told to.
func later(ctx context.Context, by time.Duration) (late context.Context, end context.CancelFunc) {
	late, end = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { time.AfterFunc(by, end) })
	return late, end
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
