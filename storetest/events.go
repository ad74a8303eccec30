package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

// scanInterval is more than the time between two scans of [presence.EventStore.Unannounced].
const scanInterval = 10 * time.Second

// withEvents runs a test of a store that implements [presence.EventStore], and skips others.
func withEvents(test func(*testing.T, *Subject, presence.EventStore)) func(*testing.T, *Subject) {
	return func(t *testing.T, s *Subject) {
		events, ok := s.Store.(presence.EventStore)
		if !ok {
			t.Skip("the store does not implement presence.EventStore")
		}
		test(t, s, events)
	}
}

// claim claims the project. It fails unless the result is as wanted.
func claim(t *testing.T, e presence.EventStore, holder string, want bool) presence.Announcement {
	t.Helper()
	a, ok, err := e.Claim(t.Context(), project, holder, time.Minute)
	if ok != want || err != nil {
		t.Fatalf("the claim of %s is given %v, %v; want %v", holder, ok, err, want)
	}
	return a
}

func announce(t *testing.T, e presence.EventStore, holder string, a presence.Announcement, want bool) {
	t.Helper()
	if ok, err := e.Announce(t.Context(), project, holder, a); ok != want || err != nil {
		t.Fatalf("the announcement by %s is accepted %v, %v; want %v", holder, ok, err, want)
	}
}

func oneClaim(t *testing.T, s *Subject, e presence.EventStore) {
	first := presence.Announcement{Version: 1, Occupied: true, State: []byte("one")}
	if a := claim(t, e, "h", true); a.State != nil || a.Version != 0 {
		t.Fatalf("before the first announcement there is %+v", a)
	}
	claim(t, e, "i", false)
	announce(t, e, "i", presence.Announcement{Version: 9, State: []byte("nine")}, false)
	announce(t, e, "h", first, true)
	if ok, err := e.Renew(t.Context(), project, "h", 0); !ok || err != nil {
		t.Fatalf("the claim is given back %v, %v", ok, err)
	}
	announce(t, e, "h", presence.Announcement{Version: 9, State: []byte("nine")}, false)
	if a := claim(t, e, "i", true); string(a.State) != "one" || a.Version != 1 || !a.Occupied {
		t.Fatalf("after the first announcement there is %+v; want %+v", a, first)
	}
	s.Pass(50 * time.Second)
	if ok, err := e.Renew(t.Context(), project, "i", time.Minute); !ok || err != nil {
		t.Fatalf("the claim is renewed %v, %v", ok, err)
	}
	s.Pass(50 * time.Second)
	claim(t, e, "j", false)
	s.Pass(11 * time.Second)
	if ok, err := e.Renew(t.Context(), project, "i", time.Minute); ok || err != nil {
		t.Fatalf("a claim that is over is renewed %v, %v", ok, err)
	}
	claim(t, e, "j", true)
	announce(t, e, "i", presence.Announcement{Version: 9, State: []byte("nine")}, false)
}

func announcementSurvivesRestart(t *testing.T, s *Subject, e presence.EventStore) { // invariant 13
	claim(t, e, "h", true)
	announce(t, e, "h", presence.Announcement{State: []byte("two"), Occupied: true}, true)
	again := s.Restart().(presence.EventStore)
	s.Pass(time.Minute + s.Grain)
	if a := claim(t, again, "i", true); string(a.State) != "two" || a.Version != 0 || !a.Occupied {
		t.Fatalf("after a restart the announcement is %+v", a)
	}
}

func unannouncedProjects(t *testing.T, s *Subject, e presence.EventStore) {
	want := func(what string, want ...presence.Project) {
		t.Helper()
		s.Pass(scanInterval)
		all, err := e.Unannounced(t.Context())
		if slices.Sort(all); err != nil || !slices.Equal(all, want) {
			t.Fatalf("%s: unannounced are %q, %v; want %q", what, all, err, want)
		}
	}
	now := func() uint64 { return s.snapshot(t).Version }
	want("before the first user")
	s.update(t, alice, presence.Update{Session: "x", Section: "a"})
	if _, err := s.Update(t.Context(), "q", alice, presence.Update{}); err != nil {
		t.Fatal(err)
	}
	want("after two users came", "p", "q")
	if all, err := e.Unannounced(t.Context()); len(all) > 0 || err != nil {
		t.Fatalf("at once again, unannounced are %q, %v; want none", all, err)
	}
	claim(t, e, "h", true)
	announce(t, e, "h", presence.Announcement{Version: now(), Occupied: true, State: []byte("{}")}, true)
	want("after an announcement of one", "q")
	announce(t, e, "h", presence.Announcement{Occupied: true, State: []byte("{}")}, true)
	want("while there is more to announce", "p", "q")
	announce(t, e, "h", presence.Announcement{Version: now(), Occupied: true, State: []byte("{}")}, true)
	s.Pass(s.Lease)
	s.Pass(scanInterval)
	// What was never announced may be left out once it is over.
	if all, err := e.Unannounced(t.Context()); err != nil || !slices.Contains(all, project) {
		t.Fatalf("after the session expired unannounced are %q, %v; want %q among them", all, err, project)
	}
	claim(t, e, "h", true)
	announce(t, e, "h", presence.Announcement{Version: now(), State: []byte("{}")}, true)
	s.Pass(time.Hour)
	if all, err := e.Unannounced(t.Context()); err != nil || slices.Contains(all, project) {
		t.Fatalf("an hour after the end was announced unannounced are %q, %v; want %q not among them", all, err, project)
	}
}

func changesAreNotified(t *testing.T, s *Subject, e presence.EventStore) {
	var mu sync.Mutex
	var changed []presence.Project
	stop := e.NotifyChanges(func(p presence.Project) {
		mu.Lock()
		defer mu.Unlock()
		changed = append(changed, p)
	})
	want := func(what string, want ...presence.Project) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if changed = slices.Compact(changed); !slices.Equal(changed, want) {
			t.Fatalf("%s: notified of %q; want %q", what, changed, want)
		}
		changed = nil
	}
	s.update(t, alice, presence.Update{Session: "x", Section: "a"})
	want("a user came", project)
	s.update(t, alice, presence.Update{Session: "x", Section: "a"})
	want("a renewal")
	s.leave(t, alice, presence.Leave{Session: "x"})
	want("a user left", project)
	for range 3 { // an announcer that is notified of its own reads never ends
		if _, _, err := s.Sessions(t.Context(), "never-used"); err != nil {
			t.Fatal(err)
		}
	}
	want("a project without a user was read")
	stop()
	s.update(t, bob, presence.Update{})
	want("after stop")
}

func eventLog(t *testing.T, s *Subject, e presence.EventStore) {
	read := func(after string, limit int, wantKnown bool, want ...string) (next string) {
		t.Helper()
		page, next, known, err := e.Events(t.Context(), after, limit)
		var texts []string
		for _, l := range page {
			texts = append(texts, string(l.Data))
		}
		if err != nil || known != wantKnown || !slices.Equal(texts, want) {
			t.Fatalf("after %q the log has %q, known %v, %v; want %q, %v", after, texts, known, err, want, wantKnown)
		}
		if len(page) > 0 && page[len(page)-1].ID != next {
			t.Fatalf("after %q the log continues at %q; want the id of the last event", after, next)
		}
		return next
	}
	add := func(texts ...string) {
		t.Helper()
		var all [][]byte
		for _, text := range texts {
			all = append(all, []byte(text))
		}
		if err := e.AppendEvents(t.Context(), all); err != nil {
			t.Fatal(err)
		}
	}
	start := read("", 10, true)
	read(start, 10, true)
	add("a", "b", "c")
	second := read(start, 2, true, "a", "b")
	end := read(second, 2, true, "c")
	read(end, 2, true)
	if at := read("", 10, true); at != end {
		t.Errorf("the log ends at %q; want %q", at, end)
	}
	for _, unknown := range []string{"1-1", "another", "x-2", "99999999999999-1"} {
		read(unknown, 10, false, "a", "b", "c")
	}
	for i := range 120 {
		texts := make([]string, 100)
		for j := range texts {
			texts[j] = fmt.Sprint(i, " ", j)
		}
		add(texts...)
	}
	page, _, known, err := e.Events(t.Context(), second, 20_000)
	if err != nil || known || len(page) < 10_000 || len(page) > 11_500 || string(page[len(page)-1].Data) != "119 99" {
		t.Errorf("after 12,000 events the log has %d, and knows the second event %v, %v; want the newest 10,000 about", len(page), known, err)
	}
}
