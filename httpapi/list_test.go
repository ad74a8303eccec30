package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

func TestListHasTheDocumentedForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		w.As("alice", "1").Update(`{"section": "manuscript/abstract"}`)
		w.As("Bob", "b-2").Update(`{}`)
		got := w.As("alice", "1").GetList()
		want := `{"success":true,"version":946684800002,"users":[` + aliceText + `,{"user_id":"b-2","username":"Bob","section":"","sections":[],` +
			`"activity":"viewing","last_seen":"2000-01-01T00:00:00Z","avatar_color":"` + presence.User{ID: "b-2"}.Color() + `","initials":"BO","visitor":false}]}`
		if got.Status != 200 || got.Body != want {
			t.Errorf("got %d %s\nwant 200 %s", got.Status, got.Body, want)
		}
		if tag := got.Header.Get("ETag"); tag != `W/"946684800002"` {
			t.Errorf("the tag is %s, want that of the version", tag)
		}
	})
}

func TestEmptyProjectHasAnEmptyList(t *testing.T) {
	w := servertest.New(t)
	if got := w.Anonymous().GetList(); !strings.Contains(got.Body, `"users":[]`) {
		t.Errorf("the list of nobody is %s, want \"users\":[]", got.Body)
	}
}

func TestListIsOrderedByFoldedUsernameThenID(t *testing.T) { // rule 17
	w := servertest.New(t)
	for _, p := range [][2]string{{"bob", "3"}, {"Alice", "10"}, {"alice", "9"}, {"Émile", "4"}, {"Bob", "x"}, {"carol", "1"}} {
		w.As(p[0], presence.UserID(p[1])).Update(`{}`)
	}
	w.ExpectListed("alice Alice bob Bob carol Émile")
}

func TestUsersOfOneColourDifferInNameAndInitials(t *testing.T) { // case 20
	w := servertest.New(t)
	first, ninth := w.As("alice", "1"), w.As("bob", "9")
	first.Update(`{}`)
	ninth.Update(`{}`)
	users := *first.List().Users
	if len(users) != 2 || users[0].Color != users[1].Color {
		t.Fatalf("listed: %+v, want two users of one colour", users)
	}
	if users[0].Username != "alice" || users[0].Initials != "AL" || users[1].Username != "bob" || users[1].Initials != "BO" {
		t.Errorf("listed: %+v, want alice (AL) and bob (BO)", users)
	}
}

func TestListWithAMatchingETagIsNotSentAgain(t *testing.T) { // cases 34 and 52
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice, bob := w.As("alice", "1"), w.As("bob", "2")
		alice.Update(`{"section":"s"}`)
		tag := alice.GetList().Header.Get("ETag")
		strong := strings.TrimPrefix(tag, "W/")
		known := [][]string{
			{tag}, {strong}, {"*"}, {`"other", ` + tag}, {tag + `,"other"`}, {`W/"0" ,  ` + strong + ` , W/"1"`}, {`"other"`, tag}, {" " + tag + "\t"},
		}
		version := strings.Trim(strong, `"`)
		for _, coding := range []string{"-gzip", "-br", "-zstd", "-deflate", ";gzip", ";br", "--gzip", ":dtagent10", "-gzip;br", "-df"} {
			within, after := `"`+version+coding+`"`, strong+coding
			known = append(known, []string{within}, []string{"W/" + within}, []string{after}, []string{"W/" + after}, []string{`"1-gzip", ` + within})
		}
		ask := func(lines []string) servertest.Response {
			var headers []string
			for _, line := range lines {
				headers = append(headers, "If-None-Match", line)
			}
			return bob.GetList(headers...)
		}
		for _, lines := range known {
			if got := ask(lines); got.Status != http.StatusNotModified || got.Body != "" || got.Header.Get("ETag") != tag {
				t.Errorf("If-None-Match: %q got %d, tag %s, body %q, want 304 and %s", lines, got.Status, got.Header.Get("ETag"), got.Body, tag)
			}
		}
		for _, lines := range [][]string{
			{`W/"1"`}, {`""`}, {""}, {"W/"}, {strings.Trim(strong, `"`)}, {`"W/` + strings.Trim(strong, `"`) + `"`}, {"w/" + strong}, {strings.TrimSuffix(tag, `"`)}, {`"x` + strong[1:]},
			{`"` + version + `1-gzip"`}, {`"` + version[1:] + `-gzip"`}, {`"` + version + `gzip"`}, {strong + "gzip"}, {`"` + version + `-gzip`}, {version + "-gzip"}, {`"-gzip"`}, {`"gzip-` + version + `"`},
			{strong + strong},
		} {
			if got := ask(lines); got.Status != 200 || got.Body == "" {
				t.Errorf("If-None-Match: %q got %d; it is not %s, want 200", lines, got.Status, tag)
			}
		}

		time.Sleep(30 * time.Second)
		alice.Update(`{"section":"s"}`)
		if got := ask([]string{tag}); got.Status != http.StatusNotModified {
			t.Errorf("after a mere renewal the response is %d, want 304", got.Status)
		}
		alice.Update(`{"section":"elsewhere"}`)
		if got := ask([]string{tag}); got.Status != 200 || got.Header.Get("ETag") == tag {
			t.Errorf("after a change the response is %d with tag %s, want 200 with another", got.Status, got.Header.Get("ETag"))
		}
	})
}

func TestHEADIsAnsweredAsGETWithoutABody(t *testing.T) {
	w := servertest.New(t)
	alice := w.As("alice", "1")
	alice.Update(`{}`)
	get := alice.GetList()
	got := alice.Do("HEAD", "/writer/api"+servertest.ProjectPath+"list/", "")
	if got.Status != 200 || got.Body != "" || got.Header.Get("ETag") != get.Header.Get("ETag") {
		t.Errorf("HEAD: got %d, tag %q, body %q, want 200, %q and none", got.Status, got.Header.Get("ETag"), got.Body, get.Header.Get("ETag"))
	}
}

func TestReadingTheListRenewsNobody(t *testing.T) { // rule 10, case 24
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		alice := w.As("alice", "1")
		alice.Update(`{"section":"s"}`)
		for range 8 {
			time.Sleep(15 * time.Second)
			alice.List()
		}
		w.ExpectListed("alice")
		time.Sleep(time.Nanosecond)
		w.ExpectListed("")
	})
}

func TestProjectsAreIsolated(t *testing.T) { // invariant 9
	w := servertest.New(t)
	alice, bob := w.As("alice", "1"), w.As("bob", "2")
	alice.ExpectSuccess(alice.Do("POST", "/writer/api/project/canary-project/presence/update/", `{"section":"canary-section"}`))
	got := bob.ExpectSuccess(bob.Do("POST", "/writer/api/project/other/presence/update/", `{"section":"canary-section","known_version":0}`))
	if servertest.Names(*got.Users) != "bob" || len(got.Conflicts) != 0 {
		t.Errorf("the other project has %q with conflicts %q, want bob alone", servertest.Names(*got.Users), servertest.Names(got.Conflicts))
	}
	for _, name := range []string{"Canary-project", "canary-project.", "canary-projec"} {
		if got := bob.Do("GET", "/writer/api/project/"+name+"/presence/list/", ""); !strings.Contains(got.Body, `"users":[]`) {
			t.Errorf("project %s has %s, want nobody", name, got.Body)
		}
	}
}

func TestCountIsTrueOverTheThousandListedUsers(t *testing.T) { // rule 16
	var store presence.Store
	w := servertest.New(t, servertest.Direct, func(c *servertest.Config) {
		c.WrapStore = func(s presence.Store) presence.Store {
			store = s
			return s
		}
	})
	var entered sync.WaitGroup
	for i := range presence.MaxListed {
		writer := presence.User{ID: presence.UserID(fmt.Sprint("writer-", i)), Name: fmt.Sprintf("writer %04d", i)}
		entered.Go(func() { // at once, since each waits for a commit
			if _, err := store.Update(t.Context(), "p", writer, presence.Update{}); err != nil {
				t.Error(err)
			}
		})
	}
	entered.Wait()
	if got := w.Anonymous().List(); got.Count != 0 || len(*got.Users) != presence.MaxListed {
		t.Errorf("of 1000 there are %d listed and the count %d, want 1000 and no count", len(*got.Users), got.Count)
	}
	last := w.As("zoe", "1").Update(`{"known_version":0}`)
	for name, got := range map[string]servertest.Reply{"update": last, "list": w.Anonymous().List()} {
		if got.Count != presence.MaxListed+1 || len(*got.Users) != presence.MaxListed {
			t.Errorf("%s of 1001 has %d listed and the count %d, want 1000 and 1001", name, len(*got.Users), got.Count)
		}
	}
}
