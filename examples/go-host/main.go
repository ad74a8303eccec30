// Command go-host is an application in Go that has presence in its own process.
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

// run serves until ctx ends. Then, in this order, live pages are told when to come back, requests under way are finished, and
// the store is written and closed.
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
	case err = <-served: // it cannot serve any more
	case <-ctx.Done():
		timeout, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(endLive(), server.Shutdown(timeout))
	}
	return errors.Join(err, endLive(), endStore())
}

// background runs something in a goroutine. end cancels its context, waits for it, and returns its error; it may be called
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

// newPresence makes the handler of presence. What the options leave out has the defaults of the server, limits too. Behind a
// proxy set TrustedProxies, or everybody shares the proxy's limits.
func newPresence(store presence.Store) (*httpapi.Handler, error) {
	return httpapi.New(httpapi.Options{
		Service:       presence.NewService(store),
		Authenticator: identity.Functions{Identify: identify, Authorize: authorize},
	})
}

// newHost makes the application: presence below /writer/api/, and all else as it was.
func newHost(p *httpapi.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/writer/api/", p)
	mux.HandleFunc("/", page)
	return mux
}
