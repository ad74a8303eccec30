package presence_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/sqlitestore"
)

// Alice edits the abstract. Bob enters it with care, so he views it and learns who is there.
func Example() {
	dir, err := os.MkdirTemp("", "presence")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlitestore.Open(dir, sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	stored := make(chan error, 1)
	go func() { stored <- store.Run(ctx) }()

	service := presence.NewService(store)
	alice, _ := presence.NewUser("1", "Alice", false)
	bob, _ := presence.NewUser("2", "Bob", false)

	if _, err := service.Update(ctx, "thesis", alice, presence.Update{Session: "tab-1", Seq: 1, Section: "abstract"}); err != nil {
		log.Fatal(err)
	}
	reply, err := service.Update(ctx, "thesis", bob, presence.Update{Session: "tab-2", Seq: 1, Section: "abstract", UnlessOccupied: true})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Bob is", reply.Activity)
	for _, other := range reply.Conflicts {
		fmt.Println(other.User.Name, "is editing")
	}

	snapshot, err := service.Snapshot(ctx, "thesis")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(snapshot.Count, "online")

	cancel() // the store writes what is left and closes
	if err := <-stored; err != nil {
		log.Fatal(err)
	}
	// Output:
	// Bob is viewing
	// Alice is editing
	// 2 online
}

// A Roster has no clock: the caller says what time it is.
func ExampleRoster() {
	roster := presence.NewRoster(presence.DefaultLease, 0)
	alice, _ := presence.NewUser("1", "Alice", false)
	start := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

	if _, _, err := roster.Update(start, alice, presence.Update{Session: "tab", Section: "abstract"}); err != nil {
		log.Fatal(err)
	}
	for _, after := range []time.Duration{0, presence.DefaultLease, presence.DefaultLease + time.Second} {
		fmt.Printf("after %v: %d online\n", after, roster.Snapshot(start.Add(after)).Count)
	}
	// Output:
	// after 0s: 1 online
	// after 2m0s: 1 online
	// after 2m1s: 0 online
}

// Only the difference goes to clients that have an older snapshot.
func ExampleSnapshot_Since() {
	roster := presence.NewRoster(presence.DefaultLease, 0)
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	enter := func(id presence.UserID, name string, section presence.Section) {
		user, _ := presence.NewUser(id, name, false)
		if _, _, err := roster.Update(now, user, presence.Update{Section: section}); err != nil {
			log.Fatal(err)
		}
	}
	enter("1", "Alice", "abstract")
	enter("2", "Bob", "methods")
	before := roster.Snapshot(now)
	enter("2", "Bob", "results")
	for _, occupant := range roster.Snapshot(now).Since(before).Changed {
		fmt.Println(occupant.User.Name, "is in", occupant.Section)
	}
	// Output:
	// Bob is in results
}

// The newest save of each section is part of the snapshot, also after its author has left.
func ExampleSnapshot_saves() {
	roster := presence.NewRoster(presence.DefaultLease, 0)
	now := time.Date(2026, 11, 28, 14, 3, 0, 0, time.UTC)
	bob, _ := presence.NewUser("2", "Bob", false)
	for i, revision := range []string{"41", "42"} {
		update := presence.Update{
			Session: "tab", Seq: uint64(i + 1), Section: "abstract",
			Saved: presence.Saved{Section: "abstract", Revision: revision},
		}
		if _, _, err := roster.Update(now, bob, update); err != nil {
			log.Fatal(err)
		}
	}
	roster.Leave(now, bob, presence.Leave{Session: "tab", Seq: 3})
	for _, save := range roster.Snapshot(now).Saves {
		fmt.Printf("%s saved revision %s of %s at %s\n", save.Name, save.Revision, save.Section, save.At.Format("15:04"))
	}
	// Output:
	// Bob saved revision 42 of abstract at 14:03
}

// A name is cleaned, so that it shows as itself and as nothing else.
func ExampleNewUser() {
	user, err := presence.NewUser("42", "  Ada\n Lovelace ", false)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q %s %s\n", user.Name, user.Initials(), user.Color())
	// Output:
	// "Ada Lovelace" AL #10b981
}
