package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	presence "github.com/writer-presence/writer-presence"
)

func emptyProject(t *testing.T, s *Subject) {
	snapshot := s.snapshot(t)
	if len(snapshot.Occupants) != 0 || snapshot.Count != 0 {
		t.Fatalf("an unknown project lists %v, count %d; want none", snapshot.Occupants, snapshot.Count)
	}
}

func projectsAreSeparate(t *testing.T, s *Subject) { // invariant 9
	s.update(t, alice, presence.Update{Session: "x", Seq: 5, Section: "a"})
	reply, err := s.Update(t.Context(), "q", alice, presence.Update{Session: "x", Seq: 1, Section: "b"})
	if err != nil || reply.Stale {
		t.Fatalf("the same session name in another project: stale %v, %v", reply.Stale, err)
	}
	if reply, err := s.Update(t.Context(), "q", bob, presence.Update{Section: "a"}); err != nil || len(reply.Conflicts) != 0 {
		t.Fatalf("an update has the conflicts %q of another project, %v", lines(reply.Conflicts), err)
	}
	if _, err := s.Leave(t.Context(), "q", alice, presence.Leave{Session: "x", Seq: 9}); err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []presence.Project{"a.example/p", "b.example/p", "[2001:db8::1]:8080/p"} { // see identity.Request.Key
		if reply, err := s.Update(t.Context(), tenant, bob, presence.Update{Section: "a"}); err != nil || len(reply.Conflicts) != 0 {
			t.Fatalf("an update in %s has the conflicts %q of another tenant, %v", tenant, lines(reply.Conflicts), err)
		}
		if snapshot, err := s.Snapshot(t.Context(), tenant); err != nil || len(snapshot.Occupants) != 1 {
			t.Fatalf("in %s the snapshot is %v, %v; want Bob alone", tenant, snapshot, err)
		}
	}
	s.wantList(t, `Alice editing "a" of ["a"]`)
}

func namesAreData(t *testing.T, s *Subject) { // cases 19, 43
	texts := []string{"__proto__", "'; DROP TABLE writer_presence; --", "a:b", "a{b}c", "*", "名前", "a|b", "constructor", `"\`, "a b"}
	for _, text := range texts {
		s.update(t, presence.User{ID: presence.UserID(text), Name: text}, presence.Update{Section: presence.Section(text)})
	}
	slices.SortFunc(texts, func(a, b string) int { return strings.Compare(strings.ToLower(a), strings.ToLower(b)) })
	var want []string
	for _, text := range texts {
		want = append(want, fmt.Sprintf("%s editing %q of [%q]", text, text, text))
	}
	s.wantList(t, want...)
}

func versionsGrow(t *testing.T, s *Subject) { // invariant 8
	version := s.snapshot(t).Version
	step := func(what string, visible bool, do func() uint64) {
		t.Helper()
		replied := do()
		got := s.snapshot(t).Version
		if grown := got > version; grown != visible || got < version || replied > got {
			t.Fatalf("%s: the version goes from %d to %d, and the reply says %d", what, version, got, replied)
		}
		version = got
	}
	update := func(u presence.Update) func() uint64 {
		return func() uint64 { return s.update(t, alice, u).Version }
	}
	step("arrival", true, update(presence.Update{Session: "x", Seq: 1, Section: "a"}))
	step("heartbeat", false, update(presence.Update{Session: "x", Seq: 2, Section: "a"}))
	step("older message", false, update(presence.Update{Session: "x", Seq: 1, Section: "b"}))
	step("move", true, update(presence.Update{Session: "x", Seq: 3, Section: "b"}))
	step("idle", true, update(presence.Update{Session: "x", Seq: 4, Section: "b", Activity: presence.Idle}))
	step("expiry", true, func() uint64 { s.Pass(s.Lease + s.Grain + 1); return 0 })
	step("arrival again", true, update(presence.Update{Session: "x", Seq: 5, Section: "b"}))
	step("leave", true, func() uint64 { return s.leave(t, alice, presence.Leave{Session: "x", Seq: 6}).Version })
	s.Pass(2 * presence.Finality) // a store may drop the project, but not its version
	step("an arrival long after", true, update(presence.Update{Session: "y", Seq: 1}))
	s.Store = s.Restart()
	if got := s.snapshot(t).Version; got < version {
		t.Fatalf("over a restart the version goes from %d to %d", version, got)
	}
	version = s.snapshot(t).Version
	step("a move after a restart", true, update(presence.Update{Session: "y", Seq: 2, Section: "c"}))
}
