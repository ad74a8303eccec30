// Command go-host is a web application that serves presence from its own process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "`address` to listen on")
	data := flag.String("data", "presence-data", "`directory` of the presence store")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := run(ctx, *addr, *data); err != nil {
		log.Fatal(err)
	}
}

// run serves until ctx ends. Then it tells live pages when to reconnect, finishes requests in flight, and writes and closes the
// store, in this order.
func run(ctx context.Context, addr, data string) error {
	store, err := sqlitestore.Open(data, sqlitestore.Options{})
	if err != nil {
		return err
	}
	endStore := background(store.Run)

	p, err := newPresence(store)
	if err != nil {
		return errors.Join(err, endStore())
	}
	server := &http.Server{Handler: newHost(p), ReadHeaderTimeout: 5 * time.Second}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, endStore())
	}
	fmt.Printf("go-host is at http://%s/\n", l.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	endLive := background(func(ctx context.Context) error { p.Run(ctx); return nil })

	select {
	case err = <-served: // the listener failed
	case <-ctx.Done():
		timeout, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(endLive(), server.Shutdown(timeout))
	}
	return errors.Join(err, endLive(), endStore())
}

// background calls run in a goroutine. end cancels its context, waits until it returns, and returns its error. end can be called
// twice.
func background(run func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = run(ctx)
	}()
	return func() error {
		cancel()
		<-done
		return err
	}
}

// newPresence returns the handler of presence. The other options, such as limits, have the defaults of the server. Behind a proxy
// set TrustedProxies, or all clients share the proxy's limits.
func newPresence(store presence.Store) (*httpapi.Handler, error) {
	return httpapi.New(httpapi.Options{
		Service:       presence.NewService(store),
		Authenticator: identity.Functions{Identify: identify, Authorize: authorize},
	})
}

// newHost returns the handler of the application, with presence below /writer/api/.
func newHost(p *httpapi.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/writer/api/", p)
	mux.HandleFunc("/", page)
	return mux
}
