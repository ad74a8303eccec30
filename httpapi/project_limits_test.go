package httpapi_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/httpapi"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

func TestProjectsOfOneUserAreLimitedAndRenewalsSucceed(t *testing.T) { // rule 16
	synctest.Test(t, func(t *testing.T) {
		var store servertest.SpyStore
		w := servertest.New(t, servertest.Direct, store.Install, func(p *servertest.Config) { p.UserProjects = 3 })
		alice, bob := w.As("alice", "1"), w.As("bob", "2")
		for i := range 3 {
			alice.ExpectSuccess(alice.DoIn(fmt.Sprint("p", i), "update", `{"section":"s","session":"a","seq":1}`))
		}
		for name, got := range map[string]servertest.Response{
			"an update":              alice.DoIn("p3", "update", `{"section":"s","session":"a","seq":1}`),
			"the note's update":      alice.DoIn("p4", "update", `{"section":"s"}`),
			"a leave":                alice.DoIn("p5", "leave", `{"session":"a","seq":1}`),
			"a leave without seq":    alice.DoIn("p6", "leave", `{"session":"a"}`),
			"a leave that is hidden": alice.DoIn("p7", "leave", `{"session":"a","seq":1,"hidden":true}`),
		} {
			got.ExpectError(t, 429, "too_many_projects")
			if after := got.Header.Get("Retry-After"); after != "1440" {
				t.Errorf("%s: Retry-After is %q, want 1440 s", name, after)
			}
		}
		if held := store.ProjectCount(); held != 3 {
			t.Errorf("the store holds %d projects, want 3", held)
		}
		bob.ExpectSuccess(bob.DoIn("p3", "update", `{}`)) // the limit is per user
		for i := range 3 {
			alice.ExpectSuccess(alice.DoIn(fmt.Sprint("p", i), "update", `{"section":"moved","session":"a","seq":2}`))
			alice.ExpectSuccess(alice.DoIn(fmt.Sprint("p", i), "update", `{"section":"s","session":"another"}`))
		}
		alice.ExpectSuccess(alice.DoIn("p0", "leave", `{"session":"a","seq":3}`))
		alice.DoIn("p3", "update", `{}`).ExpectError(t, 429, "too_many_projects") // an ended session still counts

		time.Sleep(13 * time.Minute)
		alice.DoIn("p3", "update", `{}`).ExpectError(t, 429, "too_many_projects") // p0 to p2 still count
		time.Sleep(11*time.Minute + time.Second)
		alice.ExpectSuccess(alice.DoIn("p3", "update", `{}`))
	})
}

func TestProjectInUseStaysCountedAsKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserProjects = 1 })
		alice := w.As("alice", "1")
		for i := range 200 { // over an hour and a half of heartbeats, each in another section
			alice.Update(fmt.Sprintf(`{"section":"s%d","session":"a"}`, i))
			alice.DoIn("q", "update", `{}`).ExpectError(t, 429, "too_many_projects")
			time.Sleep(30 * time.Second)
		}
	})
}

func TestProjectsOfAddressesAreLimitedForVisitorsSeparately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var store servertest.SpyStore
		w := servertest.New(t, servertest.Direct, store.Install, func(p *servertest.Config) {
			p.UserProjects, p.VisitorProjects, p.AddressProjects = 100, 4, 20
		})
		entered := 0
		for visitor := range 30 { // each tries ten projects of its own
			p := w.Anonymous()
			p.Address = "192.0.2.1"
			for i := range 10 {
				got := p.DoIn(fmt.Sprintf("of-%d-%d", visitor, i), "update", `{"section":"s"}`)
				if got.Status == 200 {
					entered++
				} else if got.ExpectError(t, 429, "too_many_projects"); i == 0 && p.SetCookie != nil {
					t.Errorf("an update over the limit set the cookie %v", p.SetCookie)
				}
			}
		}
		if held := store.ProjectCount(); entered != 20 || held != 20 {
			t.Errorf("visitors of one address entered %d projects, of which %d are held, want 20", entered, held)
		}
		late := w.Anonymous()
		late.Address = "192.0.2.1"
		late.ExpectSuccess(late.DoIn("of-0-0", "update", `{}`)) // not a new project for the address
		late.Address = "2001:db8::1"
		late.ExpectSuccess(late.DoIn("new", "update", `{}`))
		late.Address = "2001:db8::ffff:2"
		for i := range 3 { // the limit of a visitor holds across addresses
			if got := late.DoIn(fmt.Sprint("next-", i), "update", `{}`); (got.Status == 200) != (i < 2) {
				t.Errorf("project %d of a visitor: %d %s", i+3, got.Status, got.Body)
			}
		}
		for user := range 30 {
			p := w.As("writer", presence.UserID(fmt.Sprint(user+1)))
			p.Address = "192.0.2.1"
			if got := p.DoIn(fmt.Sprint("u", user), "update", `{}`); (got.Status == 200) != (user < 20) {
				t.Errorf("user %d of an address with 20 projects: %d %s", user+1, got.Status, got.Body)
			}
		}
	})
}

func TestUserOverTheProjectLimitDoesNotUseUpTheLimitOfTheAddress(t *testing.T) {
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserProjects, p.AddressProjects = 2, 5 })
	mallory := w.As("mallory", "3")
	for i := range 50 {
		mallory.DoIn(fmt.Sprint("m", i), "update", `{}`)
	}
	for i := range 3 {
		alice := w.As("alice", presence.UserID(fmt.Sprint(i+10)))
		alice.ExpectSuccess(alice.DoIn(fmt.Sprint("a", i), "update", `{}`))
	}
}

func TestRequestsOverTheRateLimitDoNotCountAsProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct, func(p *servertest.Config) { p.UserRate, p.UserProjects = identity.Rate{PerSecond: 0.1, Burst: 1}, 2 })
		alice := w.As("alice", "1")
		alice.ExpectSuccess(alice.DoIn("p", "update", `{}`))
		for i := range 10 {
			alice.DoIn(fmt.Sprint("q", i), "update", `{}`).ExpectError(t, 429, "too_many_requests")
		}
		time.Sleep(10 * time.Second)
		alice.ExpectSuccess(alice.DoIn("r", "update", `{}`))
	})
}

func TestProjectLimitsOfTenantsAreSeparate(t *testing.T) {
	w := servertest.New(t, servertest.Direct, func(p *servertest.Config) {
		p.TenantFromHost, p.UserProjects = true, 1
		p.Authenticator = authenticatorFunc(func() (identity.Principal, error) {
			return identity.Principal{User: presence.User{ID: "1", Name: "alice"}}, nil
		})
	})
	alice := w.Anonymous()
	for _, host := range []string{"a.localhost", "b.localhost"} {
		alice.ExpectSuccess(alice.DoIn("p", "update", `{}`, "Host", host))
		alice.DoIn("q", "update", `{}`, "Host", host).ExpectError(t, 429, "too_many_projects")
	}
}

func TestReadingTheListDoesNotCountForProjectLimits(t *testing.T) { // rule 10
	var store servertest.SpyStore
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, visitor := w.As("alice", "1"), w.Anonymous()
		for i := range 300 {
			project := fmt.Sprint("looked-at-", i)
			for _, p := range []*servertest.Client{alice, visitor} {
				p.ExpectSuccess(p.DoIn(project, "list", ""))
			}
			s := w.ConnectTo(httpapi.DefaultPrefix+"/project/"+project+"/presence/live/", "Authorization", "Bearer "+alice.Token)
			s.Conn.Close() // before the hello
		}
		if len(store.Updates) > 0 || len(store.Leaves) > 0 || len(store.Watched) > 0 || store.ProjectCount() > 0 {
			t.Errorf("reading the lists of 300 projects made %d updates, %d leaves, %d watched and %d held, want none", len(store.Updates), len(store.Leaves), len(store.Watched), store.ProjectCount())
		}
		alice.Update(`{}`)
		visitor.Update(`{}`)
	}, store.Install, func(p *servertest.Config) {
		p.UserProjects, p.VisitorProjects, p.AddressProjects = 1, 1, 1
	})
}

func TestLiveHelloCountsForProjectLimits(t *testing.T) {
	var store servertest.SpyStore
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		p := w.As("alice", "1")
		path := func(project string) string { return httpapi.DefaultPrefix + "/project/" + project + "/presence/live/" }
		come := func(project string) *servertest.Socket {
			return w.ConnectTo(path(project), "Authorization", "Bearer "+p.Token)
		}
		p.ExpectSuccess(p.DoIn("p0", "update", `{"session":"a"}`))
		one := come("p1")
		one.Send("hello", `"session": "b", "seq": 1, "section": "s"`)
		one.Next("ack")
		one.Next("snapshot")

		rejected := come("p2")
		rejected.Send("hello", `"session": "c", "seq": 1, "section": "s"`)
		if m := rejected.Next("error"); m.Code != "too_many_projects" || m.Seq != 1 || m.RetryAfter < 1000 || m.RetryAfter > 1440 {
			t.Errorf("a hello in a third of two projects got %s", m.Text)
		}
		rejected.ExpectClose(1008)
		p.DoIn("p2", "update", `{}`).ExpectError(t, 429, "too_many_projects")
		if held := store.ProjectCount(); held != 2 {
			t.Errorf("the store holds %d projects, want 2", held)
		}

		for seq := 2; seq < 60; seq++ { // half an hour: the project stays in use
			one.Send("update", fmt.Sprintf(`"seq": %d, "section": "s%d"`, seq, seq))
			if ack := one.SkipTo("ack"); ack.Stale || ack.You.Section != fmt.Sprint("s", seq) {
				t.Fatalf("update %d got %s", seq, ack.Text)
			}
			one.Pending()
			time.Sleep(30 * time.Second)
		}
		if len(store.CreatedIn) != 2 {
			t.Errorf("updates that may create something named %d projects, want 2", len(store.CreatedIn))
		}
		p.ExpectSuccess(p.DoIn("p3", "update", `{}`)) // p0 was not used for more than 24 minutes
		p.DoIn("p4", "update", `{}`).ExpectError(t, 429, "too_many_projects")
		one.Send("leave", `"seq": 100`)
		one.SkipTo("ack")
		one.ExpectClose(1000)
	}, store.Install, func(p *servertest.Config) { p.UserProjects = 2 })
}

// Options without limits get the defaults; a negative number means no limit.
func TestProjectsAreLimitedByDefault(t *testing.T) {
	enter := func(t *testing.T, p *servertest.Client, most int) (entered int) {
		for i := range most {
			if p.DoIn(fmt.Sprint("p", i), "update", `{}`).Status != 200 {
				break
			}
			entered++
		}
		return entered
	}
	synctest.Test(t, func(t *testing.T) {
		w := servertest.New(t, servertest.Direct)
		if got := enter(t, w.As("alice", "1"), 300); got != httpapi.DefaultUserProjects {
			t.Errorf("a user entered %d projects, want %d", got, httpapi.DefaultUserProjects)
		}
		if got := enter(t, w.Anonymous(), 300); got != httpapi.DefaultVisitorProjects {
			t.Errorf("a visitor entered %d projects, want %d", got, httpapi.DefaultVisitorProjects)
		}
		w = servertest.New(t, servertest.Direct, func(p *servertest.Config) {
			p.UserProjects, p.VisitorProjects, p.AddressProjects = -1, -1, -1
		})
		for _, p := range []*servertest.Client{w.As("alice", "1"), w.Anonymous()} {
			if got := enter(t, p, 300); got != 300 {
				t.Errorf("without a limit: got %d of 300 projects", got)
			}
		}
	})
}
