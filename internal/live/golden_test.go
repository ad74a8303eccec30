package live_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/writer-presence/writer-presence/internal/servertest"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/identity"
)

// holder is an authenticator with one user for each token.
type holder map[string]presence.User

func (h holder) Authenticate(_ context.Context, r identity.Request) (identity.Principal, error) {
	user, ok := h[r.Token]
	if !ok {
		return identity.Principal{}, identity.ErrTokenInvalid
	}
	return identity.Principal{User: user}, nil
}

func TestGoldenClientMessagesAreAccepted(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		bob, _, _ := w.Join(&servertest.Client{Token: "b-token"}, `{"session": "b"}`)
		alice := w.Connect("Authorization", "Bearer b-token")
		alice.SendFrame(0x81, servertest.ReadGolden(t, "hello"))
		if ack := alice.Next("ack"); ack.Seq != 1 || ack.Activity != "editing" || ack.You.Username != "alice" || ack.You.Section != "manuscript/abstract" {
			t.Errorf("hello.json: got %s, want alice, the user of its token, editing manuscript/abstract", ack.Text)
		}
		if snapshot := alice.Next("snapshot"); servertest.Names(snapshot.Users) != "alice bob" {
			t.Errorf("snapshot for known version 0: got %s, want alice and bob", snapshot.Text)
		}
		alice.SendFrame(0x81, servertest.ReadGolden(t, "update"))
		if ack := alice.SkipTo("ack"); ack.Seq != 2 || ack.You.Section != "manuscript/methods" || ack.Activity != "editing" {
			t.Errorf("update.json: got %s, want seq 2, editing manuscript/methods", ack.Text)
		}
		bob.Pending()
		alice.SendFrame(0x81, servertest.ReadGolden(t, "leave"))
		alice.SkipTo("ack").ExpectGolden(t, "ack-leave")
		alice.ExpectClose(1000)
		if took := bob.ExpectLeft("alice", 1.0, 5*time.Second); took < 3*time.Second {
			t.Errorf("leave.json took effect after %v, want 3 s at least, since it is hidden", took)
		}
	}, func(p *servertest.Config) {
		p.Authenticator = holder{"a-token": {ID: "1", Name: "alice"}, "b-token": {ID: "2", Name: "bob"}}
	})
}

func TestServerSendsGoldenMessages(t *testing.T) {
	servertest.RunLive(t, func(t *testing.T, w *servertest.LiveServer) {
		alice, carol := w.As("alice", "1"), w.As("carol", "3")
		alice.Update(`{"session": "a", "section": "manuscript/abstract"}`)
		bob, _, snapshot := w.Join(w.As("bob", "2"), `{"session": "b", "seq": 1}`)
		snapshot.ExpectGolden(t, "snapshot")

		bob.Send("update", `"seq": 2, "section": "manuscript/abstract", "unless_occupied": true`)
		bob.SkipTo("ack").ExpectGolden(t, "ack")
		bob.Send("update", `"seq": 3, "section": "`+strings.Repeat("x", 101)+`"`)
		bob.SkipTo("error").ExpectGolden(t, "error")

		bob.Send("update", `"seq": 4`)
		bob.Pending() // this change is sent at once, the next ones together
		alice.Update(`{"session": "a", "section": "elsewhere"}`)
		base := bob.Next("delta").Version
		alice.Leave(`{"session": "a"}`)
		carol.Update(`{"session": "one", "section": "manuscript/abstract"}`)
		carol.Update(`{"session": "two", "section": "manuscript/methods"}`)
		bob.Send("update", `"seq": 5, "section": "manuscript/abstract", "activity": "viewing"`)
		bob.Next("ack")
		delta := bob.Next("delta")
		delta.ExpectGolden(t, "delta")
		if delta.Base != base || delta.Version <= base {
			t.Errorf("after version %d: got a delta from %d to %d", base, delta.Base, delta.Version)
		}

		w.Shutdown()
		draining := bob.Next("error")
		draining.ExpectGolden(t, "draining")
		if draining.RetryAfter <= 0 {
			t.Errorf("shutdown: got %s, want draining with retry_after", draining.Text)
		}
		bob.ExpectClose(1012)
	}, pausesOf50Milliseconds)
}

// known is a client's state, as docs/reference/protocol.md folds it.
type known struct {
	version uint64
	users   []map[string]any
	// missed means that a delta is missing, and the client asks for a snapshot.
	missed bool
}

func (k *known) receive(text string) error {
	var m struct {
		Type          string
		Version, Base uint64
		Users         []map[string]any
		Changed       []map[string]any
		At            []int
		Left          []any
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		return err
	}
	switch {
	case m.Type == "snapshot":
		*k = known{version: m.Version, users: m.Users}
		return nil
	case m.Type != "delta":
		return nil
	case m.Base != k.version:
		k.missed = k.missed || m.Version > k.version
		return nil
	}
	out := slices.Clone(m.Left)
	for _, user := range m.Changed {
		out = append(out, user["user_id"])
	}
	users := slices.DeleteFunc(slices.Clone(k.users), func(user map[string]any) bool { return slices.Contains(out, user["user_id"]) })
	for i, user := range m.Changed {
		if m.At[i] > len(users) {
			return fmt.Errorf("place %d of %d in %s", m.At[i], len(users), text)
		}
		users = slices.Insert(users, m.At[i], user)
	}
	k.version, k.users = m.Version, users
	return nil
}

func TestGoldenDeltasGiveGoldenState(t *testing.T) { // case 29
	var steps []struct {
		Why     string
		Receive json.RawMessage
		Version uint64
		Users   []any
		Asks    bool
	}
	if err := json.Unmarshal(servertest.ReadGolden(t, "delta-sequence"), &steps); err != nil || len(steps) == 0 {
		t.Fatalf("delta-sequence.json: %v", err)
	}
	var k known
	for _, step := range steps {
		k.missed = false
		if err := k.receive(string(step.Receive)); err != nil {
			t.Fatal(err)
		}
		ids := []any{}
		for _, user := range k.users {
			ids = append(ids, user["user_id"])
		}
		if k.version != step.Version || !reflect.DeepEqual(ids, step.Users) || k.missed != step.Asks {
			t.Errorf("%s: got version %d, users %v, missed %v, want %d, %v, %v", step.Why, k.version, ids, k.missed, step.Version, step.Users, step.Asks)
		}
	}
}
