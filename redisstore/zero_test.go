package redisstore_test

import (
	"errors"
	"testing"

	presence "github.com/writer-presence/writer-presence"
	"github.com/writer-presence/writer-presence/redisstore"
)

func TestTheZeroStoreIsUnavailable(t *testing.T) {
	var s redisstore.Store
	alice := presence.User{ID: "1", Name: "Alice"}
	_, updated := s.Update(t.Context(), "thesis", alice, presence.Update{})
	_, left := s.Leave(t.Context(), "thesis", alice, presence.Leave{})
	_, moved := s.Move(t.Context(), "thesis", "a", "b")
	_, saved := s.Save(t.Context(), "thesis", alice, presence.Saved{Section: "a", Revision: "1"})
	_, read := s.Snapshot(t.Context(), "thesis")
	_, readFresh := s.FreshSnapshot(t.Context(), "thesis")
	_, _, claimed := s.Claim(t.Context(), "thesis", "h", 1)
	_, renewed := s.Renew(t.Context(), "thesis", "h", 1)
	_, announced := s.Announce(t.Context(), "thesis", "h", presence.Announcement{})
	_, unannounced := s.Unannounced(t.Context())
	logged := s.AppendEvents(t.Context(), nil)
	_, _, _, readLog := s.Events(t.Context(), "", 1)
	for _, err := range []error{updated, left, moved, saved, read, readFresh, claimed, renewed, announced, unannounced, logged, readLog, s.Ready(t.Context()), s.Run(t.Context())} {
		if !errors.Is(err, presence.ErrUnavailable) {
			t.Errorf("a method returned %v; want ErrUnavailable", err)
		}
	}
	s.Watch("thesis", func() { t.Error("wake was called") })()
	s.NotifyChanges(func(presence.Project) { t.Error("changed was called") })()
	if f := s.Figures(); f != (presence.Figures{}) {
		t.Errorf("the figures are %+v; want zero", f)
	}
}
