package live_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/internal/servertest"
)

// Several users act at random. The watcher's snapshot with all deltas applied is compared with the list over HTTP.
func TestSnapshotEqualsBasePlusDelta(t *testing.T) { // invariant 8
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		history := 0
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			history++
			h := newHistory(w, fmt.Sprintf("history-%d", history))
			defer h.end()
			for range rapid.IntRange(1, 25).Draw(rt, "steps") {
				h.step(rt)
				time.Sleep(rapid.SampledFrom([]time.Duration{0, 0, 20 * time.Millisecond, 4 * time.Second, 16 * time.Second, 110 * time.Second}).Draw(rt, "passes"))
				h.check(rt)
			}
		})
	})
}

// history is a project with users who act at random, and a watcher.
type history struct {
	w       *servertest.LiveServer
	path    string
	people  []*servertest.Client
	sockets map[string]*servertest.Socket // by person and tab
	seq     int
	watcher *servertest.Socket
	knows   known
}

func newHistory(w *servertest.LiveServer, project string) *history {
	h := &history{w: w, path: "/writer/api/project/" + project + "/presence/", sockets: map[string]*servertest.Socket{}}
	for i := range 3 {
		h.people = append(h.people, w.As(fmt.Sprintf("Writer %d", i), presence.UserID(fmt.Sprint(i+1))))
	}
	h.watcher = h.open(w.As("watcher", "9"))
	h.watcher.Send("hello", `"session": "w"`)
	return h
}

func (h *history) open(p *servertest.Client) *servertest.Socket {
	return h.w.ConnectTo(h.path+"live/", "Authorization", "Bearer "+p.Token)
}

// step is one action of one user in one of two tabs.
func (h *history) step(rt *rapid.T) {
	h.seq++
	who, tab := rapid.IntRange(0, len(h.people)-1).Draw(rt, "who"), rapid.SampledFrom([]string{"x", "y"}).Draw(rt, "tab")
	p, s := h.people[who], h.sockets[fmt.Sprint(who, tab)]
	state := fmt.Sprintf(`"session": %q, "seq": %d, "section": %q, "activity": %q, "unless_occupied": %v`, tab, h.seq,
		rapid.SampledFrom([]string{"", "a", "b"}).Draw(rt, "section"), rapid.SampledFrom([]string{"editing", "viewing", "idle"}).Draw(rt, "activity"), rapid.Bool().Draw(rt, "careful"))
	leave := fmt.Sprintf(`"session": %q, "seq": %d, "hidden": %v`, tab, h.seq, rapid.Bool().Draw(rt, "hidden"))
	switch what := rapid.SampledFrom([]string{"update", "update", "update", "leave", "break", "HTTP update", "HTTP leave"}).Draw(rt, "what"); what {
	case "update", "leave":
		if s == nil || s.Closed() {
			s = h.open(p)
			h.sockets[fmt.Sprint(who, tab)] = s
			s.Send("hello", state)
		}
		if what == "update" {
			s.Send("update", state)
			break
		}
		s.Send("leave", leave)
		<-s.Done
		delete(h.sockets, fmt.Sprint(who, tab))
	case "break":
		if s != nil {
			s.Conn.Close()
			delete(h.sockets, fmt.Sprint(who, tab))
		}
	case "HTTP update":
		p.ExpectSuccess(p.Do("POST", h.path+"update/", "{"+state+"}"))
	case "HTTP leave":
		p.ExpectSuccess(p.Do("POST", h.path+"leave/", "{"+leave+"}"))
	}
}

// check compares what the watcher knows with the list. It repeats that while a session expires, since the
// watcher gets this a little later.
func (h *history) check(rt *rapid.T) {
	var want known
	for want.version = 1; want.version != h.knows.version; {
		want = h.list(rt)
		for _, m := range h.watcher.Pending() {
			if before := h.knows.version; m.Type == "delta" && m.Base != before {
				rt.Fatalf("after version %d: got %s", before, m.Text)
			}
			if err := h.knows.receive(m.Text); err != nil {
				rt.Fatal(err)
			}
		}
		if h.knows.version != want.version && h.list(rt).version == want.version {
			rt.Fatalf("watcher (closed: %v): got version %d, want %d", h.watcher.Closed(), h.knows.version, want.version)
		}
	}
	for _, user := range append(want.users, h.knows.users...) {
		delete(user, "last_seen") // a renewal changes it without a new version
	}
	if !reflect.DeepEqual(h.knows.users, want.users) {
		rt.Fatalf("users at version %d: got %v\nwant %v", want.version, h.knows.users, want.users)
	}
	h.watcher.Send("update", "")
}

func (h *history) list(rt *rapid.T) (k known) {
	var list struct {
		Version uint64
		Users   []map[string]any
	}
	if err := json.Unmarshal([]byte(h.people[0].Do("GET", h.path+"list/", "").Body), &list); err != nil {
		rt.Fatal(err)
	}
	return known{version: list.Version, users: list.Users}
}

func (h *history) end() {
	h.watcher.Conn.Close()
	for _, s := range h.sockets {
		s.Conn.Close()
	}
}
