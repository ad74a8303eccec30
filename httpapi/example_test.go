package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// identify and authorize are what the application knows: its sessions and the members of its projects.
func identify(_ context.Context, r identity.Request) (presence.User, error) {
	cookie, err := (&http.Request{Header: r.Header}).Cookie("session")
	if err != nil || cookie.Value != "session-of-alice" {
		return presence.User{}, identity.ErrNobody
	}
	return identity.NewUser("1", "Alice")
}

func authorize(_ context.Context, user presence.User, project presence.Project) error {
	if user.ID != "1" || project != "thesis" {
		return identity.ErrProjectUnknown
	}
	return nil
}

// start runs a function in a goroutine. end ends its context and waits for it.
func start(run func(context.Context) error) (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	return func() error {
		cancel()
		return <-done
	}
}

// serve serves an application with presence on l until ctx ends. At the end the order matters: live pages are told
// when to come back, then requests under way are finished, then the store is written and closed.
func serve(ctx context.Context, l net.Listener, data string) error {
	store, err := sqlitestore.Open(data, sqlitestore.Options{})
	if err != nil {
		return err
	}
	endStore := start(store.Run)

	handler, err := httpapi.New(httpapi.Options{
		Service:       presence.NewService(store),
		Authenticator: identity.Functions{Identify: identify, Authorize: authorize},
	})
	if err != nil {
		return errors.Join(err, endStore())
	}
	endLive := start(func(ctx context.Context) error { handler.Run(ctx); return nil })

	mux := http.NewServeMux()
	mux.Handle(httpapi.DefaultPrefix+"/", handler)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "the application") })
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()

	select {
	case err = <-served:
		endLive()
	case <-ctx.Done():
		timeout, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		err = errors.Join(endLive(), server.Shutdown(timeout))
	}
	return errors.Join(err, endStore())
}

// An application mounts presence beside its own pages, and ends everything in order.
func Example() {
	data, err := os.MkdirTemp("", "presence")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(data)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	end := start(func(ctx context.Context) error { return serve(ctx, l, data) }) // main has signal.NotifyContext

	list := "http://" + l.Addr().String() + httpapi.DefaultPrefix + "/project/thesis/presence/list/"
	for _, session := range []string{"", "session-of-alice"} {
		r, err := http.NewRequest(http.MethodGet, list, nil)
		if err != nil {
			log.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "session", Value: session})
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
		fmt.Println(answer.Status)
	}
	fmt.Println("ended:", end())
	// Output:
	// 401 Unauthorized
	// 200 OK
	// ended: <nil>
}
