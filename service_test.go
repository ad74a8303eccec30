package presence

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// untouched is a store that must not be reached.
type untouched struct{ *testing.T }

func (u untouched) Update(context.Context, Project, User, Update) (Reply, error) {
	u.Error("the store was asked to update")
	return Reply{}, nil
}

func (u untouched) Leave(context.Context, Project, User, Leave) (Reply, error) {
	u.Error("the store was asked to leave")
	return Reply{}, nil
}

func (u untouched) FreshSnapshot(context.Context, Project) (*Snapshot, error) { panic("read") }

func (u untouched) Snapshot(context.Context, Project) (*Snapshot, error) {
	u.Error("the store was asked for a snapshot")
	return nil, nil
}

func (u untouched) Watch(Project, func()) func() {
	u.Error("the store was asked to be watched")
	return func() {}
}

func TestWhatCannotBeStoredDoesNotReachTheStore(t *testing.T) { // rule 16, invariant 12
	tracker := NewService(untouched{t})
	for _, c := range []struct {
		update Update
		due    error
	}{
		{Update{Section: Section(strings.Repeat("x", 101))}, ErrSectionTooLong},
		{Update{Section: Section(strings.Repeat("é", 101))}, ErrSectionTooLong},
		{Update{Section: " "}, ErrSectionInvalid},
		{Update{Section: "/"}, ErrSectionInvalid},
		{Update{Section: "/a"}, ErrSectionInvalid},
		{Update{Section: "a/"}, ErrSectionInvalid},
		{Update{Section: "a//b"}, ErrSectionInvalid},
		{Update{Section: "a\nb"}, ErrSectionInvalid},
		{Update{Section: "a\x00"}, ErrSectionInvalid},
		{Update{Section: "a\u202eb"}, ErrSectionInvalid},
		{Update{Section: "a\u200bb"}, ErrSectionInvalid},
		{Update{Section: "a\xffb"}, ErrSectionInvalid},
		{Update{Section: "a/\u3164"}, ErrSectionInvalid},
		{Update{Section: "\u2800"}, ErrSectionInvalid},
		{Update{Section: "\u200d"}, ErrSectionInvalid},
		{Update{Section: "a\u2063"}, ErrSectionInvalid},
		{Update{Session: "a b"}, ErrSessionInvalid},
		{Update{Session: strings.Repeat("x", 65)}, ErrSessionInvalid},
		{Update{Seq: MaxSafe + 1}, ErrSeqInvalid},
		{Update{Activity: "asleep"}, ErrActivityInvalid},
	} {
		if _, err := tracker.Update(t.Context(), "p", alice, c.update); !errors.Is(err, c.due) {
			t.Errorf("%.60q: %v; due: %v", c.update.Section, err, c.due)
		}
	}
	if _, err := tracker.Leave(t.Context(), "p", alice, Leave{Session: "a/b"}); !errors.Is(err, ErrSessionInvalid) {
		t.Errorf("leave: %v; due: %v", err, ErrSessionInvalid)
	}
	if _, err := tracker.Leave(t.Context(), "p", alice, Leave{Seq: MaxSafe + 1}); !errors.Is(err, ErrSeqInvalid) {
		t.Errorf("leave: %v; due: %v", err, ErrSeqInvalid)
	}
}

func TestSectionsOfAllScriptsAreTakenAsTheyAre(t *testing.T) {
	for _, section := range []Section{"", "manuscript/abstract", "Kapitel 1/Über uns", "章/一", "می\u200cخواهم", Section(strings.Repeat("é", 100)), "a.b-c_d/<i>"} {
		if err := section.check(); err != nil {
			t.Errorf("%q: %v", section, err)
		}
	}
}

func TestProjectIdsHaveTheGrammarOfTheContract(t *testing.T) {
	for id, due := range map[string]error{
		"1": nil, "a.b_c~d-E9": nil, strings.Repeat("x", 64): nil,
		"": ErrProjectInvalid, ".": ErrProjectInvalid, "..": ErrProjectInvalid, "...": nil, strings.Repeat("x", 65): ErrProjectInvalid, "a/b": ErrProjectInvalid, "a b": ErrProjectInvalid, "é": ErrProjectInvalid, "a\n": ErrProjectInvalid,
	} {
		if _, err := ParseProject(id); !errors.Is(err, due) {
			t.Errorf("%.20q: %v; due: %v", id, err, due)
		}
	}
}
