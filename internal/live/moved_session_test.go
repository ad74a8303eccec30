package live_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// unguessable is the name of a session that moves to the identity that its page has now.
const unguessable = "3J8sQ0c2bX7wKq5t"

// page is a page that polls or has a live connection.
type page struct {
	who     *servertest.Client
	socket  *servertest.Socket // nil for one that polls
	session string
}

// open returns a page of the user in an opened section, which has unsaved changes and is careful.
func open(w *servertest.LiveServer, who *servertest.Client, live bool, session string, seq int) (*page, reply) {
	p := &page{who: who, session: session}
	if !live {
		return p, p.update(seq)
	}
	if who.Token != "" {
		p.socket = w.ConnectAs(who)
	} else {
		p.socket = w.Connect("Cookie", who.Cookie)
	}
	p.socket.Send("hello", p.fields(seq))
	return p, ackOf(p.socket.SkipTo("ack"))
}

// reply is what a page learns from the answer to an update.
type reply struct {
	name, activity, conflicts string
	unsaved                   []string
	stale                     bool
}

func ackOf(m servertest.Message) reply {
	return reply{m.You.Username, m.Activity, servertest.Names(m.Conflicts), m.You.Unsaved, m.Stale}
}

func (p *page) fields(seq int) string {
	fields := `"section": "s", "unsaved": true, "unless_occupied": true, "session": "` + p.session + `"`
	if seq > 0 {
		fields += fmt.Sprintf(`, "seq": %d`, seq)
	}
	return fields
}

func (p *page) update(seq int) reply {
	if p.socket != nil {
		p.socket.Send("update", p.fields(seq))
		return ackOf(p.socket.SkipTo("ack"))
	}
	got := p.who.Update("{" + p.fields(seq) + "}")
	return reply{got.You.Username, got.Activity, servertest.Names(got.Conflicts), got.You.Unsaved, got.Stale}
}

func (p *page) leave(seq int) {
	fields := fmt.Sprintf(`"session": "%s", "seq": %d`, p.session, seq)
	if p.socket != nil {
		p.socket.Send("leave", fields)
		p.socket.SkipTo("ack")
	} else {
		p.who.Leave("{" + fields + "}")
	}
}

// withCookie returns a visitor who has a cookie and is in no section of project p.
func withCookie(w *servertest.LiveServer) *servertest.Client {
	w.T.Helper()
	visitor := w.Anonymous()
	visitor.ExpectSuccess(visitor.DoIn("other", "update", `{}`))
	return visitor
}

// identityChanges are the ways in which a page gets another identity.
var identityChanges = map[string]func(w *servertest.LiveServer) (before, after *servertest.Client){
	"the cookie was lost": func(w *servertest.LiveServer) (before, after *servertest.Client) {
		return withCookie(w), w.Anonymous()
	},
	"another cookie": func(w *servertest.LiveServer) (before, after *servertest.Client) {
		return withCookie(w), withCookie(w)
	},
	"signed in": func(w *servertest.LiveServer) (before, after *servertest.Client) {
		return withCookie(w), w.As("alice", "1")
	},
	"signed out": func(w *servertest.LiveServer) (before, after *servertest.Client) {
		return w.As("alice", "1"), withCookie(w)
	},
	"signed out, without a cookie": func(w *servertest.LiveServer) (before, after *servertest.Client) {
		return w.As("alice", "1"), w.Anonymous()
	},
	"a token of another user": func(w *servertest.LiveServer) (before, after *servertest.Client) {
		return w.As("alice", "1"), w.As("bob", "2")
	},
}

// someChanges are those of identityChanges for tests of what does not depend on the way.
var someChanges = []string{"the cookie was lost", "signed in"}

// forEachIdentityChange runs a test for these changes, or for all, over polling, live and both. A page without credentials
// cannot begin a live connection.
func forEachIdentityChange(t *testing.T, changes []string, test func(t *testing.T, w *servertest.LiveServer, before, after *servertest.Client, fromLive, toLive bool)) {
	for name, change := range identityChanges {
		if changes != nil && !slices.Contains(changes, name) {
			continue
		}
		for _, fromLive := range []bool{false, true} {
			for _, toLive := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, live before: %t, after: %t", name, fromLive, toLive), func(t *testing.T) {
					servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
						before, after := change(w)
						if toLive && after.Token == "" && after.Cookie == "" {
							return
						}
						test(t, w, before, after, fromLive, toLive)
					})
				})
			}
		}
	}
}

// expectAlone checks that the list has this user alone, who alone conflicts with somebody who enters section s.
func expectAlone(t *testing.T, w *servertest.LiveServer, when, name string) {
	t.Helper()
	w.ExpectListed(name)
	zoe := w.As("zoe", "9")
	if got := zoe.Update(`{"session": "z", "section": "s", "activity": "viewing"}`); servertest.Names(got.Conflicts) != name {
		t.Errorf("%s: zoe's conflicts are %q, want %q", when, servertest.Names(got.Conflicts), name)
	}
	zoe.Leave(`{"session": "z"}`)
}

func TestSessionMovesToTheIdentityThatItsPageHasNow(t *testing.T) { // rule 7, case 46
	forEachIdentityChange(t, nil, func(t *testing.T, w *servertest.LiveServer, before, after *servertest.Client, fromLive, toLive bool) {
		old, first := open(w, before, fromLive, unguessable, 1)
		expectAlone(t, w, "before", first.name)
		now, moved := open(w, after, toLive, unguessable, 2)
		if moved.name == first.name || moved.activity != "editing" || moved.conflicts != "" || !slices.Equal(moved.unsaved, []string{"s"}) || moved.stale {
			t.Fatalf("got %+v after %+v, want another user who edits, has the unsaved changes, and no conflict with themselves", moved, first)
		}
		expectAlone(t, w, "moved", moved.name)

		if got := before.Update(`{"session": "` + unguessable + `", "seq": 2, "section": "s"}`); !got.Stale {
			t.Errorf("an older message of the old identity: got %+v, want stale", got)
		}
		before.Leave(`{"session": "` + unguessable + `", "seq": 1}`)
		expectAlone(t, w, "older messages", moved.name)

		if back := old.update(3); back.name != first.name || back.stale {
			t.Errorf("a newer message of the old identity: got %+v, want %s", back, first.name)
		}
		expectAlone(t, w, "moved back", first.name)
		now.leave(4)
		w.ExpectListed("")
		if got := old.update(4); !got.stale {
			t.Errorf("a message that is not newer than the leave: got %+v, want stale", got)
		}
		w.ExpectListed("")
	})
}

func TestSessionWithoutNumbersMovesWithEachUpdate(t *testing.T) { // rule 7
	forEachIdentityChange(t, someChanges, func(t *testing.T, w *servertest.LiveServer, before, after *servertest.Client, fromLive, toLive bool) {
		old, first := open(w, before, fromLive, unguessable, 0)
		_, moved := open(w, after, toLive, unguessable, 0)
		expectAlone(t, w, "moved", moved.name)
		old.update(0)
		expectAlone(t, w, "moved back", first.name)
	})
}

// The old live connection answers pings as long as its page lives, and is then lost.
func TestOldConnectionNeitherKeepsNorEndsASessionThatMoved(t *testing.T) { // rules 7, 9 and 11
	forEachIdentityChange(t, someChanges, func(t *testing.T, w *servertest.LiveServer, before, after *servertest.Client, _, toLive bool) {
		old, _ := open(w, before, true, unguessable, 1)
		now, moved := open(w, after, toLive, unguessable, 2)
		for seq := 3; seq < 6; seq++ {
			time.Sleep(presence.DefaultHeartbeat)
			now.update(seq)
			expectAlone(t, w, "while the old connection is open", moved.name)
		}
		if old.socket.Closed() {
			t.Error("the old connection was closed within its lease")
		}
		old.socket.Conn.Close()
		time.Sleep(presence.BrokenGrace + time.Second)
		expectAlone(t, w, "after the old connection broke", moved.name)
	})
}

func TestAccessLostByTheOldIdentityKeepsASessionThatMoved(t *testing.T) { // rules 7 and 14
	for _, err := range []error{identity.ErrTokenInvalid, identity.ErrProjectUnknown} {
		for _, live := range []bool{false, true} {
			var gate revocable
			servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
				client := func(token string) *servertest.Client {
					return &servertest.Client{Server: w.Server, Address: "127.0.0.1", Token: token}
				}
				old, _ := open(w, client("1"), true, unguessable, 1)
				open(w, client("2"), live, unguessable, 2)
				gate.reject("1", err)
				time.Sleep(30 * time.Second)
				if !old.socket.Closed() {
					t.Errorf("%v: the connection of the old identity is still open", err)
				}
				w.ExpectListedTo("9", "writer 2")
			}, func(p *servertest.Config) { p.Authenticator = &gate })
		}
	}
}

func TestOthersSeeOnePersonBecomeAnother(t *testing.T) { // rule 7
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		zoe, _, _ := w.Join(w.As("zoe", "9"), `"session": "z", "section": "t"`)
		open(w, w.As("alice", "1"), true, unguessable, 1)
		zoe.Pending()
		open(w, w.As("bob", "2"), false, unguessable, 2)
		delta := zoe.Next("delta")
		if servertest.Names(delta.Changed) != "bob" || !slices.Equal(delta.Changed[0].Unsaved, []string{"s"}) || len(delta.Left) != 1 || delta.Left[0] != 1.0 {
			t.Errorf("got %s, want that alice left and bob has unsaved changes in s", delta.Text)
		}
		zoe.ExpectNothing(time.Second)
	})
}

func TestSessionsWhoseNamesCouldBeGuessedNeverMove(t *testing.T) { // rule 7
	for _, name := range []string{"", "a", unguessable[:presence.MinUnguessableName-1]} {
		forEachIdentityChange(t, someChanges, func(t *testing.T, w *servertest.LiveServer, before, after *servertest.Client, fromLive, toLive bool) {
			if name == "" && (fromLive || toLive) {
				return // a hello needs a name
			}
			_, first := open(w, before, fromLive, name, 1)
			_, second := open(w, after, toLive, name, 2)
			if second.activity != "viewing" || second.conflicts != first.name {
				t.Errorf("%q: got %+v, want a conflict with %s", name, second, first.name)
			}
			after.Leave(`{"session": "` + name + `", "seq": 3}`)
			expectAlone(t, w, "after the leave of "+second.name, first.name)
		})
	}
}

// Above a limit only renewals succeed, and a move is none.
func TestMoveOverTheRateLimitIsRejected(t *testing.T) { // rules 7 and 16
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		open(w, w.As("alice", "1"), false, unguessable, 1)
		bob := w.As("bob", "2")
		for range 2 {
			bob.Update(`{"session": "b", "section": "t"}`)
		}
		bob.Post("update", `{"session": "`+unguessable+`", "seq": 2, "section": "s"}`).ExpectError(t, 429, "too_many_requests")
		w.ExpectListed("alice bob")
		bob.Leave(`{"session": "` + unguessable + `", "seq": 3}`) // the leave of a living session is never limited
		w.ExpectListed("bob")
	}, func(p *servertest.Config) { p.UserRate = identity.Rate{PerSecond: 0.001, Burst: 2} })
}

// The session's name shows that the page is the same, whatever its new identity may see.
func TestPageWhoseNewIdentityHasNoAccessIsNotListed(t *testing.T) { // rules 7 and 14
	for _, live := range []bool{false, true} {
		var gate revocable
		servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
			client := func(token string) *servertest.Client {
				return &servertest.Client{Server: w.Server, Address: "127.0.0.1", Token: token}
			}
			open(w, client("1"), live, unguessable, 1)
			open(w, client("2"), live, "another-page-of-2", 1)
			gate.reject("2-without-access", identity.ErrProjectUnknown)
			client("2-without-access").Post("update", `{"session": "`+unguessable+`", "seq": 2, "section": "s", "saved": {"section": "s", "revision": "7"}}`).
				ExpectError(t, 404, "project_unknown")
			w.ExpectListedTo("9", "writer 2")
			if saved := client("9").List().Saved; len(saved) != 0 {
				t.Errorf("somebody without access saved %v", saved)
			}
		}, func(p *servertest.Config) { p.Authenticator = &gate })
	}
}
