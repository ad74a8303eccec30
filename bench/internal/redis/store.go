package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/bench/internal/harness"
	"github.com/writer-presence/writer-presence/redisstore"
)

// workers call a store concurrently, as many as a busy node has requests.
const workers = 64

// person is a user with a session that calls a store.
type person struct {
	user     presence.User
	room     presence.Project
	sections [2]presence.Section
	update   presence.Update
}

// throughStore measures what a store costs its node, which is this process. Redis has time left.
func (b *bench) throughStore() {
	ctx := context.Background()
	store, closeStore := b.openStore(redisstore.Options{})
	defer closeStore()
	people := make([]person, b.Rooms*roomSize)
	for i := range people {
		section := func(n int) presence.Section { return presence.Section(fmt.Sprintf("manuscript/section-%d", n)) }
		people[i] = person{
			user:     presence.User{ID: presence.UserID(fmt.Sprint(1_000_000 + i)), Name: fmt.Sprintf("Writer %d", i)},
			room:     presence.Project(fmt.Sprintf("room-%07d", i%b.Rooms)),
			sections: [2]presence.Section{section(2 * i), section(2*i + 1)},
			update:   presence.Update{Session: fmt.Sprintf("session-%07d-of-one-page-load", i), Section: section(2 * i), Activity: presence.Editing},
		}
	}
	update := func(change, poll bool) func(*person) error {
		return func(p *person) error {
			p.update.Seq++
			if change {
				p.update.Section = p.sections[p.update.Seq%2]
			}
			p.update.Poll = poll
			reply, err := store.Update(ctx, p.room, p.user, p.update)
			p.update.Known = reply.Version
			return err
		}
	}
	callAll(people, update(false, true), time.Now().Add(time.Hour), (len(people)+workers-1)/workers, b)

	t := harness.NewTable(b.Out, 22, "node µs", "Redis µs", "achieved/s", "node, %", "Redis, %")
	for _, c := range []struct {
		name string
		call func(*person) error
	}{
		{"renewals", update(false, false)},
		{"whole poll", update(false, true)},
		{"changes", update(true, false)},
		{"snapshot", func(p *person) error { _, err := store.Snapshot(ctx, p.room); return err }},
	} {
		rounds := harness.InTurns(b.StoreRounds, func() usage {
			return b.measure(func() int { return callAll(people, c.call, time.Now().Add(2*b.RoundTime), 1<<40, b) })
		})
		u := harness.Medians(rounds[0])
		t.Row(c.name, u.OwnMicros, u.Micros, u.Rate, u.OwnBusy, u.Busy)
	}
}

// callAll has each worker make up to so many calls until a time, for people of its own, and
// returns the number of all calls.
func callAll(people []person, call func(*person) error, until time.Time, most int, b *bench) (n int) {
	var mu sync.Mutex
	var running sync.WaitGroup
	var err error
	for w := range min(workers, len(people)) {
		running.Go(func() {
			calls := 0
			var failed error
			for i := w; calls < most && failed == nil && time.Now().Before(until); i += workers {
				if i >= len(people) {
					i = w // start over
				}
				failed = call(&people[i])
				calls++
			}
			mu.Lock()
			defer mu.Unlock()
			n += calls
			err = errors.Join(err, failed)
		})
	}
	running.Wait()
	b.Check(err)
	return n
}
