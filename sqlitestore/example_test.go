package sqlitestore_test

import (
	"context"
	"fmt"
	"log"
	"os"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// What was acknowledged is there after a restart.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "presence")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	alice, _ := presence.NewUser("1", "Alice", false)

	for range 2 {
		store, err := sqlitestore.Open(dir, sqlitestore.Options{})
		if err != nil {
			log.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		stored := make(chan error, 1)
		go func() { stored <- store.Run(ctx) }()

		snapshot, err := store.Snapshot(ctx, "thesis")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("at the start:", snapshot.Count, "online")
		reply, err := presence.NewService(store).Update(ctx, "thesis", alice, presence.Update{Section: "abstract"})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("durable:", reply.Durable)

		cancel()
		if err := <-stored; err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// at the start: 0 online
	// durable: true
	// at the start: 1 online
	// durable: true
}
