package live_test

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
)

// onTwoNodes runs a test on two nodes that share a store.
func onTwoNodes(t *testing.T, test func(t *testing.T, w, other *servertest.LiveServer, remove func(p presence.Project, user presence.UserID, d time.Duration))) {
	t.Helper()
	var shared presence.Store
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		other := w.AnotherNode(shared)
		time.Sleep(time.Second) // the hubs have read the removals
		test(t, w, other, func(p presence.Project, user presence.UserID, d time.Duration) {
			t.Helper()
			removal := presence.Removal{User: user}
			if d > 0 {
				removal.Until = time.Now().Add(d)
			}
			if _, err := shared.Remove(t.Context(), p, removal); err != nil {
				t.Fatal(err)
			}
		})
	}, func(p *servertest.Config) {
		p.WrapStore = func(s presence.Store) presence.Store { shared = s; return s }
	})
}

// expectRemoved checks that a connection gets the error removed and is closed within a second.
func expectRemoved(t *testing.T, s *servertest.Socket, retryAfter float64) {
	t.Helper()
	began := time.Now()
	m := s.SkipTo("error")
	if m.Code != "removed" || m.RetryAfter > retryAfter || m.RetryAfter < retryAfter-1 {
		t.Errorf("got %s, want the error removed with about %v of retry_after", m.Text, retryAfter)
	}
	s.ExpectClose(1008)
	if took := time.Since(began); took > time.Second {
		t.Errorf("the connection was closed after %v, want within a second", took)
	}
}

func TestRemovalClosesConnectionsOnAllNodes(t *testing.T) { // rule 24
	for name, project := range map[string]presence.Project{"from the project": "p", "from everywhere": presence.Everywhere} {
		t.Run(name, func(t *testing.T) {
			onTwoNodes(t, func(t *testing.T, w, other *servertest.LiveServer, remove func(presence.Project, presence.UserID, time.Duration)) {
				p, q := w.As("alice", "1"), other.As("alice", "1")
				bob, _, _ := other.Join(other.As("bob", "2"), `"session": "b"`)
				here, _, _ := w.Join(p, `"session": "here", "seq": 1, "section": "s"`)
				there, _, _ := other.Join(q, `"session": "there", "seq": 1, "section": "t"`)
				remove(project, "1", 0)
				expectRemoved(t, here, 0)
				expectRemoved(t, there, 0)
				bob.Pending()
				w.ExpectListed("bob")
				if a := p.Update(`{"session": "here", "seq": 1, "section": "s"}`); !a.Stale {
					t.Errorf("an update from before the removal: got %+v, want stale", a)
				}
				w.ExpectListed("bob")

				again, _, _ := w.Join(p, `"session": "here", "seq": 2, "section": "s"`)
				again.ExpectNothing(2 * time.Second)
				remove(project, "3", 0) // of somebody else
				bob.Pending()
				again.Pending()
				if again.Closed() || bob.Closed() {
					t.Error("another removal closed a connection that began after the first one, or that of another user")
				}
				w.ExpectListed("alice bob")
			})
		})
	}
}

func TestRemovedUsersGetNothingUntilTheirTimeIsOver(t *testing.T) { // rules 14 and 24
	for name, project := range map[string]presence.Project{"from the project": "p", "from everywhere": presence.Everywhere} {
		t.Run(name, func(t *testing.T) {
			onTwoNodes(t, func(t *testing.T, w, other *servertest.LiveServer, remove func(presence.Project, presence.UserID, time.Duration)) {
				p, q := w.As("alice", "1"), other.As("alice", "1")
				p.Update(`{"session": "polls", "seq": 1, "section": "s"}`)
				alice, _, _ := w.Join(p, `"session": "a", "seq": 1, "section": "s"`)
				remove(project, "1", time.Minute)
				expectRemoved(t, alice, 60)
				for _, c := range []*servertest.Client{p, q} {
					c.Post("update", `{"session": "polls", "seq": 2, "section": "s"}`).ExpectError(t, 403, "removed")
					c.GetList().ExpectError(t, 403, "removed")
					if got := c.Post("leave", `{"session": "polls", "seq": 3}`); got.Status != 200 && project == "p" {
						t.Errorf("a leave: got %d %s, want 200", got.Status, got.Body)
					}
				}
				w.ExpectListed("")
				if project == "p" {
					s := other.ConnectAs(q)
					s.Send("hello", `"session": "b", "seq": 1`)
					s.ExpectRejected("removed")
				} else {
					other.Do("GET", servertest.LivePath, nil, other.HandshakeHeaders("Authorization", "Bearer "+q.Token)...).ExpectError(t, 403, "removed")
				}
				counts := p.Do("GET", "/writer/api/presence/counts/?project=p", "")
				if project == "p" && counts.Body != `{"success":true,"projects":{}}` {
					t.Errorf("got the counts %s, want none of the project", counts.Body)
				} else if project != "p" {
					counts.ExpectError(t, 403, "removed")
				}
				time.Sleep(time.Minute)
				p.Update(`{"session": "polls", "seq": 5, "section": "s"}`)
				other.Join(q, `"session": "b", "seq": 2`)
				w.ExpectListed("alice")
			})
		})
	}
}

// slowBody is read only after do has returned.
type slowBody struct {
	do func()
	io.Reader
}

func (b *slowBody) Read(into []byte) (int, error) {
	if b.do != nil {
		b.do()
		b.do = nil
	}
	return b.Reader.Read(into)
}

func TestUpdateThatBeganBeforeARemovalEverywhereDoesNotUndoIt(t *testing.T) { // rules 8 and 24
	onTwoNodes(t, func(t *testing.T, w, _ *servertest.LiveServer, remove func(presence.Project, presence.UserID, time.Duration)) {
		body := &slowBody{func() {
			time.Sleep(time.Second) // the request is authenticated
			remove(presence.Everywhere, "1", time.Minute)
			time.Sleep(time.Second)
		}, strings.NewReader(`{"session": "late", "seq": 1, "section": "s"}`)}
		w.Do("POST", "/writer/api/project/p/presence/update/", body, "Authorization", "Bearer "+w.As("alice", "1").Token, "Content-Type", "application/json").ExpectError(t, 403, "removed")
		w.ExpectListed("")
	})
}
