package presence_test

import (
	"errors"
	"testing"
	"time"

	presence "github.com/writer-presence/writer-presence"
)

func TestAServiceWithoutAStoreIsUnavailable(t *testing.T) {
	alice, err := presence.NewUser("1", "Alice", false)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*presence.Service{"the zero Service": {}, "NewService(nil)": presence.NewService(nil)} {
		_, updated := s.Update(t.Context(), "thesis", alice, presence.Update{})
		_, left := s.Leave(t.Context(), "thesis", alice, presence.Leave{})
		_, moved := s.Move(t.Context(), "thesis", "a", "b")
		_, saved := s.Save(t.Context(), "thesis", alice, presence.Saved{Section: "a", Revision: "1"})
		_, read := s.Snapshot(t.Context(), "thesis")
		_, readSince := s.SnapshotSince(t.Context(), "thesis", 1)
		for _, err := range []error{updated, left, moved, saved, read, readSince} {
			if !errors.Is(err, presence.ErrUnavailable) {
				t.Errorf("%s returned %v; want ErrUnavailable", name, err)
			}
		}
		s.Watch("thesis", func() { t.Errorf("%s called wake", name) })()
	}
}

func TestTheZeroRosterHasTheDefaultLease(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	alice := presence.User{ID: "1", Name: "Alice"}
	for name, message := range map[string]func(*presence.Roster){
		"update": func(r *presence.Roster) {
			if _, _, err := r.Update(now, alice, presence.Update{Section: "abstract"}); err != nil {
				t.Error(err)
			}
		},
		"restore": func(r *presence.Roster) {
			r.Restore(now, presence.Record{User: alice, Section: "abstract", Activity: presence.Editing, LastSeen: now, Touched: 1, Active: true})
		},
	} {
		var r presence.Roster
		message(&r)
		if got := r.Snapshot(now.Add(presence.DefaultLease)).Count; got != 1 {
			t.Errorf("at the end of the lease after an %s %d users are listed; want 1", name, got)
		}
		if got := r.Snapshot(now.Add(presence.DefaultLease + 1)).Count; got != 0 {
			t.Errorf("after the lease and an %s %d users are listed; want 0", name, got)
		}
	}
	var r presence.Roster
	if _, changed := r.Leave(now, alice, presence.Leave{Session: "tab", Seq: 1}); !changed {
		t.Error("the end of an unknown numbered session is not recorded")
	}
}

func TestZeroValuesCanBeRead(t *testing.T) {
	var r presence.Roster
	if s := r.Snapshot(time.Now()); s.Count != 0 || len(s.Occupants) != 0 || !r.Forget(time.Now()) || r.Records() != nil || r.AllRecords() != nil || r.RecordsOf("1") != nil {
		t.Errorf("the zero Roster is not empty: %+v", s)
	}
	var s presence.Snapshot
	if d := s.Since(nil); len(d.Changed)+len(d.Left) != 0 || s.Conflicts("1", "abstract") != nil {
		t.Errorf("the zero Snapshot is not empty: %+v", d)
	}
	if s := presence.Aggregate(1, nil, nil); s.Version != 1 || s.Count != 0 {
		t.Errorf("the aggregate of no records is %+v", s)
	}
	var u presence.User
	if u.Check() == nil || u.Color() == "" || u.Initials() == "" {
		t.Errorf("the zero User: %v, colour %q, initials %q", u.Check(), u.Color(), u.Initials())
	}
}
