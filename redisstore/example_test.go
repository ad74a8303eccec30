package redisstore_test

import (
	"context"
	"log"
	"os/signal"
	"syscall"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
)

// Every node opens the same Redis, with the same options.
func ExampleOpen() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	store, err := redisstore.Open(ctx, "redis://127.0.0.1:6379/0", redisstore.Options{})
	if err != nil {
		log.Fatal(err) // says what keeps Redis from being used, and names no password
	}
	stored := make(chan error, 1)
	go func() { stored <- store.Run(ctx) }()

	alice, _ := presence.NewUser("1", "Alice", false)
	reply, err := presence.NewService(store).Update(ctx, "thesis", alice, presence.Update{Section: "abstract"})
	if err != nil {
		log.Fatal(err)
	}
	for _, other := range reply.Conflicts {
		log.Println(other.User.Name, "is editing, on this node or another")
	}
	<-ctx.Done()
	if err := <-stored; err != nil {
		log.Fatal(err)
	}
}
