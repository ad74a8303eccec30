package httpapi_test

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestUnsavedWorkConflictsWhateverTheActivity(t *testing.T) { // rule 18, case 45
	w := servertest.New(t, servertest.Direct)
	alice, bob := w.As("alice", "1"), w.As("bob", "2")
	for _, activity := range []string{"editing", "viewing", "idle"} {
		got := alice.Update(`{"session": "a", "section": "s", "activity": "` + activity + `", "unsaved": true}`)
		if got.Activity != activity || !slices.Equal(got.You.Unsaved, []string{"s"}) {
			t.Errorf("%s with unsaved changes: got %+v", activity, got)
		}
		reply := bob.Update(`{"session": "b", "section": "s", "unless_occupied": true, "known_version": 0}`)
		if reply.Activity != "viewing" || servertest.Names(reply.Conflicts) != "alice" || !slices.Equal(reply.Conflicts[0].Unsaved, []string{"s"}) {
			t.Errorf("bob beside alice, who is %s: got %+v", activity, reply)
		}
	}
	for body, want := range map[string]string{
		`{"session": "a", "section": "s", "activity": "idle"}`:                    "", // an update states the whole session
		`{"session": "a", "section": "t", "activity": "idle", "unsaved": true}`:   "t",
		`{"session": "a", "section": "", "activity": "viewing", "unsaved": true}`: "",
	} {
		if got := alice.Update(body); strings.Join(got.You.Unsaved, " ") != want {
			t.Errorf("%s: unsaved is %q, want %q", body, got.You.Unsaved, want)
		}
	}
}

func TestWaitingIsShownUntilTakenBackOrEntered(t *testing.T) { // rule 20
	w := servertest.New(t, servertest.Direct)
	alice, bob := w.As("alice", "1"), w.As("bob", "2")
	alice.Update(`{"session": "a", "section": "s"}`)
	for _, c := range []struct{ body, want string }{
		{`{"session": "b", "section": "s", "activity": "viewing", "waiting_for": "s"}`, "s"},
		{`{"session": "b", "section": "t", "waiting_for": "s"}`, "s"}, // from another section
		{`{"session": "b", "section": "", "waiting_for": "u"}`, "u"},  // one at most
		{`{"session": "b", "section": "t"}`, ""},
		{`{"session": "b", "section": "s", "waiting_for": "s"}`, ""}, // entered
		{`{"session": "b", "section": "s", "activity": "idle", "unsaved": true, "waiting_for": "s"}`, ""},
	} {
		bob.Update(c.body)
		users := *alice.List().Users
		if got := users[1].WaitingFor; got != c.want {
			t.Errorf("%s: alice sees bob wait for %q, want %q", c.body, got, c.want)
		}
	}
	bob.Update(`{"session": "b", "section": "t", "waiting_for": "s"}`)
	bob.Leave(`{"session": "b"}`)
	if got := alice.GetList().Body; strings.Contains(got, "waiting_for") {
		t.Errorf("after bob left: %s", got)
	}
}

func TestSaveIsInTheListOfEverybody(t *testing.T) { // rule 19, case 58
	w := servertest.New(t, servertest.Direct)
	alice, bob, visitor := w.As("alice", "1"), w.As("bob", "2"), w.Anonymous()
	bob.Update(`{"session": "b", "section": "s"}`)
	first := alice.Update(`{"session": "a", "section": "s", "saved": {"section": "s", "revision": "41"}}`)
	again := alice.Update(`{"session": "a", "section": "s", "saved": {"section": "s", "revision": "41"}}`)
	if again.Version != first.Version {
		t.Errorf("the same save again: version %d, want %d", again.Version, first.Version)
	}
	// A save of a section in which the session is not, and one by a visitor.
	bob.Update(`{"session": "b", "section": "s", "saved": {"section": "r/1", "revision": "\u00e9"}}`)
	visitor.Update(`{"session": "v", "section": "s", "saved": {"section": "s", "revision": "42"}}`)
	name := (*bob.List().Users)[len(*bob.List().Users)-1].Username
	want := "r/1@é by bob, s@42 by " + name
	if got := servertest.Saves(bob.List().Saved); got != want {
		t.Errorf("the list has the saves %q, want %q", got, want)
	}
	if got := servertest.Saves(bob.Update(`{"session": "b", "section": "s", "known_version": 0}`).Saved); got != want {
		t.Errorf("a poll has the saves %q, want %q", got, want)
	}
	version := bob.List().Version
	if got := bob.Update(fmt.Sprintf(`{"session": "b", "section": "s", "known_version": %d}`, version)); got.Saved != nil || got.Users != nil {
		t.Errorf("a poll that knows the version: got %+v, want neither users nor saves", got)
	}
	for _, p := range []*servertest.Client{alice, visitor, bob} {
		p.Leave(`{"session": "` + map[*servertest.Client]string{alice: "a", visitor: "v", bob: "b"}[p] + `"}`)
	}
	if got := servertest.Saves(alice.List().Saved); got != want {
		t.Errorf("after everybody left: saves %q, want %q", got, want)
	}
}

func TestSaveOrWaitOverTheRateLimitIsRejected(t *testing.T) { // rules 16, 18, 19 and 20
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 1} })
		alice := w.As("alice", "1")
		alice.Update(`{"session": "a", "section": "s"}`)
		before := w.As("watcher", "999").GetList().Body
		for _, change := range []string{
			`"unsaved": true`, `"waiting_for": "t"`, `"saved": {"section": "s", "revision": "7"}`, `"saved": {"section": "t", "revision": "7"}`,
		} {
			alice.Post("update", `{"session": "a", "section": "s", `+change+`}`).ExpectError(t, 429, "too_many_requests")
		}
		alice.Update(`{"session": "a", "section": "s", "unsaved": false, "waiting_for": "", "saved": null}`) // a renewal
		if after := w.As("another watcher", "998").GetList().Body; after != before {
			t.Errorf("rejected updates changed the list from %s to %s", before, after)
		}
	})
}

func TestThousandSavesASecondAreLimitedByUser(t *testing.T) { // rule 16
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserRate = httpapi.DefaultUserRate })
		alice := w.As("alice", "1")
		accepted, began := 0, time.Now()
		for i := range 3000 {
			got := alice.Post("update", fmt.Sprintf(`{"session": "a", "section": "s", "saved": {"section": "s", "revision": "%d"}}`, i))
			if got.Status == 200 {
				accepted++
			} else {
				got.ExpectError(t, 429, "too_many_requests")
			}
			time.Sleep(time.Until(began.Add(time.Duration(i+1) * time.Millisecond)))
		}
		if accepted < 150 || accepted > 161 { // 100 at once, and 20 a second
			t.Errorf("%d of 3000 saves in three seconds were accepted, want 160", accepted)
		}
		if saves := w.As("watcher", "999").List().Saved; len(saves) != 1 {
			t.Errorf("got %d saves of one section, want 1", len(saves))
		}
	})
}

// The list of a project in which more sections were saved than are kept has the newest ones. It is compressed once for all.
func TestSavesOfAProjectAreBounded(t *testing.T) { // rule 16
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		const writers, each = 20, 51
		var done sync.WaitGroup
		for i := range writers { // together, so that they share commits
			done.Go(func() {
				p := w.As(fmt.Sprint("writer ", i), presence.UserID(fmt.Sprint(1000+i)))
				for n := range each {
					body := fmt.Sprintf(`{"session": "s", "section": "s", "saved": {"section": "manuscript/chapter-%d/part-%d", "revision": "%x"}}`, i, n, sha1.Sum([]byte{byte(i), byte(n)}))
					if status := unchecked(p, "POST", "update", body); status != 200 {
						t.Errorf("the save got %d", status)
					}
				}
			})
		}
		done.Wait()
		alice := w.As("alice", "1")
		alice.Update(`{"session": "a", "saved": {"section": "newest", "revision": "1"}}`)
		plain, packed := alice.GetList(), alice.GetList("Accept-Encoding", "gzip")
		var list servertest.Reply
		if err := json.Unmarshal([]byte(plain.Body), &list); err != nil || len(list.Saved) != presence.MaxSaves {
			t.Fatalf("got %d saves, %v, want %d", len(list.Saved), err, presence.MaxSaves)
		}
		if !slices.IsSortedFunc(list.Saved, func(a, b servertest.Save) int { return strings.Compare(a.Section, b.Section) }) {
			t.Error("the saves are not sorted by section")
		}
		if last := list.Saved[len(list.Saved)-1]; last.Section != "newest" {
			t.Errorf("the last save is %+v, want the newest", last)
		}
		if packed.Gunzip(t) != plain.Body {
			t.Error("the compressed list is another one than the plain one")
		}
		poll := alice.Post("update", `{"session": "a", "known_version": 0}`, "Accept-Encoding", "gzip")
		if !strings.HasSuffix(poll.Gunzip(t), plain.Body[strings.Index(plain.Body, `"users"`):]) {
			t.Error("a poll has another list")
		}
		t.Logf("a list of %d users and %d saves has %d bytes, compressed %d", len(*list.Users), len(list.Saved), len(plain.Body), len(packed.Body))
		if len(packed.Body) > len(plain.Body)/4 {
			t.Errorf("the list was compressed from %d to %d bytes; want a quarter at most", len(plain.Body), len(packed.Body))
		}
	})
}
