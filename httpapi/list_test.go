package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestTheListHasTheFormOfTheNote(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		w.as("alice", "1").update(`{"section": "manuscript/abstract"}`)
		w.as("Bob", "b-2").update(`{}`)
		got := w.as("alice", "1").get()
		due := `{"success":true,"version":946684800002,"users":[` + aliceText + `,{"user_id":"b-2","username":"Bob","section":"","sections":[],` +
			`"activity":"viewing","last_seen":"2000-01-01T00:00:00Z","avatar_color":"` + presence.User{ID: "b-2"}.Color() + `","initials":"BO","visitor":false}]}`
		if got.status != 200 || got.body != due {
			t.Errorf("answered %d %s\ndue is 200 %s", got.status, got.body, due)
		}
		if tag := got.header.Get("ETag"); tag != `W/"946684800002"` {
			t.Errorf("the tag is %s, due is that of the version", tag)
		}
	})
}

func TestAnEmptyProjectHasAnEmptyList(t *testing.T) {
	w := newWorld(t)
	if got := w.newcomer().get(); !strings.Contains(got.body, `"users":[]`) {
		t.Errorf("the list of nobody is %s, due is \"users\":[]", got.body)
	}
}

func TestTheOrderIsByNameWithoutCaseThenID(t *testing.T) {
	w := newWorld(t)
	for _, p := range [][2]string{{"bob", "3"}, {"Alice", "10"}, {"alice", "9"}, {"Émile", "4"}, {"Bob", "x"}, {"carol", "1"}} {
		w.as(p[0], presence.UserID(p[1])).update(`{}`)
	}
	w.isListed("alice Alice bob Bob carol Émile")
}

func TestAListThatIsKnownIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice, bob := w.as("alice", "1"), w.as("bob", "2")
		alice.update(`{"section":"s"}`)
		tag := alice.get().header.Get("ETag")
		strong := strings.TrimPrefix(tag, "W/")
		known := [][]string{
			{tag}, {strong}, {"*"}, {`"other", ` + tag}, {tag + `,"other"`}, {`W/"0" ,  ` + strong + ` , W/"1"`}, {`"other"`, tag}, {" " + tag + "\t"},
		}
		version := strings.Trim(strong, `"`)
		for _, coding := range []string{"-gzip", "-br", "-zstd", "-deflate", ";gzip", ";br", "--gzip", ":dtagent10", "-gzip;br", "-df"} {
			within, after := `"`+version+coding+`"`, strong+coding
			known = append(known, []string{within}, []string{"W/" + within}, []string{after}, []string{"W/" + after}, []string{`"1-gzip", ` + within})
		}
		ask := func(lines []string) answer {
			var headers []string
			for _, line := range lines {
				headers = append(headers, "If-None-Match", line)
			}
			return bob.get(headers...)
		}
		for _, lines := range known {
			if got := ask(lines); got.status != http.StatusNotModified || got.body != "" || got.header.Get("ETag") != tag {
				t.Errorf("If-None-Match: %q got %d, tag %s, body %q; due is 304 and %s", lines, got.status, got.header.Get("ETag"), got.body, tag)
			}
		}
		for _, lines := range [][]string{
			{`W/"1"`}, {`""`}, {""}, {"W/"}, {strings.Trim(strong, `"`)}, {`"W/` + strings.Trim(strong, `"`) + `"`}, {"w/" + strong}, {strings.TrimSuffix(tag, `"`)}, {`"x` + strong[1:]},
			{`"` + version + `1-gzip"`}, {`"` + version[1:] + `-gzip"`}, {`"` + version + `gzip"`}, {strong + "gzip"}, {`"` + version + `-gzip`}, {version + "-gzip"}, {`"-gzip"`}, {`"gzip-` + version + `"`},
			{strong + strong},
		} {
			if got := ask(lines); got.status != 200 || got.body == "" {
				t.Errorf("If-None-Match: %q got %d; it is not %s, so due is 200", lines, got.status, tag)
			}
		}

		time.Sleep(30 * time.Second)
		alice.update(`{"section":"s"}`)
		if got := ask([]string{tag}); got.status != http.StatusNotModified {
			t.Errorf("after a mere renewal the answer is %d, due is 304", got.status)
		}
		alice.update(`{"section":"elsewhere"}`)
		if got := ask([]string{tag}); got.status != 200 || got.header.Get("ETag") == tag {
			t.Errorf("after a change the answer is %d with tag %s; due is 200 with another", got.status, got.header.Get("ETag"))
		}
	})
}

func TestHEADIsAnsweredAsGETWithoutABody(t *testing.T) {
	w := newWorld(t)
	alice := w.as("alice", "1")
	alice.update(`{}`)
	get := alice.get()
	got := alice.do("HEAD", "/writer/api"+project+"list/", "")
	if got.status != 200 || got.body != "" || got.header.Get("ETag") != get.header.Get("ETag") {
		t.Errorf("HEAD answered %d, tag %q, body %q; due is 200, %q and none", got.status, got.header.Get("ETag"), got.body, get.header.Get("ETag"))
	}
}

func TestLookingRenewsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, direct)
		alice := w.as("alice", "1")
		alice.update(`{"section":"s"}`)
		for range 8 {
			time.Sleep(15 * time.Second)
			alice.list()
		}
		w.isListed("alice")
		time.Sleep(time.Nanosecond)
		w.isListed("")
	})
}

func TestProjectsAreApart(t *testing.T) {
	w := newWorld(t)
	alice, bob := w.as("alice", "1"), w.as("bob", "2")
	alice.succeed(alice.do("POST", "/writer/api/project/canary-project/presence/update/", `{"section":"canary-section"}`))
	got := bob.succeed(bob.do("POST", "/writer/api/project/other/presence/update/", `{"section":"canary-section","known_version":0}`))
	if names(*got.Users) != "bob" || len(got.Conflicts) != 0 {
		t.Errorf("the other project has %q with conflicts %q; due is bob alone", names(*got.Users), names(got.Conflicts))
	}
	for _, name := range []string{"Canary-project", "canary-project.", "canary-projec"} {
		if got := bob.do("GET", "/writer/api/project/"+name+"/presence/list/", ""); !strings.Contains(got.body, `"users":[]`) {
			t.Errorf("project %s has %s; due is nobody", name, got.body)
		}
	}
}

func TestAboveAThousandTheCountStaysTrue(t *testing.T) {
	w := newWorld(t, direct)
	for i := range presence.MaxListed {
		w.as(fmt.Sprintf("writer %04d", i), "").update(`{}`)
	}
	if got := w.newcomer().list(); got.Count != 0 || len(*got.Users) != presence.MaxListed {
		t.Errorf("of 1000 there are %d listed and the count %d; due is 1000 and no count", len(*got.Users), got.Count)
	}
	last := w.as("zoe", "1").update(`{"known_version":0}`)
	for name, got := range map[string]reply{"update": last, "list": w.newcomer().list()} {
		if got.Count != presence.MaxListed+1 || len(*got.Users) != presence.MaxListed {
			t.Errorf("%s of 1001 has %d listed and the count %d; due is 1000 and 1001", name, len(*got.Users), got.Count)
		}
	}
}
