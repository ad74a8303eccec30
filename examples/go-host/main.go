// Command go-host is an application in Go that has presence in its own process.
package main

import (
	"context"
	"log"
	"net/http"

	presence "writer-presence"
	"writer-presence/identity"
	"writer-presence/sqlitestore"
	"writer-presence/web"
)

func main() {
	store, err := sqlitestore.Open("presence-data", sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	go store.Run(context.Background())
	log.Fatal(http.ListenAndServe("127.0.0.1:8080", newHost(context.Background(), store)))
}

// newHost makes the application: presence below /writer/api/, and all else as it was. What the options leave out has the
// defaults of the server, rate limits too. Behind a proxy set TrustedProxies, or everybody shares the proxy's limits.
func newHost(ctx context.Context, store presence.Store) http.Handler {
	p := web.New(web.Options{
		Tracker: presence.NewTracker(store),
		Gate:    identity.Functions{Identify: identify, Authorize: authorize},
	})
	go p.Run(ctx)
	mux := http.NewServeMux()
	mux.Handle("/writer/api/", p)
	mux.HandleFunc("/", page)
	return mux
}
